from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common import checksums
from domicile_common.errors import RequestError
from domicile_common.model import Digest
from domicile_common.sigv4.canonical import EMPTY_SHA256
from domicile_common.sigv4.claim import Claim
from domicile_common.sigv4.keys import KeyRing
from domicile_common.sigv4.sign import Signer
from domicile_common.sigv4.verify import Verified, parse, verify
from domicile_proxy.s3.body import MAX_BODY, BodyPlan, BodyVerifier, plan_body

SECRET = "secret"
NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
)
BODY = b"hello, " * 3000
md5 = partial(hashlib.md5, usedforsecurity=False)


def encoded(digest: bytes) -> str:
    return b64encode(digest).decode()


def checksum(name: str, data: bytes) -> str:
    hasher = checksums.BodyHasher((name,))
    hasher.update(data)
    return encoded(hasher.digest(name))


def request(payload: str = "UNSIGNED-PAYLOAD", /, **headers: str) -> tuple[list[tuple[bytes, bytes]], Verified]:
    """The headers of a signed PUT (underscores become dashes), and what they prove."""
    given = {"host": "h", **{name.replace("_", "-"): value for name, value in headers.items()}}
    added = Signer("AK", SECRET, "fi").sign("PUT", "/b/k", "", given, payload=payload, now=NOW)
    wired = [(name.encode(), value.encode()) for name, value in {**given, **added}.items()]
    claim = parse("PUT", b"/b/k", b"", wired)
    assert claim is not None
    return wired, verify(claim, SECRET, NOW, KeyRing())


def plan(payload: str = "UNSIGNED-PAYLOAD", /, **headers: str) -> BodyPlan:
    wired, verified = request(payload, **headers)
    return plan_body(wired, verified.claim)


def read(wire: Iterable[bytes], payload: str = "UNSIGNED-PAYLOAD", /, **headers: str) -> tuple[bytes, Digest]:
    wired, verified = request(payload, **headers)
    verifier = BodyVerifier(plan_body(wired, verified.claim), verified)
    passed = b"".join(piece for data in wire for piece in verifier.feed(data))
    last, digest = verifier.finish()
    return passed + last, digest


def chunked(body: bytes, verified: Verified | None, trailers: Sequence[tuple[str, str]] | None) -> bytes:
    chain = verified.chunks() if verified else None
    wire = b""
    for chunk in (body, b"") if body else (b"",):
        mark = f";chunk-signature={chain.chunk(sha256(chunk).hexdigest())}" if chain else ""
        wire += f"{len(chunk):x}{mark}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
    lines = "".join(f"{name}:{value}\n" for name, value in trailers or ())
    wire += lines.replace("\n", "\r\n").encode()
    if chain and trailers is not None:
        wire += f"x-amz-trailer-signature:{chain.trailer(sha256(lines.encode()).hexdigest())}\r\n".encode()
    return wire + b"\r\n"


