"""How the body of a request must be read, and whether it is what the client said. Pure.

``plan_body`` reads the headers before the first byte; ``BodyVerifier`` is fed what arrives. It withholds the last piece until everything
that was declared has been verified, so that a body that turns out bad never completes at a backend.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from domicile_common import checksums
from domicile_common.errors import RequestError
from domicile_common.model import Digest
from domicile_common.sigv4.canonical import UNSIGNED_PAYLOAD, Headers, fold_headers
from domicile_common.sigv4.claim import (
    STREAMING_SIGNED,
    STREAMING_SIGNED_TRAILER,
    STREAMING_UNSIGNED_TRAILER,
    Claim,
    parse_payload,
)
from domicile_common.sigv4.verify import Verified
from domicile_proxy.s3.chunked import ChunkedDecoder

MAX_BODY = 5 * 1024**3
"""Bytes; S3's bound for one PUT or part."""

Framing = Literal["plain", "signed", "signed-trailer", "unsigned-trailer"]

_FRAMINGS: dict[str, Framing] = {
    STREAMING_SIGNED: "signed",
    STREAMING_SIGNED_TRAILER: "signed-trailer",
    STREAMING_UNSIGNED_TRAILER: "unsigned-trailer",
}
_PREFIX = "x-amz-checksum-"
_NOT_CHECKSUMS = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"})
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch


class BodyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers say about the body.

    Attributes:
        length: bytes of payload, without the framing.
        framing: ``plain``, or one of the three forms of aws-chunked.
        algorithm: of the checksum to compute and store: the client's choice or the default.
        checksum: its declared value.
        trailer: its value follows in a trailer.
        sha256: declared SHA-256 of the payload, hex in lower case.
        md5: declared in Content-MD5.
    """

    length: int
    framing: Framing
    algorithm: str
    checksum: bytes | None = None
    trailer: bool = False
    sha256: str | None = None
    md5: bytes | None = None

    @property
    def declared(self) -> bool:
        """The client declared a checksum of its own, be it in a header or in a trailer."""
        return self.trailer or self.checksum is not None


def plan_body(
    headers: Headers,
    claim: Claim | None,
    *,
    limit: int = MAX_BODY,
    default: str = checksums.DEFAULT,
    checksum_of_body: bool = True,
) -> BodyPlan:
    """The plan for a request that has a body.

    Args:
        headers: ASGI ``headers``.
        claim: of ``sigv4.verify.parse``.
        limit: bytes.
        default: the checksum to compute when the client declares none.
        checksum_of_body: False for CompleteMultipartUpload, whose x-amz-checksum-* speak of the object and not of the body.

    Raises:
        RequestError: ``MissingContentLength``, ``EntityTooLarge``, ``InvalidDigest``, ``InvalidRequest``, ``InvalidArgument``.
    """
    folded = fold_headers(headers)
    payload = _payload(folded, claim)
    framing = _FRAMINGS.get(payload, "plain")
    length = _length(folded, b"content-length" if framing == "plain" else b"x-amz-decoded-content-length", limit)
    algorithm, checksum, trailer = default, None, False
    if checksum_of_body:
        declared = _declared_checksum(folded)
        trailing = _announced_checksum(folded, framing)
        _check_algorithm(folded, declared, trailing)
        if declared:
            algorithm, checksum = declared
        elif trailing:
            algorithm, trailer = trailing, True
    return BodyPlan(
        length=length,
        framing=framing,
        algorithm=algorithm,
        checksum=checksum,
        trailer=trailer,
        sha256=None if payload in _FRAMINGS or payload == UNSIGNED_PAYLOAD else payload.lower(),
        md5=checksums.parse_content_md5(folded[b"content-md5"].decode("latin-1")) if b"content-md5" in folded else None,
    )


class BodyVerifier:
    """Feed it the wire's bytes, pass on what it returns, then ``finish``: only then is the last piece released.

    An empty body has no last piece that could be withheld: verify it before opening anything at a backend. That holds for any body that
    arrived whole, and is cheaper, too.

    Args:
        plan: of ``plan_body``.
        verified: of ``sigv4.verify.verify``; the signed forms of framing need it.
    """

    def __init__(self, plan: BodyPlan, verified: Verified | None = None) -> None:
        self._plan = plan
        self._decoder = _decoder(plan, verified)
        self._hasher = checksums.BodyHasher(
            dict.fromkeys(("md5", checksums.OWN, plan.algorithm, *(("sha256",) if plan.sha256 else ())))
        )
        self._size = 0
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The payload that may be passed on now, in pieces that are not empty.

        Raises:
            RequestError: ``IncompleteBody``, ``SignatureDoesNotMatch``, ``InvalidChunkSizeError``, ``MalformedTrailerError``.
        """
        ready = []
        for piece in self._decoder.feed(data) if self._decoder else (data,) if data else ():
            self._size += len(piece)
            if self._size > self._plan.length:
                raise _wrong_length()
            self._hasher.update(piece)
            if self._held:
                ready.append(self._held)
            self._held = piece
        return ready

    def finish(self) -> tuple[bytes, Digest]:
        """The last piece (``b""`` for an empty body) and what the body was, now that the wire has no more bytes.

        Raises:
            RequestError: those of ``feed``, ``XAmzContentSHA256Mismatch``, ``BadDigest``, ``InvalidRequest``.
        """
        plan = self._plan
        if self._decoder:
            self._decoder.finish()
        if self._size != plan.length:
            raise _wrong_length()
        self._check_sha256()
        self._check_md5()
        self._check_checksum()
        checksum, crc = (checksums.encode(self._hasher.digest(name)) for name in (plan.algorithm, checksums.OWN))
        md5 = self._hasher.digest("md5").hex()
        return self._held, Digest(size=self._size, md5=md5, checksums={plan.algorithm: checksum}, crc=crc)

    def _check_sha256(self) -> None:
        if self._plan.sha256 is None:
            return
        computed = self._hasher.digest("sha256").hex()
        if computed != self._plan.sha256:
            raise RequestError(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                {"ClientComputedContentSHA256": self._plan.sha256, "S3ComputedContentSHA256": computed},
            )

    def _check_md5(self) -> None:
        if self._plan.md5 is None:
            return
        computed = self._hasher.digest("md5")
        if computed != self._plan.md5:
            raise RequestError(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
                {"ExpectedDigest": checksums.encode(self._plan.md5), "CalculatedDigest": checksums.encode(computed)},
            )

    def _check_checksum(self) -> None:
        name, expected = self._plan.algorithm, self._plan.checksum
        if self._plan.trailer and self._decoder:
            expected = checksums.parse_checksum(name, self._decoder.trailers[_PREFIX + name])
        if expected is not None and expected != self._hasher.digest(name):
            raise RequestError("BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")


