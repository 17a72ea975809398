"""Random sequences of requests against a dictionary that does the same."""

from __future__ import annotations

import random

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.servers

KEYS = ["a", "a/", "a/b", "a/b/c", "a//b", "/a", "b", "b!", "ä ö", "z%2Fz", "~", "."]
STEPS = 120


class Model:
    """``objects``: key → body and metadata."""

    def __init__(self, s3, bucket: str, numbers: random.Random) -> None:
        self.s3 = s3
        self.bucket = bucket
        self.numbers = numbers
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}

    def key(self) -> str:
        return self.numbers.choice(KEYS)

    def body(self) -> bytes:
        return self.numbers.randbytes(self.numbers.choice([0, 1, 100, 65_536, 65_537, 300_000]))

    def put(self) -> None:
        key, body, metadata = self.key(), self.body(), {"n": str(self.numbers.random())}
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=metadata)
        self.objects[key] = body, metadata

    def put_if_absent(self) -> None:
        key = self.key()
        try:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"first", IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            assert key in self.objects
        else:
            assert key not in self.objects
            self.objects[key] = b"first", {}

    def upload(self) -> None:
        place = {"Bucket": self.bucket, "Key": self.key()}
        upload = self.s3.create_multipart_upload(**place, Metadata={"parts": "1"})["UploadId"]
        body = self.body()
        etag = self.s3.upload_part(**place, UploadId=upload, PartNumber=7, Body=body)["ETag"]
        if self.numbers.random() < 0.3:
            self.s3.abort_multipart_upload(**place, UploadId=upload)
            return
        chosen = {"Parts": [{"PartNumber": 7, "ETag": etag}]}
        self.s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=chosen)
        self.objects[place["Key"]] = body, {"parts": "1"}

    def copy(self) -> None:
        source, target = self.key(), self.key()
        try:
            self.s3.copy_object(Bucket=self.bucket, Key=target, CopySource={"Bucket": self.bucket, "Key": source})
        except ClientError as error:
            assert error.response["Error"]["Code"] == ("InvalidRequest" if source in self.objects else "NoSuchKey")
            assert source == target or source not in self.objects
        else:
            self.objects[target] = self.objects[source]

    def delete(self) -> None:
        key = self.key()
        self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.objects.pop(key, None)

    def delete_many(self) -> None:
        keys = self.numbers.sample(KEYS, 3)
        self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in keys]})
        for key in keys:
            self.objects.pop(key, None)

    def get(self) -> None:
        key = self.key()
        try:
            got = self.s3.get_object(Bucket=self.bucket, Key=key)
        except self.s3.exceptions.NoSuchKey:
            assert key not in self.objects
        else:
            assert (got["Body"].read(), got["Metadata"]) == self.objects[key]

    def get_range(self) -> None:
        key = self.key()
        if not self.objects.get(key, (b"", {}))[0]:
            return
        body, _ = self.objects[key]
        start = self.numbers.randrange(len(body))
        end = self.numbers.randrange(start, len(body))
        got = self.s3.get_object(Bucket=self.bucket, Key=key, Range=f"bytes={start}-{end}")
        assert got["Body"].read() == body[start : end + 1]

    def list(self) -> None:
        prefix = self.numbers.choice(["", "a", "a/", "b"])
        page = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        listed = {entry["Key"]: entry["Size"] for entry in page.get("Contents", [])}
        assert listed == {key: len(body) for key, (body, _) in self.objects.items() if key.startswith(prefix)}


@pytest.mark.parametrize("seed", range(2))
def test_random_requests_do_what_a_dictionary_does(domicile, s3, bucket, seed):
    model = Model(s3, bucket, random.Random(seed))
    actions = [model.put] * 4 + [model.put_if_absent, model.upload, model.copy, model.copy, model.delete, model.delete_many]
    actions += [model.get] * 3 + [model.get_range, model.list]
    for _ in range(STEPS):
        model.numbers.choice(actions)()
    assert set(model.objects) == {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}
    domicile.idle(60)
    for key, (body, _) in model.objects.items():
        assert [domicile.read(copy) == body for copy in domicile.verified(bucket, key).values()] == [True, True]
    for blobs in domicile.leftovers(bucket).values():
        assert len([blob for blob in blobs if not blob.startswith(".domicile/")]) == len(model.objects)
