"""The bytes of a version on their way from its sources: from the next one when one fails, verified as they pass, cut where parts end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import structlog

from domicile_common.backends.port import BlobStore, Sink
from domicile_common.errors import BackendError, BackendUnavailable, BlobMismatch, BlobNotFound
from domicile_common.model import Blob, Digest
from domicile_replicator.verify import Verifier

log = structlog.get_logger()


class Feed:
    """``digest``: of the whole body; it is read from byte ``start`` on. Use it as a context, which ends the reading.

    ``tried``: how many of ``sources`` were asked. ``sent``: bytes that were poured. ``only``: the backend that all bytes of the whole came
    from, in the end. Raises ``BlobMismatch`` that names the source when the
    bytes are wrong, and the error of the last source when none serves.
    """

    def __init__(
        self, stores: Mapping[str, BlobStore], sources: Sequence[Blob], digest: Digest, verifier: Verifier, start: int = 0
    ) -> None:
        self.tried = 0
        self.sent = 0
        self.only = ""
        self._stores = stores
        self._sources = sources
        self._size = digest.size
        self._etag = "" if digest.crc else digest.given_etag
        self._verifier = verifier
        self._at = start
        self._chunks = self._read()
        self._rest = b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._chunks.aclose()  # type: ignore[attr-defined] # an async generator, which typing calls an iterator

    async def pour(self, sink: Sink, length: int, *, last: bool) -> None:
        """``length`` bytes into the sink; of the ``last`` sink's, the end is withheld until the whole body was verified."""
        withheld = b""
        while length > 0:
            chunk = await self._next(length)
            length -= len(chunk)
            if withheld:
                await sink.write(withheld)
                self.sent += len(withheld)
            withheld = chunk
        if last:
            await self.end()
        if withheld:
            await sink.write(withheld)
            self.sent += len(withheld)

    async def skip(self, length: int) -> None:
        """``length`` bytes that the target has already: they are only verified."""
        while length > 0:
            length -= len(await self._next(length))

    async def end(self) -> None:
        """The body must end here, and be what the record describes."""
        if self._rest or (self._at < self._size and await anext(self._chunks, b"")) or await anext(self._chunks, b""):
            raise BlobMismatch(self._name(), "the body is longer than the record says")
        fault = self._verifier.fault()
        if fault:
            raise BlobMismatch(self._name(), fault)

    async def _next(self, limit: int) -> bytes:
        while not self._rest:
            self._rest = await anext(self._chunks)
            self._verifier.update(self._rest)
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece

    def _name(self) -> str:
        return self._sources[max(self.tried, 1) - 1].backend_id

    async def _read(self) -> AsyncIterator[bytes]:
        """From each source in turn, from the byte where the one before stopped. Nothing is asked for behind the last byte: S3 refuses it."""
        failure: BackendError = BlobNotFound("", "there is no source")
        for source in self._sources:
            if 0 < self._size <= self._at:
                return
            self.tried += 1
            is_whole = self._at == 0
            try:
                async with reading(self._stores, source, size=self._size, etag=self._etag, start=self._at) as chunks:
                    async for chunk in chunks:
                        self._at += len(chunk)
                        yield chunk
                if self._at >= self._size:
                    self.only = source.backend_id if is_whole else ""
                    return
                failure = BlobMismatch(source.backend_id, "the body is shorter than the record says")
            except BackendError as error:
                failure = error
            log.warning("a source does not serve", backend=source.backend_id, why=str(failure), byte=self._at)
        raise failure


@contextlib.asynccontextmanager
async def reading(
    stores: Mapping[str, BlobStore], blob: Blob, size: int | None = None, etag: str = "", start: int = 0
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body of a blob from byte ``start`` on; raises ``BlobMismatch`` before it is read when it announces another size in bytes.

    ``etag``: what an adopted object must have, while nothing else tells it from another of the same size.
    """
    store = stores.get(blob.backend_id)
    if store is None:
        raise BackendUnavailable(blob.backend_id, "is not registered")
    source = await store.open_get(blob, start)
    try:
        if size is not None and source.info.size != size:
            raise BlobMismatch(blob.backend_id, f"{source.info.size} bytes instead of {size}")
        if etag and source.info.etag != etag:
            raise BlobMismatch(blob.backend_id, "has another ETag than when it was adopted")
        yield source.chunks()
    finally:
        await source.close()
