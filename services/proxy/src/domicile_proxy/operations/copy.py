"""CopyObject: the source's bytes, read from whichever replica serves, become a new version under an intent of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from domicile_common import checksums
from domicile_common.errors import BlobMismatch, RequestError, Unavailable
from domicile_common.metadata_client.models import Intent, Locate, Located
from domicile_common.model import Bucket, Digest, Facts, Part, Version
from domicile_common.namespace import check_bucket_name
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler, intents, streams
from domicile_proxy.operations.intents import Draft
from domicile_proxy.operations.streams import BlobReader, FanOut
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.addressing import check_key
from domicile_proxy.s3.body import MAX_BODY
from domicile_proxy.s3.conditions import check_copy_source, write_condition
from domicile_proxy.s3.headers import read_facts, read_storage_class, read_tags, version_header
from domicile_proxy.s3.locks import read_lock
from domicile_proxy.s3.query import decode

_REDIRECT = "website-redirect-location"


class Source(NamedTuple):
    """What ``x-amz-copy-source`` names."""

    bucket: str
    key: str
    version_id: str | None


async def copy_object(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html."""
    # 1. What is asked for.
    source = parse_source(request.headers["x-amz-copy-source"])
    condition = write_condition(request.headers)
    algorithm = wanted_algorithm(request.headers)
    # 2. The source, among the caller's own.
    bucket = await context.directory.bucket(request.tenant.tenant_id, source.bucket)
    located = await locate_source(bucket, source, request, context)
    # 3. What becomes of it.
    facts = copied_facts(request.headers, located.version)
    refuse_pointless(request, source, located.version)
    lock = read_lock(request.headers, context.clock())
    size = located.version.digest.size
    draft = Draft(request.tenant.tenant_id, request.bucket, request.key, facts, size, request.trace, lock)
    # 4. The intent, the bytes, the version.
    copy = Copy(draft, bucket, located, algorithm, context)
    intent, written = await intents.place(draft, context, copy.fill)
    version = await intents.commit(
        intent, written.digest, written.etags, condition, context, stamped=written.stamped, trace=request.trace
    )
    return answer(version, request.bucket, located.version, bucket)


def parse_source(value: str) -> Source:
    """``[/]<bucket>/<key>[?versionId=<id>]``, percent-encoded.

    Raises:
        RequestError: InvalidArgument, InvalidURI, InvalidBucketName, KeyTooLongError.
    """
    path, _, version_id = value.partition("?versionId=")
    name, slash, key = path.removeprefix("/").partition("/")
    if not name or not slash or not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise RequestError("InvalidArgument", message, {"ArgumentName": "x-amz-copy-source", "ArgumentValue": value})
    source = Source(decode(name.encode("latin-1")), decode(key.encode("latin-1")), version_id or None)
    check_bucket_name(source.bucket)
    check_key(source.key)
    return source


def wanted_algorithm(headers: Mapping[str, str]) -> str | None:
    """Raises RequestError: InvalidRequest."""
    name = headers.get("x-amz-checksum-algorithm", "").lower()
    if name and name not in checksums.ALGORITHMS:
        raise RequestError("InvalidRequest", "Checksum algorithm provided is unsupported.")
    return name or None


async def locate_source(bucket: Bucket, source: Source, request: S3Request, context: Context) -> Located:
    """Raises RequestError: NoSuchKey, NoSuchVersion, PreconditionFailed, InvalidRequest (too large)."""
    call = Locate(bucket_id=bucket.bucket_id, key=source.key, version_id=source.version_id, trace=request.trace)
    located = await context.metadata.call(call)
    if located.version.is_delete_marker:
        message = "The source of a copy request may not specifically refer to a delete marker by version id."
        raise RequestError("InvalidRequest", message)
    check_copy_source(request.headers, located.version)
    if located.version.digest.size > MAX_BODY:
        message = f"The specified copy source is larger than the maximum allowable size for a copy source: {MAX_BODY}"
        raise RequestError("InvalidRequest", message)
    return located


def copied_facts(headers: Mapping[str, str], source: Version) -> Facts:
    """What S3 copies: by default headers, metadata and tags; never the storage class nor the redirect.

    Raises:
        RequestError: InvalidArgument, and those of ``read_facts``.
    """
    given = read_facts(headers) if _replaces(headers, "x-amz-metadata-directive") else None
    tags = read_tags(headers) if _replaces(headers, "x-amz-tagging-directive") else source.facts.tags
    kept = {name: value for name, value in source.facts.headers.items() if name != _REDIRECT}
    return Facts(
        headers=given.headers if given else kept,
        metadata=given.metadata if given else source.facts.metadata,
        tags=tags,
        storage_class=read_storage_class(headers),
    )


