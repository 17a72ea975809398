"""Whatever somebody sends gets an answer soon, and never one that says that the fault is ours."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domicile_common.testing.forms import form
from domicile_common.testing.raw_s3 import SIGNED_CHUNKS, SIGNED_TRAILER, UNSIGNED, UNSIGNED_TRAILER, Answer, Prepared, RawS3
from domicile_proxy.s3.operation import TABLE

pytestmark = pytest.mark.servers

fuzzed = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])

LATIN = st.characters(codec="latin-1", exclude_characters="\r\n\0")
VALUES = st.text(LATIN, max_size=40) | st.sampled_from(
    ["", "0", "-1", "1", "99999999999999999999", "a" * 300, "%", "%zz", "null", "*", "é"]
)
MARKERS = sorted({marker for row in TABLE for marker in row.markers})
PARAMS = st.sampled_from(
    [*MARKERS, "versionId", "prefix", "delimiter", "marker", "max-keys", "encoding-type", "start-after", "continuation-token", "key-marker",
     "version-id-marker", "upload-id-marker", "max-uploads", "part-number-marker", "max-parts", "fetch-owner", "response-content-type",
     "response-expires", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
     "x-amz-acl", "x-amz-meta-a", "x-id", "AWSAccessKeyId", "Signature"]
)  # fmt: skip
HEADERS = st.sampled_from(
    ["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "expect", "content-md5", "content-type",
     "content-encoding", "cache-control", "expires", "origin", "access-control-request-method", "access-control-request-headers",
     "x-amz-acl", "x-amz-grant-read", "x-amz-grant-full-control", "x-amz-tagging", "x-amz-tagging-directive", "x-amz-metadata-directive",
     "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-copy-source-if-match", "x-amz-storage-class", "x-amz-meta-a", "x-amz-checksum-crc32",
     "x-amz-checksum-sha256", "x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-sdk-checksum-algorithm", "x-amz-trailer",
     "x-amz-decoded-content-length", "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
     "x-amz-bypass-governance-retention", "x-amz-expected-bucket-owner", "x-amz-object-attributes", "x-amz-max-parts", "x-amz-mp-object-size",
     "x-amz-if-match-size", "x-amz-if-match-last-modified-time", "x-amz-website-redirect-location", "x-amz-object-ownership",
     "x-amz-bucket-object-lock-enabled", "x-amz-server-side-encryption", "x-amz-security-token", "traceparent"]
)  # fmt: skip
BODIES = st.binary(max_size=200) | st.sampled_from(
    [b"<Delete/>", b"<Tagging><TagSet/></Tagging>", b"{}", b"[]", b'{"\\ud800": 1}', b"<a>" * 100, b"<!DOCTYPE a>"]
)
SENDERS = ("header", "query", "nobody")


def acceptable(answer: Answer) -> None:
    """Refused as it may be, it is the sender's fault, or by name not there."""
    named = answer.code == "NotImplemented" or not answer.body  # HEAD
    assert answer.status < 500 or (answer.status == 501 and named), (answer.status, answer.body)
    assert answer.status != 400 or answer.code or not answer.body, answer.body


@pytest.fixture(scope="module")
def places(domicile) -> list[str]:
    """Paths of what there is, so that nonsense gets as far as it can."""
    bucket = domicile.new_bucket()
    domicile.client().put_object(Bucket=bucket, Key="k", Body=b"bytes")
    return [
        "/",
        f"/{bucket}",
        f"/{bucket}/k",
        f"/{bucket}/nothing",
        f"/{bucket}//",
        "/nonsense-nowhere",
        "/Not_A_Name/k",
        "//",
        f"/{bucket}/%2e%2e/%00",
    ]


@pytest.fixture
def raw(domicile) -> RawS3:
    return domicile.raw()


def encoded(text: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else f"%{byte:02X}" for char in text for byte in char.encode())


def sender(raw: RawS3, how: str) -> Callable[..., Answer]:
    return {"header": raw.send, "query": raw.presigned, "nobody": raw.unsigned}[how]


@fuzzed
@given(data=st.data())
def test_any_request(raw, places, data):
    method = data.draw(st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]))
    query = "&".join(f"{name}={encoded(value)}" for name, value in data.draw(st.dictionaries(PARAMS, VALUES, max_size=4)).items())
    path = data.draw(st.sampled_from(places))
    headers = {name: value.strip() for name, value in data.draw(st.dictionaries(HEADERS, VALUES, max_size=4)).items()}
    send = sender(raw, data.draw(st.sampled_from(SENDERS)))
    acceptable(send(method, f"{path}?{query}", data.draw(BODIES), headers))


