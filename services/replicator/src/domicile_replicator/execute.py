"""Carrying out one step at the backends: copy and verify, remove and confirm, write a sidecar.

A blob is copied by streaming; its last chunk is withheld until it and everything before it were verified, so that a bad source never
completes at the target. Everything here may be repeated, and may run twice at a time: blobs are immutable, and whatever changes on its way to a
target is refused there (its Content-MD5), or not completed (the MD5s of its parts), so that it does not take the place of a good copy. Where a
backend looks at neither, metadata doubts what is there after a failure (``Report.unsure``), and what was verified before it (``Report.fence``).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from domicile_common.backends.port import BlobInfo, BlobStore, Sink, content_md5
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import (
    BackendError,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    NamespaceNotFound,
)
from domicile_common.metadata_client.models import Work
from domicile_common.model import Blob, Digest, Part, Value, Version
from domicile_common.stamps import STAMP_HEADER, Stamp, make_stamp, sidecar_body, sidecar_key, stamp_header
from domicile_replicator.feed import Feed, reading
from domicile_replicator.plan import Copy, Remove, WriteSidecar, part_sizes
from domicile_replicator.upload import Uploaded, abort_uploads, upload_parts
from domicile_replicator.verify import Verifier

log = structlog.get_logger()

_MD5 = re.compile(r"[0-9a-f]{32}").fullmatch
_COUNT = re.compile(r"[1-9][0-9]{0,4}").fullmatch


class Made(NamedTuple):
    """``learned``: as in ``Copied``."""

    uploaded: Uploaded
    learned: Digest | None


class Copied(Value, frozen=True):
    """``sent``: bytes sent to the target, none when the blob was there already. ``stamped``: its whole stamp is with the blob or beside it.

    ``source``: the backend that all of them were read from. ``learned``: what the record did not know of them.
    """

    etag: str
    sent: int
    stamped: bool
    source: str = ""
    learned: Digest | None = None


class Executor:
    """``stores``: the backends by id. Every method raises only the ``BackendError`` family."""

    def __init__(self, stores: Mapping[str, BlobStore]) -> None:
        self._stores = stores

    async def copy(self, step: Copy) -> Copied:
        """From the first source that serves; when none does, the error of the last one."""
        if is_unread := not step.version.digest.md5:
            step = await self._with_parts(step)
        stamp = _stamp(step.work, step.version)
        keeps = quirks_of(self._store(step.target).backend).keeps_metadata
        header = stamp_header(stamp) if keeps and not is_unread else None
        present = await self._present(step) if step.look and not is_unread else None
        learned = None
        if present is None:
            headers = {"content-type": _content_type(step), **(header or {})}
            made, learned = await self._make(step, headers)
            present = await self._store(step.target).head(step.target) if made.resumed else None
        else:
            made = Uploaded(present.etag, 0)
        # What an earlier worker began may have an older stamp. Where stamps have changed, an older one may lie beside the blob, and would count.
        in_header = header is not None and (present is None or present.headers.get(STAMP_HEADER) == header[STAMP_HEADER])
        stamped = (in_header and not step.work.revision) or await self._try_sidecar(
            _beside(step.target), msgspec.structs.replace(stamp, digest=learned or stamp.digest)
        )
        return Copied(made.etag, made.sent, stamped, made.source, learned)

    async def export(self, step: Copy, headers: Mapping[str, str]) -> Copied:
        """As ``copy``, to a bucket that is there and gets nothing of ours beside the object."""
        if not step.version.digest.md5:
            step = await self._with_parts(step)
        made, learned = await self._from_sources(step, partial(self._transfer, step, headers))
        return Copied(made.etag, made.sent, stamped=False, source=made.source, learned=learned)

    async def remove(self, step: Remove) -> None:
        """Removes the blob, its sidecar and unfinished uploads; returns when a definite answer says that the blob is not there."""
        blob = step.target
        store = self._store(blob)
        if step.sidecar:
            with contextlib.suppress(NamespaceNotFound):
                await store.delete(step.sidecar)
            if not await self._is_still_adopted(step):
                return
            await store.delete(blob)
        else:
            with contextlib.suppress(NamespaceNotFound):
                await abort_uploads(store, blob)
                await store.delete(_beside(blob))
                await store.delete(blob)
        try:
            await store.head(blob)
        except (BlobNotFound, NamespaceNotFound):
            return
        raise BackendUnavailable(blob.backend_id, "the blob is still there after its removal")

    async def write_sidecar(self, sidecar: Blob, stamp: Stamp) -> None:
        body = sidecar_body(stamp)
        store = self._store(sidecar)
        await store.ensure_namespace(sidecar.namespace)
        sink = await store.open_put(sidecar, len(body), {"content-type": "application/json"})
        async with _finishing(sink):
            await sink.write(body)
            await sink.finish()

    async def stamp(self, step: WriteSidecar) -> None:
        stamp, apart = _stamp(step.work, step.version), step.work.sidecar
        if apart:
            await self.write_sidecar(apart, msgspec.structs.replace(stamp, blob=step.target))
        else:
            await self.write_sidecar(_beside(step.target), stamp)

    async def _try_sidecar(self, sidecar: Blob, stamp: Stamp) -> bool:
        """The blob is a good copy with or without it: what fails here is owed on, not a failure of the copy."""
        try:
            await self.write_sidecar(sidecar, stamp)
        except BackendError as error:
            log.warning("the sidecar is still owed", backend=sidecar.backend_id, version=stamp.version_id, why=str(error))
            return False
        return True

    async def _is_still_adopted(self, step: Remove) -> bool:
        """Not when it is gone, nor when somebody has put another object in its place: that one is not ours to remove."""
        try:
            info = await self._store(step.target).head(step.target)
        except (BlobNotFound, NamespaceNotFound):
            return False
        return info.etag == step.adopted_etag

    async def _with_parts(self, step: Copy) -> Copy:
        """With the parts that an adopted object was uploaded in, as far as its provider tells: then its entity tag proves its bytes."""
        digest, source = step.version.digest, step.sources[0]
        md5, _, count = digest.given_etag.partition("-")
        if not (_MD5(md5) and _COUNT(count)) or not quirks_of(self._store(source).backend).etag_is_md5:
            return step
        sizes = await self._store(source).part_sizes(source, int(count))
        if sum(sizes) != digest.size:
            return step
        parts = tuple(Part(number, size, "") for number, size in enumerate(sizes, 1))
        proven = msgspec.structs.replace(digest, md5=md5, parts=parts, given_etag="")
        version = msgspec.structs.replace(step.version, digest=proven)
        return msgspec.structs.replace(step, version=version, parts=part_sizes(proven, proven.size) or step.parts)

    async def _present(self, step: Copy) -> BlobInfo | None:
        """The target's blob when it is there and is what the record describes."""
        store = self._store(step.target)
        try:
            info = await store.head(step.target)
            if info.size != step.version.digest.size:
                return None
            if not (step.etag and info.etag == step.etag and quirks_of(store.backend).etag_is_md5):
                await self._read_back(step.target, step.version.digest)
        except (BlobNotFound, NamespaceNotFound, BlobMismatch):
            return None
        return info

    async def _read_back(self, target: Blob, digest: Digest) -> None:
        """Raises ``BlobMismatch`` when the target holds other bytes than the record describes."""
        verifier = Verifier(digest)
        async with reading(self._stores, target) as chunks:
            async for chunk in chunks:
                verifier.update(chunk)
        fault = verifier.fault()
        if fault:
            raise BlobMismatch(target.backend_id, f"reading back: {fault}")

    async def _make(self, step: Copy, headers: Mapping[str, str]) -> Made:
        return await self._from_sources(step, partial(self._in_namespace, step, headers))

    async def _from_sources(self, step: Copy, copy: Callable[[Sequence[Blob]], Awaitable[Made]]) -> Made:
        """The verified copy. A source of wrong bytes, and those before it, are not asked again."""
        sources = step.sources
        while True:
            try:
                return await copy(sources)
            except BlobMismatch as error:
                named = [source.backend_id for source in sources]
                sources = sources[named.index(error.backend_id) + 1 :] if error.backend_id in named else ()
                if not sources:
                    raise
                log.warning("a source has wrong bytes", version=step.version.version_id, why=str(error))

    async def _in_namespace(self, step: Copy, headers: Mapping[str, str], sources: Sequence[Blob]) -> Made:
        store = self._store(step.target)
        await store.ensure_namespace(step.target.namespace)
        try:
            return await self._transfer(step, headers, sources)
        except NamespaceNotFound as error:
            if error.backend_id != step.target.backend_id:
                raise
        store.forget_namespace(step.target.namespace)  # somebody deleted it behind our back
        await store.ensure_namespace(step.target.namespace)
        return await self._transfer(step, headers, sources)

    async def _transfer(self, step: Copy, headers: Mapping[str, str], sources: Sequence[Blob]) -> Made:
        store, digest = self._store(step.target), step.version.digest
        open_feed = partial(Feed, self._stores, sources, digest)
        made, verifier = await (upload_parts if step.parts else _put)(store, step, headers, open_feed)
        learned = verifier.learned()
        if learned and learned.given_etag:
            log.warning("nothing on record could prove the bytes of an adopted object", version=step.version.version_id)
        if made.etag != verifier.etag() or not quirks_of(store.backend).etag_is_md5:
            await self._read_back(step.target, learned or digest)
        return Made(made, learned)

    def _store(self, blob: Blob) -> BlobStore:
        store = self._stores.get(blob.backend_id)
        if store is None:
            raise BackendUnavailable(blob.backend_id, "is not registered")
        return store


