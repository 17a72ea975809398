"""Waiting for one's turn at a backend: jobs and bytes at a time, bytes and requests a second; fresh work goes before backfill."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Final, NamedTuple

from domicile_common.backends.port import BlobInfo, BlobStore, Page, Sink, Source
from domicile_common.loops import set_within
from domicile_common.model import Blob, Part
from domicile_replicator.pace import Share, TokenBucket


class _Waiting(NamedTuple):
    amount: int
    entered: asyncio.Future[None]


class Capacity:
    """So much may be in use at a time; whoever asks for more waits, fresh work first. Backfill never has more than half, if it can be halved.

    In the order of their coming: who asks for much is not overtaken for ever by those who ask for little.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = {True: 0, False: 0}  # by whether it is fresh
        self._waiting: dict[bool, deque[_Waiting]] = {True: deque(), False: deque()}

    @contextlib.asynccontextmanager
    async def use(self, amount: int, *, fresh: bool) -> AsyncIterator[None]:
        """``amount`` that exceeds the whole gets it all."""
        await self._enter(amount, fresh)
        try:
            yield
        finally:
            self._leave(amount, fresh)

    def resize(self, size: int) -> None:
        """What is in use already stays in use."""
        self._size = size
        self._admit()

    async def _enter(self, amount: int, fresh: bool) -> None:  # noqa: FBT001 - from here on it is a key
        waiting = _Waiting(amount, asyncio.get_running_loop().create_future())
        self._waiting[fresh].append(waiting)
        self._admit()
        try:
            await waiting.entered
        except asyncio.CancelledError:
            if waiting.entered.cancelled():
                self._admit()  # whoever stood behind it
            else:  # let in and cancelled in the same moment
                self._leave(amount, fresh)
            raise

    def _leave(self, amount: int, fresh: bool) -> None:  # noqa: FBT001 - as above
        self._used[fresh] -= amount
        self._admit()

    def _admit(self) -> None:
        for fresh in (True, False):
            queue = self._waiting[fresh]
            while queue and (queue[0].entered.cancelled() or self._fits(queue[0].amount, fresh)):
                amount, entered = queue.popleft()
                if not entered.cancelled():
                    self._used[fresh] += amount
                    entered.set_result(None)
            if queue and fresh:
                return

    def _fits(self, amount: int, fresh: bool) -> bool:  # noqa: FBT001 - as above
        used = self._used[True] + self._used[False]
        if used and used + amount > self._size:
            return False
        return fresh or not self._used[False] or self._used[False] + amount <= self._size // 2


