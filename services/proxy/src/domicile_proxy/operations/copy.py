"""CopyObject: the source's bytes become a new version under an intent of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import structlog

from domicile_common import checksums
from domicile_common.access.actions import NEEDS, TAG
from domicile_common.backends.port import BlobStore
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import BackendError, BlobMismatch, RequestError
from domicile_common.metadata_client.models import Intent, Located
from domicile_common.model import Blob, Bucket, Digest, Facts, Version
from domicile_common.policy import admits
from domicile_proxy.authorization import check, may
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler, intents
from domicile_proxy.operations.acls import with_acl
from domicile_proxy.operations.fan_out import at_least
from domicile_proxy.operations.intents import Draft
from domicile_proxy.operations.transfer import check_size, locate_source, read_source, source_bucket, source_header, transfer
from domicile_proxy.operations.waiting import read_wait, wait_after_write
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.addressing import Source
from domicile_proxy.s3.asking import tag_facts
from domicile_proxy.s3.conditions import write_condition
from domicile_proxy.s3.headers import read_facts, read_storage_class, read_tags, version_header
from domicile_proxy.s3.lifecycle import expiration_header
from domicile_proxy.s3.locks import read_lock
from domicile_proxy.s3.ranges import Span

_REDIRECT = "website-redirect-location"

log = structlog.get_logger()


async def copy_object(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html."""
    # 1. What is asked for.
    source = read_source(request)
    condition = write_condition(request.headers)
    algorithm = wanted_algorithm(request.headers)
    # 2. The source, which the caller has to be allowed to read.
    bucket = await source_bucket(request, source, context)
    located = await locate_source(bucket, source, request, context)
    check_size(located.version.digest.size)
    # 3. What becomes of it.
    facts = copied_facts(request.headers, located.version)
    if facts.tags and not _replaces(request.headers, "x-amz-tagging-directive"):
        await authorize_tags(request, source, bucket, facts.tags, context)
    refuse_pointless(request, source, located.version)
    lock = read_lock(request.headers, context.clock())
    wait = read_wait(request, facts)
    facts = await with_acl(request, facts, context)
    size = located.version.digest.size
    draft = Draft(request.bucket, request.key, facts, size, request.trace, lock, condition)
    # 4. The intent, the bytes, the version.
    copy = Copy(draft, bucket, located, algorithm, context)
    intent, written = await intents.place(draft, context, copy.fill)
    version = await intents.commit(draft, intent, written.digest, written.etags, context, stamped=written.stamped)
    # 5. When its copies are there, if that is asked for.
    answered = answer(version, located.version, bucket)
    answered.headers |= expiration_header(request.bucket.settings.lifecycle, version)
    answered.headers |= await wait_after_write(wait, version, context)
    return answered


async def authorize_tags(request: S3Request, source: Source, bucket: Bucket, tags: Mapping[str, str], context: Context) -> None:
    """Tags that come along are read there and written here. Raises as ``authorization.check`` does."""
    await check(request, context, bucket, NEEDS["GetObjectTagging"], source.key, version_id=source.version_id)
    if not may(request, context, TAG, request.key, facts=tag_facts(tags)):
        raise RequestError("AccessDenied")


def wanted_algorithm(headers: Mapping[str, str]) -> str | None:
    """Raises RequestError: InvalidRequest."""
    name = headers.get("x-amz-checksum-algorithm", "").lower()
    if name and name not in checksums.ALGORITHMS:
        raise RequestError("InvalidRequest", "Checksum algorithm provided is unsupported.")
    return name or None


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
    """The bytes of one version on their way to a new one; may be filled into another intent when a backend fails.

    Where every backend to be written holds the source, can copy and proves what it stored by its ETag, no byte passes here.
    """

    def __init__(self, draft: Draft, bucket: Bucket, located: Located, algorithm: str | None, context: Context) -> None:
        self._draft = draft
        self._bucket = bucket
        self._located = located
        self._context = context
        source = located.version.digest
        whole = source.checksums if source.checksum_type == "FULL_OBJECT" else {}
        self._algorithm = algorithm or next(iter(source.checksums), checksums.DEFAULT)
        known = not source.parts and self._algorithm in whole
        self._promised = (
            Digest(source.size, source.md5, {self._algorithm: whole[self._algorithm]}, crc=source.crc) if known else None
        )

    async def fill(self, intent: Intent) -> Written:
        stamped = intents.is_stamped(self._draft, intent, self._promised)
        async with intents.renewed(intent, self._context, self._draft.trace):
            if self._promised is not None and (pairs := await self._pairs(intent)):
                try:
                    copied = await self._copy_all(pairs, intent, self._promised)
                    return Written(self._promised, copied, stamped)
                except BackendError as error:  # it cannot, now or at all: then the bytes go through here
                    log.warning("a backend could not copy", backend=error.backend_id, error=str(error))
            fan_out = await intents.open_targets(self._draft, intent, self._promised, self._context)
            try:
                span = Span(0, self._located.version.digest.size - 1)
                digest = await transfer(self._context, self._bucket, self._located, fan_out, span=span, algorithm=self._algorithm)
                etags = await fan_out.finish(digest.md5)
            except BaseException:
                await fan_out.abort()
                raise
        return Written(digest, etags, stamped)

    async def _copy_all(self, pairs: list[tuple[BlobStore, Blob, Blob]], intent: Intent, promised: Digest) -> dict[str, str]:
        work = [(target.backend_id, self._copy_at(store, source, target, intent, promised)) for store, source, target in pairs]
        copied, _ = await at_least(intent.decision.least, work)
        return dict(copied)

    async def _pairs(self, intent: Intent) -> list[tuple[BlobStore, Blob, Blob]]:
        """Store, source and target at every backend to be written; none when one of them cannot copy by itself."""
        sources = {replica.blob.backend_id: replica.blob for replica in self._located.replicas if replica.verified}
        pairs: list[tuple[BlobStore, Blob, Blob]] = []
        for target in intents.written_blobs(intent):
            store = await self._context.directory.store(target.backend_id)
            quirks = quirks_of(store.backend)
            inside = admits(self._bucket.policy, store.backend) is None
            if target.backend_id not in sources or not inside or not (quirks.copies and quirks.etag_is_md5):
                return []
            pairs.append((store, sources[target.backend_id], target))
        return pairs

    async def _copy_at(self, store: BlobStore, source: Blob, target: Blob, intent: Intent, promised: Digest) -> tuple[str, str]:
        """Backend id and ETag. Raises ``BackendError``, also when what was made is not what the record describes."""
        await store.ensure_namespace(target.namespace)
        etag = await store.copy(source, target, intents.blob_headers(self._draft, intent, promised))
        if etag != promised.md5:
            raise BlobMismatch(target.backend_id, "the ETag of the copy is not the MD5 of its source")
        return target.backend_id, etag


def answer(version: Version, source: Version, source_bucket: Bucket) -> Response:
    digest = version.digest
    headers = {"content-type": "application/xml"} | version_header(version)
    return Response(
        200,
        headers | source_header(source, source_bucket),
        answers.copy_object_result(digest.etag, version.committed_at, digest.checksums, digest.checksum_type),
    )


OPERATIONS: dict[str, Handler] = {"CopyObject": copy_object}
