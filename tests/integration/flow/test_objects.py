"""Buckets and objects from a client's side, with a stock SDK."""

from __future__ import annotations

import hashlib

import pytest
from botocore.exceptions import ClientError

from domicile_common.testing.noise import noise

pytestmark = pytest.mark.servers

MIB = 1024 * 1024


def code(error) -> str:
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 9 * MIB + 7])
def test_bytes_come_back_as_they_went_in(s3, bucket, size):
    body = noise(size)
    stored = s3.put_object(Bucket=bucket, Key="a/key", Body=body)
    assert stored["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="a/key")
    assert got["Body"].read() == body
    assert got["ContentLength"] == size
    head = s3.head_object(Bucket=bucket, Key="a/key", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["ETag"]) == (size, stored["ETag"])
    assert head["ChecksumCRC32"] == stored["ChecksumCRC32"]


def test_what_is_stored_beside_the_bytes_comes_back(s3, bucket):
    given = {
        "ContentType": "text/plain; charset=utf-8",
        "CacheControl": "max-age=60, private",
        "ContentDisposition": 'attachment; filename="a.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "fi, de",
        "Metadata": {"color": "green", "with-dash": "a, b;  c"},
        "StorageClass": "STANDARD_IA",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="team=a%2Fb&n=1", **given)
    for got in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert {name: got[name] for name in given} == given
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]}
    assert tags == {"team": "a/b", "n": "1"}


def test_an_overwrite_replaces_bytes_and_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"first", Metadata={"a": "1"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"second one")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (b"second one", {})


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=100-299999", 100, 300_000), ("bytes=-10", -10, None), ("bytes=999990-2000000", 999_990, None)],
)
def test_a_range_is_a_slice(s3, bucket, wanted, start, end):
    body = noise(1_000_000)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    got = s3.get_object(Bucket=bucket, Key="k", Range=wanted)
    assert got["Body"].read() == body[start:end]
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    first = start % len(body)
    assert got["ContentRange"] == f"bytes {first}-{first + got['ContentLength'] - 1}/1000000"


def test_a_range_behind_the_end_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=5-")
    assert code(error) == "InvalidRange"


def test_conditions_are_obeyed(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)["Body"].read() == b"1"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    for refused in ({"IfNoneMatch": "*"}, {"IfMatch": '"0123"'}):
        with pytest.raises(ClientError) as error:
            s3.put_object(Bucket=bucket, Key="k", Body=b"2", **refused)
        assert code(error) == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"


def test_a_deleted_object_is_gone_and_can_be_deleted_again(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    for _ in range(2):
        assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    for ask in (s3.get_object, s3.head_object):
        with pytest.raises(ClientError) as error:
            ask(Bucket=bucket, Key="k")
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_many_objects_are_deleted_at_once(s3, bucket):
    keys = [f"dir/{number} & <more>" for number in range(25)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    wanted = [{"Key": key} for key in [*keys[1:], "never there"]]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert {entry["Key"] for entry in deleted["Deleted"]} == {entry["Key"] for entry in wanted}
    assert "Errors" not in deleted
    assert [entry["Key"] for entry in s3.list_objects(Bucket=bucket)["Contents"]] == keys[:1]
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": keys[0]}], "Quiet": True})
    assert "Contents" not in s3.list_objects(Bucket=bucket)


def test_a_copy_has_bytes_and_metadata_of_its_source(domicile, s3, bucket):
    body, other = noise(300_000), domicile.new_bucket()
    s3.put_object(Bucket=bucket, Key="a b/ü+%", Body=body, Metadata={"a": "1"}, ContentType="text/x", Tagging="t=1")
    source = {"Bucket": bucket, "Key": "a b/ü+%"}
    copied = s3.copy_object(Bucket=other, Key="copy", CopySource=source)["CopyObjectResult"]
    got = s3.get_object(Bucket=other, Key="copy")
    assert got["Body"].read() == body
    assert (got["Metadata"], got["ContentType"], got["ETag"]) == ({"a": "1"}, "text/x", copied["ETag"])
    assert s3.get_object_tagging(Bucket=other, Key="copy")["TagSet"] == [{"Key": "t", "Value": "1"}]
    replaced = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}}
    s3.copy_object(Bucket=bucket, Key="a b/ü+%", CopySource=source, **replaced)
    got = s3.get_object(Bucket=bucket, Key="a b/ü+%")
    assert (got["Body"].read(), got["Metadata"]) == (body, {"b": "2"})


def test_a_copy_of_what_is_not_there_is_refused(s3, bucket):
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "nothing"})
    assert code(error) == "NoSuchKey"
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": "no-such-bucket-here", "Key": "nothing"})
    assert code(error) == "NoSuchBucket"


def test_a_bucket_is_made_found_and_removed(domicile, s3):
    name = domicile.new_bucket(location="fi,de")
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "fi,de"
    s3.put_object(Bucket=name, Key="k", Body=b"1")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=name)
    assert code(error) == "BucketNotEmpty"
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    for ask in (s3.list_objects_v2, s3.delete_bucket):
        with pytest.raises(ClientError) as error:
            ask(Bucket=name)
        assert code(error) == "NoSuchBucket"
    s3.create_bucket(Bucket=name)
    assert "Contents" not in s3.list_objects_v2(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"2")
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"2"


def test_the_draft_s_own_form_makes_a_bucket(domicile, s3):
    assert domicile.raw().send("PUT", "/?bucket=analytics").status == 200
    s3.put_object(Bucket="analytics", Key="k", Body=b"1")
    assert s3.get_object(Bucket="analytics", Key="k")["Body"].read() == b"1"