async def _put(
    store: BlobStore, step: Copy, headers: Mapping[str, str], open_feed: Callable[[Verifier, int], Feed]
) -> tuple[Uploaded, Verifier]:
    digest = step.version.digest
    verifier = Verifier(digest)
    expected = content_md5("" if digest.parts else digest.md5)
    async with open_feed(verifier, 0) as feed:
        sink = await store.open_put(step.target, digest.size, {**headers, **expected})
        async with _finishing(sink):
            await feed.pour(sink, digest.size, last=True)
            return Uploaded(await sink.finish(), feed.sent, source=feed.only), verifier


@contextlib.asynccontextmanager
async def _finishing(sink: Sink) -> AsyncIterator[None]:
    """What goes wrong before the last byte leaves nothing to be seen at the target; afterwards it may have got everything all the same."""
    try:
        yield
    except BaseException:
        await sink.abort()
        raise


def _stamp(work: Work, version: Version) -> Stamp:
    return make_stamp(version, tenant_id=work.tenant_id, bucket=work.bucket, policy_version=work.policy_version)


def _beside(blob: Blob) -> Blob:
    """Where its sidecar is."""
    return Blob(blob.backend_id, blob.namespace, sidecar_key(blob.blob_key))


def _content_type(step: Copy) -> str:
    return step.version.facts.headers.get("content-type", "application/octet-stream")