class Meter:
    """So much a second. One asker at a time pays for what it took, so fresh work waits behind one of backfill at most."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(None, time.monotonic())
        self._turn = Capacity(1)
        self._changed = asyncio.Event()

    async def spend(self, amount: int, *, fresh: bool) -> None:
        if self._bucket.rate is None:
            return
        async with self._turn.use(1, fresh=fresh):
            self._bucket.take(amount, time.monotonic())
            while delay := self._bucket.delay(time.monotonic()):
                self._changed.clear()
                await set_within(self._changed, delay)

    def change(self, rate: float | None) -> None:
        if rate != self._bucket.rate:
            self._bucket.change(rate, time.monotonic())
            self._changed.set()


class Throttle:
    """What one process may do at one backend. ``bytes_in_flight``: of all copies to it, of which one counts ``heaviest`` at most."""

    def __init__(self, bytes_in_flight: int, heaviest: int) -> None:
        self._heaviest: Final = heaviest
        self._jobs = Capacity(1)
        self._in_flight = Capacity(bytes_in_flight)
        self.bytes = Meter()
        self.requests = Meter()

    def adjust(self, share: Share) -> None:
        """Takes effect at once, also for what is under way."""
        self._jobs.resize(share.jobs)
        self.bytes.change(share.bytes_per_second)
        self.requests.change(share.requests_per_second)

    def allow(self, bytes_in_flight: int) -> None:
        self._in_flight.resize(bytes_in_flight)

    @contextlib.asynccontextmanager
    async def job(self, *, fresh: bool) -> AsyncIterator[None]:
        async with self._jobs.use(1, fresh=fresh):
            yield

    @contextlib.asynccontextmanager
    async def copy(self, size: int, *, fresh: bool) -> AsyncIterator[None]:
        async with self._in_flight.use(min(size, self._heaviest), fresh=fresh):
            yield


class ThrottledStore:
    """A ``BlobStore`` whose requests and bytes wait for their turn."""

    def __init__(self, store: BlobStore, throttle: Throttle, *, fresh: bool) -> None:
        self.backend = store.backend
        self._store = store
        self._throttle = throttle
        self._fresh = fresh

    async def _request(self) -> BlobStore:
        await self._throttle.requests.spend(1, fresh=self._fresh)
        return self._store

    async def _bytes(self, size: int) -> None:
        await self._throttle.bytes.spend(size, fresh=self._fresh)

    async def list_namespaces(self) -> tuple[str, ...]:
        return await (await self._request()).list_namespaces()

    async def ensure_namespace(self, namespace: str) -> None:
        await self._store.ensure_namespace(namespace)  # it asks once, and remembers

    def forget_namespace(self, namespace: str) -> None:
        self._store.forget_namespace(namespace)

    async def delete_namespace(self, namespace: str) -> bool:
        return await (await self._request()).delete_namespace(namespace)

    async def open_put(self, blob: Blob, length: int, headers: Mapping[str, str]) -> Sink:
        return _Sink(await (await self._request()).open_put(blob, length, headers), self)

    async def open_get(self, blob: Blob, start: int = 0, end: int | None = None) -> Source:
        return _Source(await (await self._request()).open_get(blob, start, end), self)

    async def head(self, blob: Blob) -> BlobInfo:
        return await (await self._request()).head(blob)

    async def find_tags(self, blob: Blob) -> dict[str, str]:
        return await (await self._request()).find_tags(blob)

    async def part_sizes(self, blob: Blob, count: int) -> tuple[int, ...]:
        return await (await self._request()).part_sizes(blob, count)

    async def copy(self, source: Blob, target: Blob, headers: Mapping[str, str]) -> str:
        return await (await self._request()).copy(source, target, headers)

    async def delete(self, blob: Blob) -> None:
        await (await self._request()).delete(blob)

    async def create_upload(self, blob: Blob, headers: Mapping[str, str]) -> str:
        return await (await self._request()).create_upload(blob, headers)

    async def open_part(self, blob: Blob, upload_id: str, number: int, length: int) -> Sink:
        return _Sink(await (await self._request()).open_part(blob, upload_id, number, length), self)

    async def complete_upload(self, blob: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
        return await (await self._request()).complete_upload(blob, upload_id, parts)

    async def abort_upload(self, blob: Blob, upload_id: str) -> None:
        await (await self._request()).abort_upload(blob, upload_id)

    async def list_all_uploads(self, namespace: str) -> tuple[tuple[str, str], ...]:
        return await (await self._request()).list_all_uploads(namespace)

    async def list_uploads(self, blob: Blob) -> tuple[str, ...]:
        return await (await self._request()).list_uploads(blob)

    async def list_parts(self, blob: Blob, upload_id: str) -> tuple[Part, ...]:
        return await (await self._request()).list_parts(blob, upload_id)

    async def list_blobs(self, namespace: str, prefix: str = "", after: str = "") -> Page:
        return await (await self._request()).list_blobs(namespace, prefix, after)

    async def close(self) -> None:
        await self._store.close()


class _Sink:
    def __init__(self, sink: Sink, store: ThrottledStore) -> None:
        self._sink = sink
        self._store = store

    async def write(self, chunk: bytes) -> None:
        await self._store._bytes(len(chunk))  # noqa: SLF001 - a part of it
        await self._sink.write(chunk)

    async def finish(self) -> str:
        return await self._sink.finish()

    async def abort(self) -> None:
        await self._sink.abort()


class _Source:
    def __init__(self, source: Source, store: ThrottledStore) -> None:
        self.info = source.info
        self._source = source
        self._store = store

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._source.chunks():
            await self._store._bytes(len(chunk))  # noqa: SLF001 - a part of it
            yield chunk

    async def close(self) -> None:
        await self._source.close()