@fuzzed
@given(data=st.data())
def test_any_operation_with_any_body(raw, places, data):
    row = data.draw(st.sampled_from(TABLE))
    path = places[{"service": 0, "bucket": 1, "object": 2}[row.operation.level]]
    query = "&".join(f"{marker}={encoded(data.draw(VALUES))}" for marker in sorted(row.markers))
    headers = {"x-amz-copy-source": encoded(data.draw(VALUES))} if row.copies else {}
    if row.operation.name in {"DeleteBucket", "CreateBucket", "PutBucketPolicy"}:
        path = f"{places[1]}-made"  # the place of the others is to stay as it is
    send = sender(raw, data.draw(st.sampled_from(SENDERS)))
    acceptable(send(row.method, f"{path}?{query}", data.draw(BODIES), headers))


FRAMES = st.from_regex(rb"([0-9a-f]{1,3}(;chunk-signature=[0-9a-f]{64})?\r\n.{0,20}\r\n){0,3}", fullmatch=True)
TRAILERS = st.sampled_from(["", "x-amz-checksum-crc32", "x-amz-meta-a", "x-amz-checksum-crc32,x-amz-checksum-sha1"])


@fuzzed
@given(data=st.data())
def test_any_framing_of_a_body(raw, places, data):
    headers = {"x-amz-decoded-content-length": str(data.draw(st.integers(0, 60))), "x-amz-trailer": data.draw(TRAILERS)}
    payload = data.draw(st.sampled_from([UNSIGNED, SIGNED_CHUNKS, SIGNED_TRAILER, UNSIGNED_TRAILER]))
    acceptable(raw.send("PUT", f"{places[1]}/framed", data.draw(st.binary(max_size=100) | FRAMES), headers, payload=payload))


PARTS = st.sampled_from(
    [
        b"Signature=",
        b"Credential=",
        b"SignedHeaders=",
        b"AWS4-HMAC-SHA256 ",
        b"/s3/aws4_request",
        b"host;x-amz-date",
        b",",
        b";",
        b"/",
        b"20260101",
        b" ",
    ]
)


@fuzzed
@given(st.lists(PARTS | st.text(LATIN, max_size=10).map(lambda text: text.encode("latin-1")), max_size=12).map(b"".join))
def test_any_authorization(raw, places, value):
    request = raw.prepare("GET", places[2])
    answer = raw.exchange(Prepared("GET", places[2], {**request.headers, "authorization": value.decode("latin-1").strip()}, b""))
    acceptable(answer)
    assert answer.status >= 400


FIELDS = st.dictionaries(
    st.sampled_from(["key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "signature", "AWSAccessKeyId", "acl",
                     "tagging", "success_action_status", "success_action_redirect", "x-amz-meta-a", "content-type", "content-md5"]),
    st.text(max_size=20), max_size=8,
)  # fmt: skip


@fuzzed
@given(FIELDS, st.binary(max_size=100), st.integers(0, 3))
def test_any_form(raw, places, fields, content, damage):
    body, headers = form(fields, content)
    chance = random.Random(body)
    for _ in range(damage):
        place = chance.randrange(len(body))
        body = body[:place] + chance.randbytes(1) + body[place + chance.randrange(3) :]
    acceptable(raw.unsigned("POST", places[1], body, headers))


@fuzzed
@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"GET / HTTP/1.1\r\n", b"\r\n", b"host: a\r\n", b"content-length: 3\r\n", b"transfer-encoding: chunked\r\n", b"expect: 100-continue\r\n"]), max_size=6).map(b"".join))  # fmt: skip
def test_any_bytes(raw, garbage):
    """No HTTP at all, mostly."""
    host, port = raw.address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := connection.recv(65_536):
                answer += piece
        except ConnectionError:
            pass
    assert not answer.startswith(b"HTTP/1.1 5") or b"NotImplemented" in answer


def test_too_much_of_it(raw, bucket):
    """Headers and query may have 8 KiB together, metadata 2 KiB."""
    target = f"/{bucket}/much"
    assert raw.send("PUT", target, b"1", {"x-amz-meta-a": "b" * 2047}).status == 200
    assert raw.send("PUT", target, b"1", {"x-amz-meta-a": "b" * 2048}).code == "MetadataTooLarge"
    assert raw.send("GET", f"{target}?{'a' * 7000}").status == 200
    for request in (("GET", f"{target}?{'a' * 8192}", b"", {}), ("GET", target, b"", {"x-other": "a" * 8192})):
        assert raw.send(*request).code == "RequestHeaderSectionTooLarge"
        assert raw.unsigned(*request).code == "RequestHeaderSectionTooLarge"
    assert raw.send("GET", f"/{bucket}/{'a' * 20_000}").code == "KeyTooLongError"


def test_all_of_it_was_no_error_of_ours(domicile):
    errors = [line for line in domicile.logs()["proxy"].splitlines() if json.loads(line)["level"] in {"error", "critical"}]
    assert errors == []
