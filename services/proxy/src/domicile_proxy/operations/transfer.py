"""Bytes of one version on their way to another: read from whichever replica serves, verified as far as the record can tell."""

from __future__ import annotations

import hashlib
from contextlib import aclosing

from domicile_common import checksums
from domicile_common.access.actions import NEEDS
from domicile_common.errors import BlobMismatch, RequestError, Unavailable
from domicile_common.metadata_client.models import Located
from domicile_common.model import Bucket, Digest, Part, Version
from domicile_proxy.authorization import check, check_expected_owner, locate
from domicile_proxy.context import Context
from domicile_proxy.operations import streams
from domicile_proxy.operations.fan_out import FanOut
from domicile_proxy.operations.streams import BlobReader
from domicile_proxy.request import S3Request
from domicile_proxy.s3.addressing import Source, parse_source
from domicile_proxy.s3.body import MAX_BODY
from domicile_proxy.s3.conditions import check_copy_source
from domicile_proxy.s3.ranges import Span


def read_source(request: S3Request) -> Source:
    """Raises RequestError: InvalidRequest for a body, which a copy does not have, and those of ``parse_source``."""
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        message = "The request included a body. Requests of this type must not include a non-empty body."
        raise RequestError("InvalidRequest", message)
    return parse_source(request.headers["x-amz-copy-source"])


async def source_bucket(request: S3Request, source: Source, context: Context) -> Bucket:
    """The caller's own, or another's that it may know of. Raises RequestError: NoSuchBucket, AccessDenied (another expected owner)."""
    bucket = await context.directory.bucket(request.tenant.tenant_id, source.bucket)
    check_expected_owner(request.headers.get("x-amz-source-expected-bucket-owner"), bucket)
    return bucket


async def locate_source(bucket: Bucket, source: Source, request: S3Request, context: Context) -> Located:
    """The source, which the caller has to be allowed to read.

    Raises:
        RequestError: AccessDenied, NoSuchKey, NoSuchVersion, PreconditionFailed, InvalidRequest (a delete marker).
    """
    seen = await check(request, context, bucket, NEEDS["GetObject"], source.key, version_id=source.version_id)
    located = seen or await locate(bucket, source.key, source.version_id, request.trace, context)
    if located.version.is_delete_marker:
        message = "The source of a copy request may not specifically refer to a delete marker by version id."
        raise RequestError("InvalidRequest", message)
    check_copy_source(request.headers, located.version)
    return located


def check_size(size: int) -> None:
    """Raises RequestError: InvalidRequest."""
    if size > MAX_BODY:
        message = f"The specified copy source is larger than the maximum allowable size for a copy source: {MAX_BODY}"
        raise RequestError("InvalidRequest", message)


def source_header(source: Version, bucket: Bucket) -> dict[str, str]:
    shown = bucket.versioning != "off" or not source.is_null
    return {"x-amz-copy-source-version-id": source.shown_id} if shown else {}


async def transfer(context: Context, bucket: Bucket, located: Located, fan_out: FanOut, *, span: Span, algorithm: str) -> Digest:
    """Writes all but the last chunk of the span, compares it with the record, and only then writes the last. Returns what was written.

    The reader compares a CRC of the whole where the record has one; MD5s are on record of the whole or of each part, and are compared when
    the span is made of them. Raises ``Unavailable`` when no replica gives what the record says.
    """
    source = located.version.digest
    hasher = checksums.BodyHasher(dict.fromkeys(("md5", checksums.OWN, algorithm)))
    parts = PartHasher(recorded_parts(source, span))

    def digest(chunks: list[bytes]) -> list[bytes]:
        for chunk in chunks:
            hasher.update(chunk)
            parts.update(chunk)
        return chunks

    held = b""
    reader = BlobReader(context, bucket, located, span.start, span.end)
    try:
        async with aclosing(streams.one_ahead(reader.chunks(), digest)) as digested:
            async for chunks in digested:
                for chunk in chunks:
                    await fan_out.write(held)
                    held = chunk
    except BlobMismatch as error:  # not a fault of the targets
        raise Unavailable(str(error)) from error
    finally:
        await reader.close()
    if not parts.right:
        raise Unavailable(f"what was read of version {located.version.version_id} differs from its record")
    await fan_out.write(held)
    checksum, crc = (checksums.encode(hasher.digest(name)) for name in (algorithm, checksums.OWN))
    return Digest(span.length, hasher.digest("md5").hex(), {algorithm: checksum}, crc=crc)


def recorded_parts(digest: Digest, span: Span) -> tuple[Part, ...]:
    """The parts that the span is made of; none when it begins or ends within one. An object that has no parts is one."""
    found: list[Part] = []
    start = 0
    for part in digest.parts or ((Part(1, digest.size, digest.md5),) if digest.md5 else ()):
        if span.start <= start and start + part.size <= span.end + 1:
            found.append(part)
        start += part.size
    return tuple(found) if sum(part.size for part in found) == span.length else ()


class PartHasher:
    """Compares a body with the MD5s of the parts that it was uploaded in. ``right``: so far all of them agreed."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._parts = iter([part for part in parts if part.size])
        self._left = 0
        self.right = True
        self._next()

    def update(self, data: bytes) -> None:
        while data and self._left:
            piece, data = data[: self._left], data[self._left :]
            self._hasher.update(piece)
            self._left -= len(piece)
            if not self._left:
                self.right &= self._hasher.hexdigest() == self._etag
                self._next()

    def _next(self) -> None:
        part = next(self._parts, None)
        if part is not None:
            self._left, self._etag, self._hasher = part.size, part.etag, hashlib.md5(usedforsecurity=False)
