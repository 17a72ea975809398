"""Carrying out one step at the backends: copy and verify, remove and confirm, write a sidecar.

A blob is copied by streaming; its last chunk is withheld until it and everything before it were verified, so that a bad source never
completes at the target. Everything here may be repeated, and may run twice at a time: blobs are immutable.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

import structlog

from domicile_common.backends.port import BlobInfo, BlobStore, Sink
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import (
    BackendError,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    NamespaceNotFound,
    UploadNotFound,
)
from domicile_common.model import Blob, Part, Value
from domicile_common.stamps import STAMP_HEADER, Stamp, make_stamp, sidecar_body, sidecar_key, stamp_header
from domicile_replicator.plan import Copy, Remove, WriteSidecar
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
            sent = step.version.digest.size
            etag = await self._from_any_source(step, {"content-type": _content_type(step), **(header or {})})
            in_header = header is not None
        else:
            sent = 0
            etag = present.etag
            in_header = header is not None and present.headers.get(STAMP_HEADER) == header[STAMP_HEADER]
        return Copied(etag, sent, in_header or await self._try_sidecar(step.target, stamp))

    async def remove(self, step: Remove) -> None:
        """Removes the blob, its sidecar and unfinished uploads; returns when a definite answer says that the blob is not there."""
        blob = step.target
        store = self._store(blob)
        with contextlib.suppress(NamespaceNotFound):
            await _abort_uploads(store, blob)
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
        async with _reading(self._store(step.target), step.target) as chunks:
            async for chunk in chunks:
                verifier.update(chunk)
        fault = verifier.fault()
        if fault:
            raise BlobMismatch(step.target.backend_id, f"reading back: {fault}")

    async def _from_any_source(self, step: Copy, headers: Mapping[str, str]) -> str:
        """The ETag of the verified copy."""
        failure: BackendError = BlobNotFound(step.target.backend_id, "there is no source")
        for source in step.sources:
            try:
                return await self._from(source, step, headers)
            except BackendError as error:
                if error.backend_id == step.target.backend_id:
                    raise
                log.warning("a source does not serve", backend=error.backend_id, version=step.version.version_id, why=str(error))
                failure = error
        raise failure

    async def _from(self, source: Blob, step: Copy, headers: Mapping[str, str]) -> str:
        store = self._store(step.target)
        await store.ensure_namespace(step.target.namespace)
        try:
            return await self._transfer(source, step, headers)
        except NamespaceNotFound as error:
            if error.backend_id != step.target.backend_id:
                raise
        store.forget_namespace(step.target.namespace)  # somebody deleted it behind our back
        await store.ensure_namespace(step.target.namespace)
        return await self._transfer(source, step, headers)

    async def _transfer(self, source: Blob, step: Copy, headers: Mapping[str, str]) -> str:
        store = self._store(step.target)
        verifier = Verifier(step.version.digest, step.parts)
        async with _reading(self._store(source), source, size=step.version.digest.size) as chunks:
            feed = _Feed(chunks, verifier, source.backend_id)
            etag = await (_upload_parts if step.parts else _put)(store, step, headers, feed)
        if etag != verifier.etag() or not quirks_of(store.backend).etag_is_md5:
            await self._read_back(step)
        return etag

    def _store(self, blob: Blob) -> BlobStore:
        store = self._stores.get(blob.backend_id)
        if store is None:
            raise BackendUnavailable(blob.backend_id, "is not registered")
        return store


class _Feed:
    """A source's body on its way to sinks: verified as it passes, cut where the target's parts end."""

    def __init__(self, chunks: AsyncIterator[bytes], verifier: Verifier, source_id: str) -> None:
        self._chunks = chunks
        self._verifier = verifier
        self._source_id = source_id
        self._rest = b""

    async def pour(self, sink: Sink, length: int, *, last: bool) -> None:
        """``length`` bytes into the sink; of the ``last`` sink's, the end is withheld until the whole body was verified.

        Raises ``BlobMismatch`` that names the source.
        """
        withheld = b""
        while length > 0:
            chunk = await self._next(length)
            length -= len(chunk)
            if withheld:
                await sink.write(withheld)
            withheld = chunk
        if last:
            await self._end()
        if withheld:
            await sink.write(withheld)

    async def _next(self, limit: int) -> bytes:
        while not self._rest:
            try:
                self._rest = await anext(self._chunks)
            except StopAsyncIteration:
                raise BlobMismatch(self._source_id, "the body is shorter than the record says") from None
            self._verifier.update(self._rest)
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece

    async def _end(self) -> None:
        """The body must end here, and be what the record describes."""
        if self._rest or await anext(self._chunks, b""):
            raise BlobMismatch(self._source_id, "the body is longer than the record says")
        fault = self._verifier.fault()
        if fault:
            raise BlobMismatch(self._source_id, fault)


async def _put(store: BlobStore, step: Copy, headers: Mapping[str, str], feed: _Feed) -> str:
    size = step.version.digest.size
    sink = await store.open_put(step.target, size, headers)
    async with _finishing(sink):
        await feed.pour(sink, size, last=True)
        return await sink.finish()


async def _upload_parts(store: BlobStore, step: Copy, headers: Mapping[str, str], feed: _Feed) -> str:
    target = step.target
    await _abort_uploads(store, target)  # of workers that died
    upload_id = await store.create_upload(target, headers)
    try:
        parts: list[Part] = []
        for number, size in enumerate(step.parts, 1):
            sink = await store.open_part(target, upload_id, number, size)
            async with _finishing(sink):
                await feed.pour(sink, size, last=number == len(step.parts))
                parts.append(Part(number, size, await sink.finish()))
        return await _complete(store, target, upload_id, tuple(parts))
    except BaseException:
        with contextlib.suppress(BackendError):  # the next copy to this blob removes it, and so does the blob's removal
            await store.abort_upload(target, upload_id)
        raise


async def _complete(store: BlobStore, target: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
    try:
        return await store.complete_upload(target, upload_id, parts)
    except UploadNotFound:  # completed, and only the answer was lost; what is there is read back unless its ETag is the right one
        return (await store.head(target)).etag


async def _abort_uploads(store: BlobStore, blob: Blob) -> None:
    for upload_id in await store.list_uploads(blob):
        await store.abort_upload(blob, upload_id)


@contextlib.asynccontextmanager
async def _finishing(sink: Sink) -> AsyncIterator[None]:
    """Whatever goes wrong inside, nothing becomes visible at the target."""
    try:
        yield
    except BaseException:
        await sink.abort()
        raise


@contextlib.asynccontextmanager
async def _reading(store: BlobStore, blob: Blob, size: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body of a blob; raises ``BlobMismatch`` before it is read when it announces another size in bytes."""
    source = await store.open_get(blob)
    try:
        if size is not None and source.info.size != size:
            raise BlobMismatch(blob.backend_id, f"{source.info.size} bytes instead of {size}")
        yield source.chunks()
    finally:
        await source.close()


def _stamp(step: Copy | WriteSidecar) -> Stamp:
    work = step.work
    return make_stamp(step.version, tenant_id=work.tenant_id, bucket=work.bucket, policy_version=work.policy_version)


def _sidecar(blob: Blob) -> Blob:
    return Blob(blob.backend_id, blob.namespace, sidecar_key(blob.blob_key))


def _content_type(step: Copy) -> str:
    return step.version.facts.headers.get("content-type", "application/octet-stream")