def refuse_pointless(request: S3Request, source: Source, version: Version) -> None:
    """Raises RequestError: InvalidRequest for a copy of the current version to itself that changes nothing."""
    headers = request.headers
    same = (source.bucket, source.key, source.version_id) == (request.bucket_name, request.key, None)
    changes = (
        _replaces(headers, "x-amz-metadata-directive")
        or _replaces(headers, "x-amz-tagging-directive")
        or read_storage_class(headers) != version.facts.storage_class
        or f"x-amz-{_REDIRECT}" in headers
    )
    if same and not changes:
        raise RequestError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, "
            "storage class, website redirect location or encryption attributes.",
        )


def _replaces(headers: Mapping[str, str], name: str) -> bool:
    value = headers.get(name) or "COPY"
    if value not in {"COPY", "REPLACE"}:
        kind = "metadata" if "metadata" in name else "tagging"
        raise RequestError("InvalidArgument", f"Unknown {kind} directive.", {"ArgumentName": name, "ArgumentValue": value})
    return value == "REPLACE"


class Written(NamedTuple):
    digest: Digest
    etags: dict[str, str]
    stamped: bool


class Copy:
    """The bytes of one version on their way to a new one; may be filled into another intent when a backend fails."""

    def __init__(self, draft: Draft, bucket: Bucket, located: Located, algorithm: str | None, context: Context) -> None:
        self._draft = draft
        self._bucket = bucket
        self._located = located
        self._context = context
        source = located.version.digest
        whole = source.checksums if source.checksum_type == "FULL_OBJECT" else {}
        self._algorithm = algorithm or next(iter(whole), checksums.DEFAULT)
        known = not source.parts and self._algorithm in whole
        self._promised = Digest(source.size, source.md5, {self._algorithm: whole[self._algorithm]}) if known else None

    async def fill(self, intent: Intent) -> Written:
        fan_out = await intents.open_targets(self._draft, intent, self._promised, self._context)
        try:
            async with intents.renewed(intent, self._context, self._draft.trace):
                digest = await self._transfer(fan_out)
                etags = await fan_out.finish(digest.md5)
        except BaseException:
            await fan_out.abort()
            raise
        return Written(digest, etags, intents.is_stamped(self._draft, intent, self._promised))

    async def _transfer(self, fan_out: FanOut) -> Digest:
        """Writes all but the last chunk, compares the source with its record, and only then writes the last.

        The reader compares a CRC of the whole where the record has one; the MD5 of the whole or of each part is always on record.
        """
        source = self._located.version.digest
        hasher = checksums.BodyHasher(dict.fromkeys(("md5", self._algorithm)))
        parts = PartHasher(source.parts)
        held = b""
        reader = BlobReader(self._context, self._bucket, self._located, 0, source.size - 1)
        try:
            async for chunk in reader.chunks():
                await streams.aside(hasher.update, chunk)
                await streams.aside(parts.update, chunk)
                await fan_out.write(held)
                held = chunk
        except BlobMismatch as error:  # not a fault of the targets
            raise Unavailable(str(error)) from error
        finally:
            await reader.close()
        md5 = hasher.digest("md5").hex()
        if not (parts.right if source.parts else md5 == source.md5):
            raise Unavailable(f"what was read of version {self._located.version.version_id} differs from its record")
        await fan_out.write(held)
        return Digest(source.size, md5, {self._algorithm: checksums.encode(hasher.digest(self._algorithm))})


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


def answer(version: Version, bucket: Bucket, source: Version, source_bucket: Bucket) -> Response:
    digest = version.digest
    headers = {"content-type": "application/xml"} | version_header(version, versioned=bucket.versioning != "off")
    return Response(
        200,
        headers | source_header(source, source_bucket),
        answers.copy_object_result(digest.etag, version.committed_at, digest.checksums, digest.checksum_type),
    )


def source_header(source: Version, bucket: Bucket) -> dict[str, str]:
    shown = bucket.versioning != "off" or not source.is_null
    return {"x-amz-copy-source-version-id": source.shown_id} if shown else {}


OPERATIONS: dict[str, Handler] = {"CopyObject": copy_object}
