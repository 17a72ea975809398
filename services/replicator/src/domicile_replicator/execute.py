"""Carrying out one step at the backends: copy and verify, remove and confirm, write a sidecar.

A blob is copied by streaming; its last chunk is withheld until it and everything before it were verified, so that a bad source never
completes at the target. Everything here may be repeated, and may run twice at a time: blobs are immutable.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial

import structlog

from domicile_common.backends.port import BlobInfo, BlobStore, Sink
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import (
    BackendError,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    NamespaceNotFound,
)
from domicile_common.model import Blob, Value
from domicile_common.stamps import STAMP_HEADER, Stamp, make_stamp, sidecar_body, sidecar_key, stamp_header
from domicile_replicator.feed import Feed, reading
from domicile_replicator.plan import Copy, Remove, WriteSidecar
from domicile_replicator.upload import Uploaded, abort_uploads, upload_parts
from domicile_replicator.verify import Verifier

log = structlog.get_logger()


class Copied(Value, frozen=True):
    """``sent``: bytes sent to the target, none when the blob was there already. ``stamped``: its whole stamp is with the blob or beside it."""

    etag: str
    sent: int
    stamped: bool


class Executor:
    """``stores``: the backends by id. Every method raises only the ``BackendError`` family."""

    def __init__(self, stores: Mapping[str, BlobStore]) -> None:
        self._stores = stores

    async def copy(self, step: Copy) -> Copied:
        """From the first source that serves; when none does, the error of the last one."""
        stamp = _stamp(step)
        header = stamp_header(stamp) if quirks_of(self._store(step.target).backend).keeps_metadata else None
        present = await self._present(step) if step.look else None
        if present is None:
            made = await self._make(step, {"content-type": _content_type(step), **(header or {})})
            present = await self._store(step.target).head(step.target) if made.resumed else None
        else:
            made = Uploaded(present.etag, 0)
        # What an earlier worker began may have an older stamp.
        in_header = header is not None and (present is None or present.headers.get(STAMP_HEADER) == header[STAMP_HEADER])
        return Copied(made.etag, made.sent, in_header or await self._try_sidecar(step.target, stamp))

    async def remove(self, step: Remove) -> None:
        """Removes the blob, its sidecar and unfinished uploads; returns when a definite answer says that the blob is not there."""
        blob = step.target
        store = self._store(blob)
        with contextlib.suppress(NamespaceNotFound):
            await abort_uploads(store, blob)
            await store.delete(_sidecar(blob))
            await store.delete(blob)
        try:
            await store.head(blob)
        except (BlobNotFound, NamespaceNotFound):
            return
        raise BackendUnavailable(blob.backend_id, "the blob is still there after its removal")

    async def write_sidecar(self, target: Blob, stamp: Stamp) -> None:
        body = sidecar_body(stamp)
        store = self._store(target)
        await store.ensure_namespace(target.namespace)
        sink = await store.open_put(_sidecar(target), len(body), {"content-type": "application/json"})
        async with _finishing(sink):
            await sink.write(body)
            await sink.finish()

    async def stamp(self, step: WriteSidecar) -> None:
        await self.write_sidecar(step.target, _stamp(step))

    async def _try_sidecar(self, target: Blob, stamp: Stamp) -> bool:
        """The blob is a good copy with or without it: what fails here is owed on, not a failure of the copy."""
        try:
            await self.write_sidecar(target, stamp)
        except BackendError as error:
            log.warning("the sidecar is still owed", backend=target.backend_id, version=stamp.version_id, why=str(error))
            return False
        return True

    async def _present(self, step: Copy) -> BlobInfo | None:
        """The target's blob when it is there and is what the record describes."""
        store = self._store(step.target)
        try:
            info = await store.head(step.target)
            if info.size != step.version.digest.size:
                return None
            if not (step.etag and info.etag == step.etag and quirks_of(store.backend).etag_is_md5):
                await self._read_back(step)
        except (BlobNotFound, NamespaceNotFound, BlobMismatch):
            return None
        return info

    async def _read_back(self, step: Copy) -> None:
        """Raises ``BlobMismatch`` when the target holds other bytes than the record describes."""
        verifier = Verifier(step.version.digest)
        async with reading(self._stores, step.target) as chunks:
            async for chunk in chunks:
                verifier.update(chunk)
        fault = verifier.fault()
        if fault:
            raise BlobMismatch(step.target.backend_id, f"reading back: {fault}")

    async def _make(self, step: Copy, headers: Mapping[str, str]) -> Uploaded:
        """The verified copy. A source of wrong bytes, and those before it, are not asked again."""
        sources = step.sources
        while True:
            try:
                return await self._in_namespace(step, headers, sources)
            except BlobMismatch as error:
                named = [source.backend_id for source in sources]
                sources = sources[named.index(error.backend_id) + 1 :] if error.backend_id in named else ()
                if not sources:
                    raise
                log.warning("a source has wrong bytes", version=step.version.version_id, why=str(error))

    async def _in_namespace(self, step: Copy, headers: Mapping[str, str], sources: Sequence[Blob]) -> Uploaded:
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

    async def _transfer(self, step: Copy, headers: Mapping[str, str], sources: Sequence[Blob]) -> Uploaded:
        store = self._store(step.target)
        open_feed = partial(Feed, self._stores, sources, step.version.digest.size)
        made, verifier = await (upload_parts if step.parts else _put)(store, step, headers, open_feed)
        if made.etag != verifier.etag() or not quirks_of(store.backend).etag_is_md5:
            await self._read_back(step)
        return made

    def _store(self, blob: Blob) -> BlobStore:
        store = self._stores.get(blob.backend_id)
        if store is None:
            raise BackendUnavailable(blob.backend_id, "is not registered")
        return store


async def _put(
    store: BlobStore, step: Copy, headers: Mapping[str, str], open_feed: Callable[[Verifier, int], Feed]
) -> tuple[Uploaded, Verifier]:
    size = step.version.digest.size
    verifier = Verifier(step.version.digest)
    async with open_feed(verifier, 0) as feed:
        sink = await store.open_put(step.target, size, headers)
        async with _finishing(sink):
            await feed.pour(sink, size, last=True)
            return Uploaded(await sink.finish(), feed.sent), verifier


@contextlib.asynccontextmanager
async def _finishing(sink: Sink) -> AsyncIterator[None]:
    """Whatever goes wrong inside, nothing becomes visible at the target."""
    try:
        yield
    except BaseException:
        await sink.abort()
        raise


def _stamp(step: Copy | WriteSidecar) -> Stamp:
    work = step.work
    return make_stamp(step.version, tenant_id=work.tenant_id, bucket=work.bucket, policy_version=work.policy_version)


def _sidecar(blob: Blob) -> Blob:
    return Blob(blob.backend_id, blob.namespace, sidecar_key(blob.blob_key))


def _content_type(step: Copy) -> str:
    return step.version.facts.headers.get("content-type", "application/octet-stream")