def code_of(act: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(RequestError) as caught:
        act(*args, **kwargs)
    return caught.value.code


# --- the plan ---


def test_the_plan_of_a_plain_body() -> None:
    digest = sha256(BODY).hexdigest()
    assert plan(digest, content_length="5", content_md5=encoded(md5(b"hello").digest())) == BodyPlan(
        length=5, framing="plain", algorithm="crc64nvme", sha256=digest, md5=md5(b"hello").digest()
    )
    assert plan(content_length="0") == BodyPlan(length=0, framing="plain", algorithm="crc64nvme")


def test_the_plan_of_a_checksum_in_a_header() -> None:
    given = plan(content_length="5", x_amz_checksum_crc32="AAAAAA==", x_amz_sdk_checksum_algorithm="CRC32")
    assert given == BodyPlan(length=5, framing="plain", algorithm="crc32", checksum=bytes(4))
    assert given.declared


@pytest.mark.parametrize("payload, framing", [(SIGNED_TRAILER, "signed-trailer"), (UNSIGNED_TRAILER, "unsigned-trailer")])
def test_the_plan_of_a_checksum_in_a_trailer(payload: str, framing: str) -> None:
    given = plan(payload, content_length="99", x_amz_decoded_content_length="5", x_amz_trailer="x-amz-checksum-SHA256")
    assert given == BodyPlan(length=5, framing=framing, algorithm="sha256", trailer=True)
    assert given.declared


def test_the_default_checksum_is_the_callers_choice() -> None:
    wired, verified = request(content_length="5")
    assert plan_body(wired, verified.claim, default="crc32c").algorithm == "crc32c"


def test_a_checksum_of_the_object_is_none_of_the_body() -> None:
    """CompleteMultipartUpload names the object's checksum beside a body of XML."""
    wired, verified = request(content_length="5", x_amz_checksum_crc32="AAAAAA==-2", x_amz_checksum_type="COMPOSITE")
    assert not plan_body(wired, verified.claim, checksum_of_body=False).declared
    assert code_of(plan_body, wired, verified.claim) == "InvalidRequest"


def test_headers_about_checksums_are_no_checksums() -> None:
    assert not plan(
        content_length="5", x_amz_checksum_algorithm="CRC32", x_amz_checksum_type="COMPOSITE", x_amz_checksum_mode="ENABLED"
    ).declared


@pytest.mark.parametrize(
    "payload, headers, code",
    [
        ("UNSIGNED-PAYLOAD", {}, "MissingContentLength"),
        ("UNSIGNED-PAYLOAD", {"content_length": "x"}, "MissingContentLength"),
        ("UNSIGNED-PAYLOAD", {"content_length": "-1"}, "MissingContentLength"),
        (UNSIGNED_TRAILER, {"content_length": "5"}, "MissingContentLength"),
        (SIGNED, {"x_amz_decoded_content_length": "٣"}, "MissingContentLength"),
        ("UNSIGNED-PAYLOAD", {"content_length": str(MAX_BODY + 1)}, "EntityTooLarge"),
        (SIGNED, {"content_length": "5", "x_amz_decoded_content_length": str(MAX_BODY + 1)}, "EntityTooLarge"),
        ("UNSIGNED-PAYLOAD", {"content_md5": "abc"}, "InvalidDigest"),
        ("UNSIGNED-PAYLOAD", {"content_md5": ""}, "InvalidDigest"),
        ("UNSIGNED-PAYLOAD", {"x_amz_checksum_crc32": "AAA"}, "InvalidRequest"),
        ("UNSIGNED-PAYLOAD", {"x_amz_checksum_crc32": ""}, "InvalidRequest"),
        ("UNSIGNED-PAYLOAD", {"x_amz_checksum_crc33": "AAAAAA=="}, "InvalidRequest"),
        ("UNSIGNED-PAYLOAD", {"x_amz_checksum_crc32": "AAAAAA==", "x_amz_checksum_crc32c": "AAAAAA=="}, "InvalidRequest"),
        ("UNSIGNED-PAYLOAD", {"x_amz_sdk_checksum_algorithm": "CRC32"}, "InvalidRequest"),
        ("UNSIGNED-PAYLOAD", {"x_amz_sdk_checksum_algorithm": "SHA1", "x_amz_checksum_crc32": "AAAAAA=="}, "InvalidRequest"),
        ("UNSIGNED-PAYLOAD", {"x_amz_trailer": "x-amz-checksum-crc32"}, "InvalidRequest"),
        (SIGNED, {"x_amz_trailer": "x-amz-checksum-crc32"}, "InvalidRequest"),
        (UNSIGNED_TRAILER, {"x_amz_trailer": "x-amz-meta-a"}, "InvalidRequest"),
        (UNSIGNED_TRAILER, {"x_amz_trailer": "crc32"}, "InvalidRequest"),
        (UNSIGNED_TRAILER, {"x_amz_trailer": "x-amz-checksum-crc32, x-amz-checksum-sha1"}, "InvalidRequest"),
        (UNSIGNED_TRAILER, {"x_amz_trailer": "x-amz-checksum-crc32", "x_amz_checksum_crc32": "AAAAAA=="}, "InvalidRequest"),
    ],
)
def test_what_cannot_be_planned(payload: str, headers: dict[str, str], code: str) -> None:
    lengths = {} if code == "MissingContentLength" else {"content_length": "5", "x_amz_decoded_content_length": "5"}
    wired, verified = request(payload)
    wired += [(name.replace("_", "-").encode(), value.encode()) for name, value in {**lengths, **headers}.items()]
    assert code_of(plan_body, wired, verified.claim) == code


def test_the_largest_body() -> None:
    assert plan(content_length=str(MAX_BODY)).length == MAX_BODY == 5 * 2**30
    wired, verified = request(content_length="11")
    assert code_of(plan_body, wired, verified.claim, limit=10) == "EntityTooLarge"


def anonymous(payload: str | None) -> tuple[list[tuple[bytes, bytes]], None]:
    headers = [(b"content-length", b"5"), (b"x-amz-decoded-content-length", b"5")]
    return headers + ([] if payload is None else [(b"x-amz-content-sha256", payload.encode())]), None


def presigned(payload: str | None, query: str = "") -> tuple[list[tuple[bytes, bytes]], Claim | None]:
    asked = Signer("AK", SECRET, "fi").presign("PUT", "/b/k", query, {"host": "h"}, expires=60, now=NOW)
    headers = [(b"host", b"h"), *anonymous(payload)[0]]
    return headers, parse("PUT", b"/b/k", asked.encode(), [(b"host", b"h")])


@pytest.mark.parametrize("origin", [anonymous, presigned])
def test_where_the_body_is_not_signed_the_header_may_still_declare_its_hash(origin: Callable[..., Any]) -> None:
    assert plan_body(*origin(None)).sha256 is None
    assert plan_body(*origin("UNSIGNED-PAYLOAD")).sha256 is None
    assert plan_body(*origin("AB" * 32)).sha256 == "ab" * 32
    assert plan_body(*origin(UNSIGNED_TRAILER)).framing == "unsigned-trailer"
    assert code_of(plan_body, *origin(SIGNED)) == "InvalidRequest"
    assert code_of(plan_body, *origin(SIGNED_TRAILER)) == "InvalidRequest"
    assert code_of(plan_body, *origin("abc")) == "InvalidArgument"


def test_a_payload_hash_in_a_presigned_query_holds() -> None:
    assert plan_body(*presigned(None, f"X-Amz-Content-Sha256={EMPTY_SHA256}")).sha256 == EMPTY_SHA256
    assert plan_body(*presigned("ab" * 32, f"X-Amz-Content-Sha256={EMPTY_SHA256}")).sha256 == EMPTY_SHA256


# --- the body ---


def test_the_digest_of_a_body() -> None:
    body, digest = read([BODY[:5], b"", BODY[5:]], content_length=str(len(BODY)))
    assert body == BODY
    crc = checksum("crc64nvme", BODY)
    assert digest == Digest(size=len(BODY), md5=md5(BODY).hexdigest(), checksums={"crc64nvme": crc}, crc=crc)


def test_an_empty_body() -> None:
    for wire in ([], [b""]):
        body, digest = read(wire, EMPTY_SHA256, content_length="0")
        assert (body, digest.size, digest.md5) == (b"", 0, "d41d8cd98f00b204e9800998ecf8427e")
    _, verified = request(SIGNED, x_amz_decoded_content_length="0")
    assert read([chunked(b"", verified, None)], SIGNED, x_amz_decoded_content_length="0")[0] == b""


@given(st.lists(st.binary(max_size=5), max_size=8), st.booleans())
def test_the_last_piece_is_withheld_until_the_end(pieces: list[bytes], good: bool) -> None:
    body = b"".join(pieces)
    wired, verified = request(
        content_length=str(len(body)), x_amz_checksum_sha256=checksum("sha256", body if good else body + b"x")
    )
    verifier = BodyVerifier(plan_body(wired, verified.claim), verified)
    passed = b""
    for piece in pieces:
        passed += b"".join(verifier.feed(piece))
        assert not body or len(passed) < len(body)
    if good:
        last, digest = verifier.finish()
        assert passed + last == body
        assert bool(last) == bool(body)
        assert digest.size == len(body)
    else:
        assert code_of(verifier.finish) == "BadDigest"


@pytest.mark.parametrize("name", sorted(checksums.ALGORITHMS))
def test_every_checksum_in_a_header(name: str) -> None:
    headers = {"content_length": str(len(BODY)), f"x_amz_checksum_{name}": checksum(name, BODY)}
    assert read([BODY], **headers)[1].checksums == {name: checksum(name, BODY)}
    assert code_of(read, [BODY[:-1] + b"!"], **headers) == "BadDigest"


@pytest.mark.parametrize("name", sorted(checksums.ALGORITHMS))
@pytest.mark.parametrize("payload", [SIGNED_TRAILER, UNSIGNED_TRAILER])
def test_every_checksum_in_a_trailer(name: str, payload: str) -> None:
    trailer = f"x-amz-checksum-{name}"
    headers = {"x_amz_decoded_content_length": str(len(BODY)), "x_amz_trailer": trailer}
    verified = request(payload, **headers)[1] if payload == SIGNED_TRAILER else None
    wire = chunked(BODY, verified, [(trailer, checksum(name, BODY))])
    body, digest = read([wire[:100], wire[100:]], payload, **headers)
    assert body == BODY
    assert digest.checksums == {name: checksum(name, BODY)}
    assert code_of(read, [chunked(BODY, verified, [(trailer, checksum(name, b"other"))])], payload, **headers) == "BadDigest"
    assert code_of(read, [chunked(BODY, verified, [(trailer, "abc")])], payload, **headers) == "InvalidRequest"


def test_chunks_without_an_announced_trailer_get_the_default_checksum() -> None:
    body, digest = read([chunked(BODY, None, ())], UNSIGNED_TRAILER, x_amz_decoded_content_length=str(len(BODY)))
    assert body == BODY
    assert digest.checksums == {"crc64nvme": checksum("crc64nvme", BODY)}


def test_signed_chunks() -> None:
    headers = {"x_amz_decoded_content_length": str(len(BODY))}
    wire = chunked(BODY, request(SIGNED, **headers)[1], None)
    assert read([wire], SIGNED, **headers)[0] == BODY
    assert code_of(read, [wire.replace(b"hello", b"jello", 1)], SIGNED, **headers) == "SignatureDoesNotMatch"


def test_the_signed_hash_is_compared_with_the_bytes() -> None:
    digest, length = sha256(BODY).hexdigest(), str(len(BODY))
    assert read([BODY], digest, content_length=length)[0] == BODY
    assert read([BODY], digest.upper(), content_length=length)[0] == BODY
    assert code_of(read, [BODY[::-1]], digest, content_length=length) == "XAmzContentSHA256Mismatch"


def test_content_md5_is_compared_with_the_bytes() -> None:
    headers = {"content_length": str(len(BODY)), "content_md5": encoded(md5(BODY).digest())}
    assert read([BODY], **headers)[0] == BODY
    assert code_of(read, [BODY[::-1]], **headers) == "BadDigest"


@pytest.mark.parametrize("length", [len(BODY) - 1, len(BODY) + 1])
def test_another_length_than_declared(length: int) -> None:
    assert code_of(read, [BODY], content_length=str(length)) == "IncompleteBody"
    assert (
        code_of(read, [chunked(BODY, None, ())], UNSIGNED_TRAILER, x_amz_decoded_content_length=str(length)) == "IncompleteBody"
    )


def test_too_long_a_body_is_refused_before_its_end() -> None:
    wired, verified = request(content_length="5")
    verifier = BodyVerifier(plan_body(wired, verified.claim), verified)
    assert code_of(verifier.feed, b"123456") == "IncompleteBody"


@given(st.data())
def test_any_flipped_byte_of_a_declared_body_is_refused(data: st.DataObject) -> None:
    payload = data.draw(st.sampled_from([SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, sha256(BODY).hexdigest()]))
    trailers = [("x-amz-checksum-crc32", checksum("crc32", BODY))] if "TRAILER" in payload else None
    headers = {"content_length": str(len(BODY)), "x_amz_decoded_content_length": str(len(BODY))}
    if trailers:
        headers["x_amz_trailer"] = "x-amz-checksum-crc32"
    verified = request(payload, **headers)[1]
    wire = chunked(BODY, None if "UNSIGNED" in payload else verified, trailers) if "STREAMING" in payload else BODY
    at = data.draw(st.integers(0, len(wire) - 1))
    bad = wire[:at] + bytes([wire[at] ^ data.draw(st.integers(1, 255))]) + wire[at + 1 :]
    try:
        body, _ = read([bad], payload, **headers)
    except RequestError:
        return
    # A chunk size or a trailer's name whose letters changed their case says the same.
    assert body == BODY
    assert wire[at : at + 1].swapcase() == bad[at : at + 1]


headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"content-length",
                b"x-amz-decoded-content-length",
                b"x-amz-content-sha256",
                b"content-md5",
                b"x-amz-trailer",
                b"x-amz-checksum-crc32",
                b"x-amz-checksum-",
                b"x-amz-checksum-\xff",
                b"x-amz-sdk-checksum-algorithm",
            ]
        ),
        st.sampled_from(
            [
                b"5",
                b"",
                b"AAAAAA==",
                b"CRC32",
                b"x-amz-checksum-crc32",
                UNSIGNED_TRAILER.encode(),
                SIGNED.encode(),
                b"0" * 64,
                b"9" * 40,
            ]
        )
        | st.binary(max_size=8),
    )
)


@given(headers, st.lists(st.binary(max_size=8), max_size=3))
def test_nonsense_is_a_request_error(headers: list[tuple[bytes, bytes]], wire: list[bytes]) -> None:
    try:
        verifier = BodyVerifier(plan_body(headers, None))
        for data in wire:
            verifier.feed(data)
        verifier.finish()
    except RequestError:
        pass