def _payload(headers: Mapping[bytes, bytes], claim: Claim | None) -> str:
    """The payload hash that was signed; where the body was left unsigned, the header may still declare one."""
    if claim is not None and claim.payload != UNSIGNED_PAYLOAD:
        return claim.payload
    payload = parse_payload(headers.get(b"x-amz-content-sha256") or UNSIGNED_PAYLOAD.encode())
    if payload in {STREAMING_SIGNED, STREAMING_SIGNED_TRAILER}:
        raise RequestError(
            "InvalidRequest",
            "Requests whose body is not signed don't support this x-amz-content-sha256 value. "
            f"Please use {UNSIGNED_PAYLOAD} or {STREAMING_UNSIGNED_TRAILER}.",
        )
    return payload


def _length(headers: Mapping[bytes, bytes], name: bytes, limit: int) -> int:
    text = headers.get(name, b"")
    if _LENGTH(text) is None:
        raise RequestError("MissingContentLength", "You must provide the Content-Length HTTP header.")
    length = int(text)
    if length > limit:
        raise RequestError(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            {"ProposedSize": str(length), "MaxSizeAllowed": str(limit)},
        )
    return length


def _declared_checksum(headers: Mapping[bytes, bytes]) -> tuple[str, bytes] | None:
    """Algorithm and value of the one x-amz-checksum-* header."""
    found = [
        name for name in (raw.decode("latin-1") for raw in headers) if name.startswith(_PREFIX) and name not in _NOT_CHECKSUMS
    ]
    if len(found) > 1:
        raise RequestError(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if not found:
        return None
    name = found[0].removeprefix(_PREFIX)
    if name not in checksums.ALGORITHMS:
        raise RequestError("InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.")
    return name, checksums.parse_checksum(name, headers[found[0].encode()].decode("latin-1"))


def _announced_checksum(headers: Mapping[bytes, bytes], framing: Framing) -> str | None:
    """Algorithm of the checksum whose trailer x-amz-trailer announces."""
    announced = headers.get(b"x-amz-trailer", b"").decode("latin-1").lower()
    if not announced:
        return None
    name = announced.removeprefix(_PREFIX)
    if name == announced or name not in checksums.ALGORITHMS or framing not in {"signed-trailer", "unsigned-trailer"}:
        raise RequestError("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    return name


def _check_algorithm(headers: Mapping[bytes, bytes], declared: tuple[str, bytes] | None, trailing: str | None) -> None:
    """A checksum comes once, and the SDK's hint at its algorithm is true."""
    if declared and trailing:
        raise RequestError(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    hint = headers.get(b"x-amz-sdk-checksum-algorithm", b"").decode("latin-1").lower()
    if not hint:
        return
    if declared is None and trailing is None:
        raise RequestError(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        )
    if hint != (declared[0] if declared else trailing):
        raise RequestError("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")


def _decoder(plan: BodyPlan, verified: Verified | None) -> ChunkedDecoder | None:
    if plan.framing == "plain":
        return None
    chain = None
    if plan.framing != "unsigned-trailer":
        assert verified is not None, "plan_body lets no signed framing pass without a claim"
        chain = verified.chunks()
    trailers = None
    if plan.framing != "signed":
        trailers = (_PREFIX + plan.algorithm,) if plan.trailer else ()
    return ChunkedDecoder(plan.length, chain, trailers)


def _wrong_length() -> RequestError:
    return RequestError("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
