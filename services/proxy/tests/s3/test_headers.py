"""What is stored of a request's headers, and what comes back."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.model import Facts, Part, Policy, Tenant
from domicile_proxy.s3.headers import (
    MAX_USER_METADATA,
    check_head,
    checksum_headers,
    object_headers,
    object_policy,
    read_facts,
    read_tags,
    refuse_unserved,
    unmodified_headers,
    with_hoisted,
)
from domicile_proxy.s3.operation import resolve
from domicile_proxy.s3.ranges import Span

OWNER = Tenant(tenant_id="t", name="Tenant", canonical_id="c" * 64)
PUT = resolve("PUT", "b", "k", {}, {})


def refusal(call, *args) -> str:
    with pytest.raises(RequestError) as refused:
        call(*args)
    return refused.value.code


def test_facts_of_a_rich_request():
    headers = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache, private",
        "content-disposition": 'attachment; filename="\xe4"',
        "content-encoding": "aws-chunked,gzip",
        "content-language": "fi",
        "expires": "not even a date",
        "x-amz-website-redirect-location": "/elsewhere",
        "x-amz-meta-a": "1",
        "x-amz-meta-b": "\xc3\xa4 x",
        "x-amz-meta-": "",
        "x-amz-tagging": "a=1&b=",
        "x-amz-storage-class": "STANDARD_IA",
        "content-length": "5",
        "authorization": "secret",
    }
    facts = read_facts(headers)
    assert facts == Facts(
        headers={
            "cache-control": "no-cache, private",
            "content-disposition": 'attachment; filename="\xe4"',
            "content-encoding": "gzip",
            "content-language": "fi",
            "content-type": "text/html; charset=utf-8",
            "expires": "not even a date",
            "website-redirect-location": "/elsewhere",
        },
        metadata={"a": "1", "b": "\xc3\xa4 x", "": ""},
        tags={"a": "1", "b": ""},
        storage_class="STANDARD_IA",
    )


def test_facts_of_a_bare_request():
    assert read_facts({}) == Facts(headers={"content-type": "binary/octet-stream"})


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("aws-chunked", None),
        ("AWS-Chunked", None),
        ("gzip, aws-chunked", "gzip"),
        ("gzip", "gzip"),
        ("aws-chunked, gzip,br", "gzip, br"),
        ("a,,b", "a,,b"),
    ],
)
def test_aws_chunked_is_not_stored(sent: str, stored: str | None):
    assert read_facts({"content-encoding": sent}).headers.get("content-encoding") == stored


def test_user_metadata_has_at_most_2_kib():
    fits = {"x-amz-meta-ab": "x" * (MAX_USER_METADATA - 2)}
    assert read_facts(fits).metadata["ab"] == fits["x-amz-meta-ab"]
    assert refusal(read_facts, {"x-amz-meta-abc": "x" * (MAX_USER_METADATA - 2)}) == "MetadataTooLarge"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-storage-class": "GLACIER"}, "InvalidStorageClass"),
        ({"x-amz-storage-class": "standard"}, "InvalidStorageClass"),
        ({"cache-control": "x" * 8192}, "RequestHeaderSectionTooLarge"),
        ({"x-amz-website-redirect-location": "elsewhere"}, "InvalidRedirectLocation"),
    ],
)
def test_headers_that_cannot_be_stored(headers: dict[str, str], code: str):
    assert refusal(read_facts, headers) == code


def test_tags():
    tags = {"a b": "c+d", "ä": "=:/@._-", "0": ""}
    assert read_tags({"x-amz-tagging": urlencode(tags)}) == tags
    assert read_tags({}) == read_tags({"x-amz-tagging": ""}) == {}


@pytest.mark.parametrize(
    ("tagging", "code"),
    [
        ("a=1&a=2", "InvalidArgument"),
        ("a=%ff", "InvalidArgument"),
        ("a=%", "InvalidArgument"),
        ("=x", "InvalidTag"),
        ("a=<", "InvalidTag"),
        ("a=%00", "InvalidTag"),
        ("AWS:a=1", "InvalidTag"),
        (f"{'k' * 129}=1", "InvalidTag"),
        (f"k={'v' * 257}", "InvalidTag"),
        ("&".join(f"k{n}=v" for n in range(11)), "InvalidTag"),
    ],
)
def test_tags_that_s3_refuses(tagging: str, code: str):
    assert refusal(read_tags, {"x-amz-tagging": tagging}) == code


latin1 = st.text(st.characters(max_codepoint=255))


@given(
    st.dictionaries(
        st.sampled_from(["x-amz-tagging", "x-amz-meta-a", "content-encoding", "x-amz-storage-class", "expires"]) | latin1, latin1
    )
)
def test_any_headers_are_facts_or_refused(headers: dict[str, str]):
    try:
        facts = read_facts(headers)
    except RequestError as error:
        assert error.code.startswith("Invalid") or error.code in {
            "MetadataTooLarge",
            "RequestHeaderSectionTooLarge",
        }
    else:
        assert all(headers[f"x-amz-meta-{name}"] == value for name, value in facts.metadata.items())


def test_an_object_may_ask_for_its_own_number_of_replicas():
    assert object_policy(Facts()) is None
    assert object_policy(Facts(tags={"replica-count": "3"})) == Policy(replica_count=3)
    assert object_policy(Facts(storage_class="STANDARD_IA")) is None
    assert object_policy(Facts(storage_class="ONEZONE_IA")) == Policy(replica_count=1, write_quorum=1)
    assert object_policy(Facts(tags={"replica-count": "2"}, storage_class="ONEZONE_IA")) == Policy(
        replica_count=2, write_quorum=1
    )
    for count in ("0", "x", "", "100", "-1", "1.0"):
        assert refusal(object_policy, Facts(tags={"replica-count": count})) == "InvalidTag"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-server-side-encryption": "AES256"}, "NotImplemented"),
        ({"x-amz-server-side-encryption-customer-key": "x"}, "NotImplemented"),
        ({"x-amz-copy-source-server-side-encryption-customer-key": "x"}, "NotImplemented"),
        ({"x-amz-if-match-size": "5"}, "NotImplemented"),
        ({"x-amz-bucket-object-lock-enabled": "true"}, "NotImplemented"),
        ({"x-amz-object-ownership": "ObjectWriter"}, "InvalidArgument"),
        ({"x-amz-write-offset-bytes": "5"}, "NotImplemented"),
        ({"x-amz-object-lock-event-hold": "ON"}, "NotImplemented"),
        ({"x-amz-object-lock-event-hold-duration-days": "5"}, "NotImplemented"),
        ({"x-amz-object-annotation-directive": "COPY"}, "NotImplemented"),
        ({"x-amz-bucket-namespace": "account-regional"}, "NotImplemented"),
        ({"transfer-encoding": "gzip, chunked"}, "NotImplemented"),
    ],
)
def test_nothing_is_accepted_and_ignored(headers: dict[str, str], code: str):
    assert refusal(refuse_unserved, PUT, headers) == code


def test_lists_are_refused_where_they_would_be_ignored():
    get = resolve("GET", "b", "k", {}, {})
    for headers in ({"x-amz-acl": "public-read"}, {"x-amz-grant-read": "id=x"}):
        refuse_unserved(PUT, headers)
        assert refusal(refuse_unserved, get, headers) == "InvalidArgument"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-amz-acl": "private"},
        {"x-amz-acl": "bucket-owner-full-control"},
        {
            "x-amz-request-payer": "requester",
            "x-amz-date": "x",
            "x-amz-meta-acl": "public-read",
            "x-amz-storage-class": "STANDARD",
        },
    ],
)
def test_what_is_done_anyway_is_accepted(headers: dict[str, str]):
    refuse_unserved(PUT, headers)


@pytest.mark.parametrize(
    ("header", "served", "elsewhere"),
    [
        ("x-amz-object-lock-mode", ("PUT", "b", "k", {}), ("GET", "b", "k", {})),
        ("x-amz-object-lock-legal-hold", ("POST", "b", "k", {"uploads": ""}), ("PUT", "b", None, {})),
        ("x-amz-if-match-size", ("DELETE", "b", "k", {}), ("PUT", "b", "k", {})),
        ("x-amz-bucket-object-lock-enabled", ("PUT", "b", None, {}), ("PUT", "b", "k", {})),
    ],
)
def test_headers_that_are_served_in_some_operations_only(header: str, served, elsewhere):
    refuse_unserved(resolve(*served, {}), {header: "x"})
    assert refusal(refuse_unserved, resolve(*elsewhere, {}), {header: "x"}) == "NotImplemented"


def test_headers_in_a_presigned_query():
    params = {"X-Amz-Signature": "s", "X-Amz-Date": "d", "X-Amz-Acl": "public-read", "x-amz-meta-a": "ä", "prefix": "p"}
    merged = with_hoisted({"x-amz-acl": "private", "host": "h"}, params)
    assert merged == {"x-amz-acl": "private", "x-amz-meta-a": "\xc3\xa4", "host": "h"}


CHECKSUMS = {"crc32": "AAAAAA==", "sha256": "x"}


def test_an_object_comes_back_as_it_was_stored(version):
    facts = Facts(
        headers={"content-type": "text/plain", "cache-control": "no-store", "website-redirect-location": "/x"},
        metadata={"a": "\xc3\xa4"},
        tags={"k": "v"},
        storage_class="STANDARD_IA",
    )
    assert object_headers(version(1000, facts, checksums=CHECKSUMS), {}, {}, None) == {
        "content-type": "text/plain",
        "cache-control": "no-store",
        "x-amz-website-redirect-location": "/x",
        "x-amz-meta-a": "\xc3\xa4",
        "etag": '"d41d8cd98f00b204e9800998ecf8427e"',
        "last-modified": "Mon, 12 Oct 2009 17:50:30 GMT",
        "accept-ranges": "bytes",
        "content-length": "1000",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-tagging-count": "1",
    }


def test_checksums_are_answered_when_asked_for_and_never_of_a_part(version):
    asked = {"x-amz-checksum-mode": "ENABLED"}
    whole = object_headers(version(1000, checksums=CHECKSUMS), asked, {}, None)
    assert (whole["x-amz-checksum-crc32"], whole["x-amz-checksum-sha256"], whole["x-amz-checksum-type"]) == (
        "AAAAAA==",
        "x",
        "FULL_OBJECT",
    )
    part = object_headers(version(1000, checksums=CHECKSUMS), asked, {}, Span(5, 9))
    assert not [name for name in part if name.startswith("x-amz-checksum")]
    assert (part["content-length"], part["content-range"]) == ("5", "bytes 5-9/1000")
    assert checksum_headers({}, "FULL_OBJECT") == {}


def test_a_part_number_tells_how_many_parts_there_are(version):
    parts = (Part(number=1, size=4, etag="x"), Part(number=2, size=6, etag="y"))
    assert object_headers(version(10, parts=parts), {}, {"partNumber": "1"}, Span(0, 3))["x-amz-mp-parts-count"] == "2"
    assert "x-amz-mp-parts-count" not in object_headers(version(10, parts=parts), {}, {}, None)
    assert unmodified_headers(version(10, parts=parts))["etag"].endswith('-2"')


def test_overrides_replace_what_was_stored(version):
    params = {
        "response-content-type": "text/x",
        "response-cache-control": "c",
        "response-content-disposition": 'attachment; filename="ä"',
        "response-content-encoding": "e",
        "response-content-language": "l",
        "response-expires": "x",
    }
    answer = object_headers(version(), {}, params, None)
    assert {
        f"response-{name}": answer[name]
        for name in ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires")
    } == params


def test_an_override_that_is_none_is_refused(version):
    assert refusal(object_headers, version(), {}, {"response-etag": "x"}, None) == "InvalidArgument"


@given(st.text())
def test_an_override_never_breaks_the_answers_head(value: str):
    from datetime import UTC, datetime

    from domicile_common.model import Digest, Version

    version = Version(
        bucket_id="b",
        key="k",
        version_id="v",
        committed_at=datetime(2020, 1, 1, tzinfo=UTC),
        facts=Facts(),
        digest=Digest(size=0, md5="0"),
    )
    try:
        answer = object_headers(version, {}, {"response-content-type": value}, None)
    except RequestError as error:
        assert error.code == "InvalidArgument"
    else:
        raw = answer["content-type"].encode("latin-1")
        assert not set(raw) & {0, 10, 13}


def test_a_part_shows_its_own_checksums(version):
    asked = {"x-amz-checksum-mode": "ENABLED"}
    parts = (Part(number=1, size=4, etag="x", checksums={"crc32": "part"}), Part(number=2, size=0, etag="y"))
    part = object_headers(version(4, parts=parts, checksums=CHECKSUMS), asked, {"partNumber": "1"}, Span(0, 3))
    assert part["x-amz-checksum-crc32"] == "part"
    empty = object_headers(version(4, parts=parts, checksums=CHECKSUMS), asked, {"partNumber": "2"}, Span(4, 3))
    assert empty["content-length"] == "0"
    assert not {"x-amz-checksum-crc32", "content-range"} & empty.keys()
    alone = object_headers(version(4, checksums=CHECKSUMS), asked, {"partNumber": "1"}, Span(0, 3))
    assert alone["x-amz-checksum-crc32"] == "AAAAAA=="


def test_version_ids_are_shown_where_there_are_versions(version):
    assert "x-amz-version-id" not in object_headers(version(4), {}, {}, None)
    assert object_headers(version(4), {}, {}, None, versioned=True)["x-amz-version-id"] == "null"


def test_a_head_may_be_8_kib_long():
    check_head([(b"a", b"b" * 8000)], b"c" * 191)
    with pytest.raises(RequestError) as caught:
        check_head([(b"a", b"b" * 8000)], b"c" * 192)
    assert caught.value.code == "RequestHeaderSectionTooLarge"
