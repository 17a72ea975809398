"""Buckets, listings, settings and deletions: what is asked of metadata, and what S3 clients are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from domicile_common import checksums
from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.models import (
    BucketEntry,
    BucketPage,
    Condition,
    CreateBucket,
    Delete,
    DeleteBucket,
    Deleted,
    Empty,
    ListBuckets,
    ListObjects,
    ListVersions,
    Locate,
    Located,
    ObjectEntry,
    ObjectPage,
    VersionEntry,
    VersionPage,
)
from domicile_common.model import Digest, Facts, Version
from domicile_proxy.operations.buckets import decode_token, encode_token
from domicile_proxy.operations.table import OPERATIONS
from domicile_proxy.s3.operation import TABLE

WHEN = datetime(2009, 10, 12, 17, 50, 30, tzinfo=UTC)
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def texts(body: Any, path: str) -> list[str | None]:
    path = "/".join(step if step == "." else NS + step for step in path.split("/"))
    return [element.text for element in fromstring(body).iterfind(path)]


def entry(key: str) -> ObjectEntry:
    return ObjectEntry(key=key, size=1, etag="e" * 32, last_modified=WHEN, storage_class="STANDARD")


def test_every_served_operation_has_its_handler_and_no_other_has():
    assert {row.operation.name for row in TABLE if row.operation.served} == OPERATIONS.keys()


# --- buckets ---


async def test_list_buckets_pages(proxy):
    rows = (BucketEntry(name="a", created_at=WHEN, location=""), BucketEntry(name="b", created_at=WHEN, location=""))
    proxy.metadata.answers[ListBuckets] = BucketPage(buckets=rows, truncated=True)
    answer = await proxy.ask("GET", bucket=None, params={"max-buckets": "2", "prefix": "p"})
    assert texts(answer.body, "Buckets/Bucket/Name") == ["a", "b"]
    assert texts(answer.body, "Buckets/Bucket/BucketRegion") == ["us-east-1"] * 2
    (token,) = texts(answer.body, "ContinuationToken")
    assert texts((await proxy.ask("GET", bucket=None)).body, "Buckets/Bucket/BucketRegion") == []
    proxy.metadata.answers[ListBuckets] = BucketPage(buckets=())
    await proxy.ask("GET", bucket=None, params={"continuation-token": token})
    first, _, second = proxy.metadata.asked
    assert (first.tenant_id, first.prefix, first.after, first.limit, first.trace) == ("t", "p", "", 2, "trace")
    assert (second.after, second.limit) == ("b", 10_000)
    for params in ({"max-buckets": "0"}, {"max-buckets": "10001"}, {"continuation-token": "?"}, {"bucket-region": "eu-west-1"}):
        assert await proxy.refusal("GET", bucket=None, params=params) == "InvalidArgument"


@pytest.mark.parametrize("form", [{}, {"bucket": None, "params": {"bucket": "bucket"}}])
async def test_create_bucket(proxy, form):
    proxy.metadata.answers[CreateBucket] = proxy.bucket
    body = b"<CreateBucketConfiguration><LocationConstraint>fi,de</LocationConstraint></CreateBucketConfiguration>"
    answer = await proxy.ask("PUT", body=body, **form)
    assert (answer.status, answer.headers["location"]) == (200, "/bucket")
    (call,) = proxy.metadata.asked
    assert (call.tenant_id, call.name, call.location) == ("t", "bucket", "fi,de")


@pytest.mark.parametrize(
    ("location", "outcome"), [("", 200), ("FI,DE", 200), ("fi, de", 200), ("DE,FI", 409), ("FI", 409), ("US", 409)]
)
async def test_a_bucket_made_again_is_there_unless_it_is_wanted_elsewhere(proxy, location: str, outcome: int):
    proxy.metadata.answers[CreateBucket] = RequestError("BucketAlreadyOwnedByYou")
    body = f"<CreateBucketConfiguration><LocationConstraint>{location}</LocationConstraint></CreateBucketConfiguration>".encode()
    if outcome == 200:
        assert (await proxy.ask("PUT", body=body)).status == 200
    else:
        assert await proxy.refusal("PUT", body=body) == "BucketAlreadyOwnedByYou"


async def test_a_bucket_that_cannot_be_made(proxy):
    proxy.metadata.answers[CreateBucket] = RequestError("InvalidLocationConstraint")
    assert await proxy.refusal("PUT") == "InvalidLocationConstraint"
    assert await proxy.refusal("PUT", bucket=None, params={"bucket": "Not_A_Name"}) == "InvalidBucketName"
    assert await proxy.refusal("PUT", body=b"<x") == "MalformedXML"
    assert await proxy.refusal("PUT", body=b" ", headers={"content-length": str(5 * 1024 * 1024)}) == "MalformedXML"


async def test_head_and_delete_bucket(proxy):
    assert (await proxy.ask("HEAD")).headers["x-amz-bucket-region"] == "us-east-1"
    proxy.metadata.answers[DeleteBucket] = Empty()
    assert (await proxy.ask("DELETE")).status == 204
    assert proxy.forgotten == [("bucket",)]
    proxy.metadata.answers[DeleteBucket] = RequestError("BucketNotEmpty")
    assert await proxy.refusal("DELETE") == "BucketNotEmpty"


# --- listings ---


async def test_list_objects_v2_pages(proxy):
    proxy.metadata.answers[ListObjects] = ObjectPage(objects=(entry("p/ä"),), prefixes=("p/b/",), truncated=True, last="p/ä")
    params = {"list-type": "2", "prefix": "p/", "delimiter": "/", "max-keys": "5000", "start-after": "p/a", "fetch-owner": "true"}
    answer = await proxy.ask("GET", params=params)
    assert texts(answer.body, "Contents/Key") == ["p/ä"]
    assert texts(answer.body, "CommonPrefixes/Prefix") == ["p/b/"]
    assert texts(answer.body, "Contents/Owner/ID") == ["c" * 64]
    assert texts(answer.body, "MaxKeys") == ["1000"]
    assert texts(answer.body, "KeyCount") == ["2"]
    (token,) = texts(answer.body, "NextContinuationToken")
    proxy.metadata.answers[ListObjects] = ObjectPage(objects=(entry("q"),), prefixes=(), truncated=False, last="q")
    answer = await proxy.ask("GET", params={"list-type": "2", "start-after": "x", "continuation-token": token})
    assert texts(answer.body, "IsTruncated") == ["false"]
    assert texts(answer.body, "ContinuationToken") == [token]
    assert texts(answer.body, "Contents/Owner/ID") == []
    first, second = proxy.metadata.asked
    assert (first.prefix, first.delimiter, first.after, first.limit) == ("p/", "/", "p/a", 1000)
    assert (second.after, second.limit) == ("p/ä", 1000)


async def test_list_objects_pages(proxy):
    proxy.metadata.answers[ListObjects] = ObjectPage(objects=(entry("a b"),), prefixes=(), truncated=True, last="c d/")
    answer = await proxy.ask("GET", params={"marker": "a", "delimiter": "/", "encoding-type": "url", "max-keys": "1"})
    assert texts(answer.body, "Contents/Key") == ["a%20b"]
    assert texts(answer.body, "NextMarker") == ["c%20d/"]
    assert texts(answer.body, "Contents/Owner/ID") == ["c" * 64]
    (call,) = proxy.metadata.asked
    assert (call.after, call.limit) == ("a", 1)


@pytest.mark.parametrize("name", ["start-after", "continuation-token"])
async def test_parameters_of_the_other_listing_are_refused(proxy, name):
    assert await proxy.refusal("GET", params={name: "a"}) == "InvalidArgument"


async def test_list_object_versions(proxy):
    versions = (
        VersionEntry(entry("a"), "1" * 32, is_null=False, is_latest=True, is_delete_marker=True),
        VersionEntry(entry("a"), "2" * 32, is_null=True, is_latest=False),
    )
    proxy.metadata.answers[ListVersions] = VersionPage(versions, ("b/",), truncated=True, last=("a", "2" * 32))
    answer = await proxy.ask("GET", params={"versions": "", "key-marker": "0", "version-id-marker": "null"})
    assert texts(answer.body, "Version/VersionId") == ["null"]
    assert texts(answer.body, "DeleteMarker/VersionId") == ["1" * 32]
    assert texts(answer.body, "DeleteMarker/IsLatest") == ["true"]
    assert texts(answer.body, "NextVersionIdMarker") == ["2" * 32]
    assert (proxy.metadata.asked[0].after_key, proxy.metadata.asked[0].after_version) == ("0", "null")
    assert await proxy.refusal("GET", params={"versions": "", "version-id-marker": "null"}) == "InvalidArgument"


@pytest.mark.parametrize("params", [{}, {"list-type": "2"}, {"versions": ""}])
async def test_no_keys_at_all_is_a_page_too(proxy, params: dict[str, str]):
    answer = await proxy.ask("GET", params=params | {"max-keys": "0"})
    assert texts(answer.body, "IsTruncated") == ["false"]
    assert texts(answer.body, "MaxKeys") == ["0"]
    assert proxy.metadata.asked == []


@pytest.mark.parametrize(
    "params",
    [
        {"max-keys": "-1"},
        {"max-keys": "x"},
        {"encoding-type": "base64"},
        {"list-type": "3"},
        {"list-type": "2", "continuation-token": "not one"},
        {"list-type": "2", "continuation-token": "YWJj\n"},
        {"uploads": "", "max-uploads": "-1"},
    ],
)
async def test_parameters_of_listings_that_are_refused(proxy, params: dict[str, str]):
    assert await proxy.refusal("GET", params=params) == "InvalidArgument"


def test_tokens():
    for after in ("", "a", "ä/\0"):
        assert decode_token(encode_token(after)) == after


# --- settings ---


@pytest.mark.parametrize(
    ("marker", "code"),
    [
        ("cors", "NoSuchCORSConfiguration"),
        ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("policy", "NoSuchBucketPolicy"),
        ("ownershipControls", "OwnershipControlsNotFoundError"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ],
)
async def test_settings_that_no_bucket_has(proxy, marker: str, code: str):
    assert await proxy.refusal("GET", params={marker: ""}) == code


async def test_no_object_has_a_torrent(proxy):
    assert await proxy.refusal("GET", "key", {"torrent": ""}) == "NoSuchKey"


@pytest.mark.parametrize(
    ("marker", "root", "content"),
    [
        ("location", "LocationConstraint", "FI,DE"),
        ("versioning", "VersioningConfiguration", ""),
        ("accelerate", "AccelerateConfiguration", ""),
        ("logging", "BucketLoggingStatus", ""),
        ("notification", "NotificationConfiguration", ""),
        ("requestPayment", "RequestPaymentConfiguration", "BucketOwner"),
        ("policyStatus", "PolicyStatus", "false"),
    ],
)
async def test_settings_that_every_bucket_has(proxy, marker: str, root: str, content: str):
    answer = await proxy.ask("GET", params={marker: ""})
    document = fromstring(answer.body)
    assert document.tag == NS + root
    assert "".join(document.itertext()) == content


async def test_the_acl_says_that_the_owner_may_do_everything(proxy):
    proxy.metadata.answers[Locate] = located(Facts())
    for key in (None, "key"):
        answer = await proxy.ask("GET", key, params={"acl": ""})
        assert texts(answer.body, "AccessControlList/Grant/Permission") == ["FULL_CONTROL"]
        assert texts(answer.body, "Owner/ID") == texts(answer.body, "AccessControlList/Grant/Grantee/ID") == ["c" * 64]
    proxy.metadata.answers[Locate] = RequestError("NoSuchKey")
    assert await proxy.refusal("GET", "key", params={"acl": ""}) == "NoSuchKey"


async def test_tags_of_an_object(proxy):
    proxy.metadata.answers[Locate] = located(Facts(tags={"a": "1", "b": ""}))
    answer = await proxy.ask("GET", "key", params={"tagging": "", "versionId": "null"})
    assert texts(answer.body, "TagSet/Tag/Key") == ["a", "b"]
    assert proxy.metadata.asked[0].version_id == "null"


def located(facts: Facts) -> Located:
    version = Version(
        bucket_id="b", key="key", version_id="v", committed_at=WHEN, facts=facts, digest=Digest(size=0, md5="0" * 32)
    )
    return Located(version=version, replicas=())


# --- many deletions ---


def deletion(*keys: str, more: str = "") -> dict[str, Any]:
    body = f"<Delete>{more}{''.join(f'<Object><Key>{key}</Key></Object>' for key in keys)}</Delete>".encode()
    return {"params": {"delete": ""}, "body": body, "headers": {"content-md5": checksum("md5", body)}}


def checksum(name: str, body: bytes) -> str:
    hasher = checksums.BodyHasher((name,))
    hasher.update(body)
    return checksums.encode(hasher.digest(name))


async def test_each_key_has_its_own_result(proxy):
    def delete(call: Delete) -> Any:
        return RequestError("AccessDenied", "locked") if call.key == "b" else Deleted()

    proxy.metadata.answers[Delete] = delete
    answer = await proxy.ask("POST", **deletion("a", "b", "x" * 1025, more="<Quiet>false</Quiet>"))
    assert texts(answer.body, "Deleted/Key") == ["a"]
    assert texts(answer.body, "Error/Key") == ["b", "x" * 1025]
    assert texts(answer.body, "Error/Code") == ["AccessDenied", "KeyTooLongError"]
    assert texts(answer.body, "Error/Message")[0] == "locked"
    quiet = await proxy.ask("POST", **deletion("a", "b", more="<Quiet>true</Quiet>"))
    assert texts(quiet.body, "Deleted/Key") == []
    assert texts(quiet.body, "Error/Key") == ["b"]


async def test_versions_and_markers_are_told(proxy):
    proxy.metadata.answers[Delete] = Deleted(version_id="m" * 32, delete_marker=True)
    more = "<Object><Key>v</Key><VersionId>null</VersionId></Object><Object><Key>c</Key><ETag>x</ETag></Object>"
    answer = await proxy.ask("POST", **deletion("a", more=more))
    assert texts(answer.body, "Deleted/Key") == ["v", "c", "a"]
    assert texts(answer.body, "Deleted/VersionId") == ["null"]
    assert texts(answer.body, "Deleted/DeleteMarkerVersionId") == ["m" * 32] * 3
    asked = [(call.key, call.version_id, call.condition) for call in proxy.metadata.asked]
    assert asked == [("v", "null", Condition()), ("c", None, Condition(if_match="x")), ("a", None, Condition())]


@pytest.mark.parametrize("error", [Unavailable("away"), RequestError("NoSuchBucket")])
async def test_what_concerns_all_keys_fails_the_whole_request(proxy, error: Exception):
    proxy.metadata.answers[Delete] = error
    with pytest.raises(type(error)):
        await proxy.ask("POST", **deletion("a", "b"))


async def test_a_deletion_needs_a_checksum_that_is_right(proxy):
    proxy.metadata.answers[Delete] = Deleted()
    asked = deletion("a")
    body = asked["body"]
    assert await proxy.refusal("POST", **asked | {"headers": {}}) == "InvalidRequest"
    assert await proxy.refusal("POST", **asked | {"headers": {"content-md5": checksum("md5", b"other")}}) == "BadDigest"
    assert (
        await proxy.refusal("POST", **asked | {"headers": {"x-amz-checksum-crc32": checksum("crc32", b"other")}}) == "BadDigest"
    )
    assert proxy.metadata.asked == []
    right = asked | {"headers": {"x-amz-checksum-crc32": checksum("crc32", body)}}
    assert texts((await proxy.ask("POST", **right)).body, "Deleted/Key") == ["a"]


@pytest.mark.parametrize(
    ("asked", "code"), [("", "InvalidRequest"), (" , ", "InvalidRequest"), ("ETag,Color", "InvalidArgument")]
)
async def test_attributes_that_are_none(proxy, asked, code):
    assert await proxy.refusal("GET", "k", {"attributes": ""}, {"x-amz-object-attributes": asked}) == code
