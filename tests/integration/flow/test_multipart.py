"""Multipart uploads, as stock clients do them for anything over 8 MB."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from botocore.exceptions import ClientError

from domicile_common.backends.quirks import QUIRKS

pytestmark = pytest.mark.servers

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def body() -> bytes:
    return random.Random(1).randbytes(20 * MIB + 11)


def etag_of(parts: list[bytes]) -> str:
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'


def test_a_large_file_with_default_settings(domicile, s3, bucket, body, tmp_path):
    (tmp_path / "large").write_bytes(body)
    s3.upload_file(str(tmp_path / "large"), bucket, "large")
    parts = [body[start : start + 8 * MIB] for start in range(0, len(body), 8 * MIB)]
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"] == etag_of(parts)
    s3.download_file(bucket, "large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == body
    across = s3.get_object(Bucket=bucket, Key="large", Range=f"bytes={8 * MIB - 10}-{8 * MIB + 9}")
    assert across["Body"].read() == body[8 * MIB - 10 : 8 * MIB + 10]
    second = s3.get_object(Bucket=bucket, Key="large", PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (parts[1], 3)
    copies = domicile.verified(bucket, "large")
    assert sorted(copies) == ["de", "fi"]
    for copy in copies.values():
        assert domicile.read(copy) == body
    # The copies are cut like the original, so that they prove by their own ETag what they are, where ETags prove anything.
    heads = [domicile.at(name).head_object(Bucket=it["namespace"], Key=it["blob_key"]) for name, it in copies.items()]
    if QUIRKS[domicile.backends["fi"].quirks].etag_is_md5:
        assert [head["ETag"] for head in heads] == [etag_of(parts)] * 2


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_parts_with_checksums(s3, bucket, body, algorithm):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm)["UploadId"]
    place = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    pieces = {1: body[: 5 * MIB], 3: body[5 * MIB : 5 * MIB + 5]}
    field = f"Checksum{algorithm}"
    parts = []
    for number, piece in pieces.items():
        stored = s3.upload_part(**place, PartNumber=number, Body=piece, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": stored["ETag"], field: stored[field]})
    listed = s3.list_parts(**place)
    assert [(part["PartNumber"], part["Size"], part[field]) for part in listed["Parts"]] == [
        (part["PartNumber"], len(pieces[part["PartNumber"]]), part[field]) for part in parts
    ]
    done = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[field] == done[field]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(pieces.values())


def test_parts_in_any_order_and_replaced(s3, bucket, body):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", Metadata={"a": "1"}, ContentType="text/x")["UploadId"]
    place = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    s3.upload_part(**place, PartNumber=2, Body=b"the end")
    s3.upload_part(**place, PartNumber=1, Body=b"too short, and replaced")
    s3.upload_part(**place, PartNumber=1, Body=body[: 6 * MIB])
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="k")
    parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in s3.list_parts(**place)["Parts"]]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body[: 6 * MIB] + b"the end"
    assert (got["Metadata"], got["ContentType"]) == ({"a": "1"}, "text/x")
    # The answer may have been lost: asking once more gets it again.
    again = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert again["ETag"] == got["ETag"]


def test_an_upload_outlives_a_condition_that_fails(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"here before")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    place = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [{"PartNumber": 1, "ETag": s3.upload_part(**place, PartNumber=1, Body=b"new")["ETag"]}]
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
    assert error.value.response["Error"]["Code"] == "PreconditionFailed"
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"


def test_uploads_are_listed_and_aborted_without_a_trace(domicile, s3, bucket, body):
    keys = ["a/1", "a/2", "b"]
    uploads = {key: s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in keys}
    for key, upload in uploads.items():
        s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=body[: 5 * MIB])
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert {entry["Key"]: entry["UploadId"] for entry in listed} == uploads
    page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert ([entry["Key"] for entry in page["Uploads"]], page["CommonPrefixes"]) == (["b"], [{"Prefix": "a/"}])
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    for key, upload in uploads.items():
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        with pytest.raises(ClientError) as error:
            s3.list_parts(Bucket=bucket, Key=key, UploadId=upload)
        assert error.value.response["Error"]["Code"] == "NoSuchUpload"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    domicile.idle()
    assert domicile.leftovers(bucket) == {}


def test_two_uploads_of_one_key(s3, bucket):
    """They know nothing of each other; the one that is completed last wins."""
    place = {"Bucket": bucket, "Key": "k"}
    uploads = [s3.create_multipart_upload(**place)["UploadId"] for _ in range(2)]
    for number, upload in enumerate(uploads):
        s3.upload_part(**place, UploadId=upload, PartNumber=1, Body=f"upload {number}".encode())
    for number in (1, 0):
        parts = s3.list_parts(**place, UploadId=uploads[number])["Parts"]
        chosen = [{"PartNumber": 1, "ETag": parts[0]["ETag"]}]
        s3.complete_multipart_upload(**place, UploadId=uploads[number], MultipartUpload={"Parts": chosen})
        assert s3.get_object(**place)["Body"].read() == f"upload {number}".encode()


@pytest.mark.parametrize("ownership", ["ObjectWriter", "BucketOwnerEnforced"])
def test_an_upload_tells_who_began_it_and_who_will_own_the_object(domicile, s3, bucket, ownership):
    """Where lists are off, the bucket's owner will own what anybody uploads. Whoever began an upload may look at it and end it."""
    anybody = {"Effect": "Allow", "Principal": "*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    grant = {**anybody, "Action": ["s3:PutObject", "s3:ListBucketMultipartUploads"]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [grant]}))
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})
    other = domicile.client("two")
    owner, stranger = (client.list_buckets()["Owner"] for client in (s3, other))
    will_own = stranger if ownership == "ObjectWriter" else owner
    mine = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    theirs = other.create_multipart_upload(Bucket=bucket, Key="b")["UploadId"]
    for client in (s3, other):
        listed = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
        assert [(each["UploadId"], each["Initiator"], each["Owner"]) for each in listed] == [
            (mine, owner, owner),
            (theirs, stranger, will_own),
        ]
    parts = other.list_parts(Bucket=bucket, Key="b", UploadId=theirs)
    assert (parts["Initiator"], parts["Owner"]) == (stranger, will_own)
    with pytest.raises(ClientError, match="AccessDenied"):
        other.list_parts(Bucket=bucket, Key="a", UploadId=mine)
    other.abort_multipart_upload(Bucket=bucket, Key="b", UploadId=theirs)
