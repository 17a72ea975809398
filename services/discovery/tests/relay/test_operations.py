from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.sigv4.sign import Signer
from domicile_discovery.relay.addresses import parse_target
from domicile_discovery.relay.operations import begins_well, check_headers, check_signature, identify

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SIGNER = Signer("AKEXAMPLE", "a-made-up-secret-key", "eu-1")


def target(path):
    return parse_target(f"https://s3.example.com{path}")


@pytest.mark.parametrize(
    "method,path",
    [
        ("GET", "/"),
        ("GET", "/?x-id=ListBuckets"),
        ("GET", "/?list-type=2&prefix=a%2F&delimiter=%2F&max-keys=1000&continuation-token=x&encoding-type=url&fetch-owner=true&start-after=k"),
        ("GET", "/bucket?list-type=2"),
        ("GET", "/bucket/?prefix=a&marker=b"),
        ("GET", "/bucket"),
        ("GET", "/bucket?versions&key-marker=a&version-id-marker=b"),
        ("GET", "/bucket?uploads="),
        ("HEAD", "/bucket"),
        ("HEAD", "/bucket/a/key"),
        ("HEAD", "/bucket/key?versionId=x&partNumber=1"),
        *[
            ("GET", f"/bucket?{name}")
            for name in (
                "location", "versioning", "object-lock", "encryption", "policy", "policyStatus", "publicAccessBlock", "ownershipControls",
                "lifecycle", "cors", "replication", "logging", "acl", "tagging",
            )
        ],
        *[("GET", f"/bucket/a/key?{name}&versionId=1") for name in ("tagging", "attributes", "acl", "retention", "legal-hold")],
    ],
)  # fmt: skip
def test_listings_and_metadata_are_relayed(method, path):
    assert identify(method, target(path)).name


@pytest.mark.parametrize(
    "method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "get", "", "GET /x HTTP/1.1\r\nA: b"]
)
@pytest.mark.parametrize("path", ["/", "/bucket", "/bucket/key", "/bucket?location"])
def test_nothing_that_changes_anything_is_relayed(method, path):
    with pytest.raises(RequestError):
        identify(method, target(path))


@pytest.mark.parametrize(
    "path",
    [
        "/bucket/key",
        "/bucket/key?versionId=1",
        "/bucket/key?partNumber=1",
        "/bucket/a//b",
        "/bucket/key?list-type=2",
        "/bucket/key?response-content-type=text/html",
        "/bucket?response-content-disposition=x",
        "/bucket/key?torrent",
        "/bucket/key?select",
        "/bucket?delete",
        "/bucket/key?uploadId=1",
        "/bucket/key?location",
        "/?retention",
        "/?attributes",
        "/bucket?location&policy",
        "/bucket?prefix=a&prefix=b",
        "/bucket?location&location",
        "/bucket?Location",
        "/bucket?unknown=1",
        "/bucket?X-Amz-Unknown=1",
        "/latest/meta-data/iam/security-credentials/",
        "/computeMetadata/v1/?recursive=true",
    ],
)
def test_an_objects_bytes_and_whatever_is_not_known_are_not_relayed(path):
    with pytest.raises(RequestError) as refused:
        identify("GET", target(path))
    assert refused.value.code == "RelayRefused"


@pytest.mark.parametrize("path", ["/", "/bucket?acl", "/bucket/key?tagging"])
def test_head_is_of_buckets_and_objects_only(path):
    with pytest.raises(RequestError):
        identify("HEAD", target(path))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1"},
        {"Host": "x"},
        {"cookie": "a"},
        {"range": "bytes=0-9"},
        {"x-amz-meta-a": "b"},
        {"transfer-encoding": "chunked"},
        {"content-length": "5"},
        {"x-forwarded-for": "1"},
        {"metadata-flavor": "Google"},
        {"x-aws-ec2-metadata-token": "x"},
        {"authorization": "a\r\nX: y"},
        {"authorization": "a\nX: y"},
        {"authorization\r\nX": "y"},
        {"authorization": "\u00e9"},
        {"authorization": "x" * 5000},
        {"authorization": "a", "Authorization": "b"},
        {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
        {"x-amz-content-sha256": "0" * 64},
        {"": ""},
    ],
)
def test_headers_that_a_listing_does_not_need_are_refused(headers):
    with pytest.raises(RequestError):
        check_headers(headers)


# --- signatures ---


def by_header(now=NOW):
    return SIGNER.sign("GET", "/b", "", {"host": "s3.example.com"}, payload="UNSIGNED-PAYLOAD", now=now)


def by_query(expires=900, now=NOW):
    return target("/b?" + SIGNER.presign("GET", "/b", "", {"host": "s3.example.com"}, expires=expires, now=now))


def check(where, headers, now=NOW):
    check_signature(where, check_headers(headers), now)


def test_both_forms_of_a_signature_are_relayed():
    check(target("/b"), by_header())
    check(by_query(), {})
    check(target("/b"), {**by_header(), "x-amz-security-token": "t"})
    assert identify("GET", by_query()).name == "list"


@pytest.mark.parametrize("minutes", [-14, 14])
def test_clocks_may_differ_a_little(minutes):
    check(target("/b"), by_header(NOW + timedelta(minutes=minutes)))
    check(by_query(), {}, NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("minutes", [-16, 16, 60 * 24])
def test_what_has_ended_or_is_not_good_yet_is_refused(minutes):
    for where, headers in ((target("/b"), by_header()), (by_query(), {})):
        with pytest.raises(RequestError) as refused:
            check(where, headers, NOW + timedelta(minutes=minutes))
        assert refused.value.code == "RelayExpired"


def test_what_is_good_for_long_is_refused():
    with pytest.raises(RequestError, match="longer than 15 minutes"):
        check(by_query(901), {})
    with pytest.raises(RequestError):
        check(by_query(604_800), {})


@pytest.mark.parametrize(
    "path,headers",
    [
        ("/b", {}),
        ("/b", {"authorization": "Bearer x", "x-amz-date": "20260304T050607Z"}),
        ("/b", {"authorization": "AWS AK:x", "x-amz-date": "20260304T050607Z"}),
        ("/b", {"authorization": "AWS4-HMAC-SHA256 x"}),
        ("/b", {"authorization": "AWS4-HMAC-SHA256 x", "x-amz-date": "soon"}),
        ("/b?X-Amz-Signature=1", {}),
        ("/b?X-Amz-Signature=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260304T050607Z", {}),
        ("/b?X-Amz-Signature=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260304T050607Z&X-Amz-Expires=-1", {}),
        ("/b?X-Amz-Signature=1&X-Amz-Algorithm=AWS4-HMAC-SHA1&X-Amz-Date=20260304T050607Z&X-Amz-Expires=60", {}),
        ("/b?X-Amz-Signature=1", {"authorization": "AWS4-HMAC-SHA256 x"}),
    ],
)
def test_without_one_whole_signature_nothing_is_relayed(path, headers):
    with pytest.raises(RequestError):
        check(target(path), headers)


# --- answers ---

LIST = identify("GET", target("/bucket"))
POLICY = identify("GET", target("/bucket?policy"))
XML = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@pytest.mark.parametrize(
    "operation,status,start,verdict",
    [
        (LIST, 200, XML + b'<ListBucketResult xmlns="x">', True),
        (LIST, 200, b"\xef\xbb\xbf<ListBucketResult/>", True),
        (LIST, 200, b"<Error>", True),
        (LIST, 403, XML + b"<Error><Code>", True),
        (LIST, 403, b"<html>", False),
        (LIST, 200, b"<html><body>", False),
        (LIST, 200, b"<ListAllMyBucketsResult>", False),
        (LIST, 200, b'{"AccessKeyId": "x"}' + b" " * 600, False),
        (LIST, 200, b"ami-id\nhostname\n" * 40, False),
        (LIST, 200, b"", None),
        (LIST, 200, b"<ListBu", None),
        (LIST, 200, XML[:10], None),
        (LIST, 403, b"<ListBucketResult>", False),
        (POLICY, 200, b'{"Version": "2012', True),
        (POLICY, 404, b'{"x": 1}' + b" " * 600, False),
    ],
)
def test_an_answer_must_begin_as_its_operations_does(operation, status, start, verdict):
    assert begins_well(operation, status, start) is verdict


@given(st.binary(min_size=512, max_size=600))
def test_other_bytes_are_never_passed_on(start):
    assert begins_well(LIST, 200, start) in (False, True)
    if b"<ListBucketResult" not in start and b"<Error" not in start:
        assert begins_well(LIST, 200, start) is False
