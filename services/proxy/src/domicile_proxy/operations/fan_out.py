"""One body to several backends at once, as long as enough of them take it.

Nothing here decides where bytes may go: the targets come from an intent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from domicile_common.backends.port import BlobStore, Sink
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import BackendError, BackendUnavailable, BlobMismatch, NamespaceNotFound
from domicile_common.model import Blob
from domicile_proxy import metrics
from domicile_proxy.context import Context
from domicile_proxy.health import Health

LATE_SECONDS = 1.0
"""How long those that are not needed may take longer than those that are; what they miss is copied to them."""

T = TypeVar("T")
Key = TypeVar("Key")

log = structlog.get_logger()


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All at once; the first failure cancels the others and is raised when they have ended."""
    first, *others = coroutines
    if not others:
        return [await first]
    tasks = [asyncio.ensure_future(coroutine) for coroutine in (first, *others)]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        await _cancel(tasks)
        raise


async def at_least(
    quorum: int, work: Sequence[tuple[Key, Coroutine[Any, Any, T]]], patience: float | None = None
) -> tuple[list[T], list[Key]]:
    """What the coroutines return, and whose failed while ``quorum`` of them can still succeed.

    Those that take ``patience`` seconds longer than the quorum are cancelled, and count as failed. Raises the ``BackendError`` that made
    the quorum impossible, or whatever else one of them raised, when the others have ended.
    """
    assert 1 <= quorum <= len(work), "a decision writes to its quorum at least"
    if len(work) == 1:
        return [await work[0][1]], []
    tasks = {asyncio.ensure_future(coroutine): key for key, coroutine in work}
    pending, done = {*tasks}, set[asyncio.Task[T]]()
    failed: list[Key] = []
    try:
        while pending:
            enough = patience is not None and len(done) - len(failed) >= quorum
            now, pending = await asyncio.wait(pending, timeout=patience if enough else None, return_when=asyncio.FIRST_COMPLETED)
            for task in now:
                _note(task, tasks[task], failed, len(tasks) - quorum)
            done |= now
            if not now:
                break
    except BaseException:
        await _cancel(tasks)
        raise
    await _cancel(pending)
    failed += [tasks[task] for task in pending]
    return [task.result() for task in tasks if tasks[task] not in failed], failed


def _note(task: asyncio.Task[Any], key: Key, failed: list[Key], most: int) -> None:
    error = task.exception()
    if error is None:
        return
    if not isinstance(error, BackendError) or len(failed) >= most:
        raise error
    log.warning("a write goes on without a backend", backend=error.backend_id, error=str(error))
    metrics.DROPPED.labels(error.backend_id).inc()
    failed.append(key)


async def _cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    ended = [*tasks]
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Target:
    """One backend's share of a write."""

    store: BlobStore
    blob: Blob
    sink: Sink
    health: Health

    async def finish(self, md5: str) -> tuple[str, str]:
        """Backend id and the ETag of what it stored. Raises ``BlobMismatch`` when that proves that it stored something else."""
        try:
            etag = await self.sink.finish()
        except NamespaceNotFound:
            self.store.forget_namespace(self.blob.namespace)
            raise
        if quirks_of(self.store.backend).etag_is_md5 and etag != md5:
            raise BlobMismatch(self.blob.backend_id, "the ETag of what was stored is not the MD5 of what was sent")
        self.health.succeeded(self.blob.backend_id)
        return self.blob.backend_id, etag


class FanOut:
    """One body to several backends: each chunk goes to all, at the speed of the slowest.

    One that fails is dropped while ``quorum`` of them are left; ``dropped`` has their ids.
    """

    def __init__(self, targets: Sequence[Target], quorum: int) -> None:
        self._targets = [*targets]
        self._quorum = quorum
        self.dropped: list[str] = []

    def add(self, target: Target) -> None:
        self._targets.append(target)

    async def write(self, chunk: bytes) -> None:
        if chunk:
            await self._each(lambda target: target.sink.write(chunk))

    async def finish(self, md5: str) -> dict[str, str]:
        """Backend id → ETag of what it stored. ``md5``: of what was written, 32 hex digits."""
        return dict(await self._each(lambda target: target.finish(md5), LATE_SECONDS))

    async def abort(self) -> None:
        await asyncio.gather(*(target.sink.abort() for target in self._targets), return_exceptions=True)

    async def _each(self, act: Callable[[Target], Coroutine[Any, Any, T]], patience: float | None = None) -> list[T]:
        results, failed = await at_least(
            self._quorum, [(target.blob.backend_id, act(target)) for target in self._targets], patience
        )
        if failed:
            await self._drop(failed)
        return results

    async def _drop(self, backend_ids: Sequence[str]) -> None:
        gone = FanOut([target for target in self._targets if target.blob.backend_id in backend_ids], 0)
        self._targets = [target for target in self._targets if target.blob.backend_id not in backend_ids]
        self.dropped += backend_ids
        await gone.abort()


async def open_all(
    blobs: Iterable[Blob], quorum: int, open_one: Callable[[BlobStore, Blob], Awaitable[Sink]], context: Context
) -> FanOut:
    """Opens ``quorum`` of them at least, or none.

    Raises the ``BackendError`` of one that failed. Those that failed are noted, so that the next decision avoids them.
    """
    opened = FanOut([], quorum)

    async def open_target(blob: Blob) -> None:
        store = await context.directory.store(blob.backend_id)
        try:
            opened.add(Target(store, blob, await open_one(store, blob), context.health))
        except BackendError as error:
            note_failure(error, store, blob, context.health)
            raise

    try:
        _, opened.dropped = await at_least(quorum, [(blob.backend_id, open_target(blob)) for blob in blobs])
    except BaseException:
        await opened.abort()
        raise
    return opened


def note_failure(error: BackendError, store: BlobStore, blob: Blob, health: Health) -> None:
    """What a failure before the client could have been the cause of it tells about the backend."""
    if isinstance(error, NamespaceNotFound):
        store.forget_namespace(blob.namespace)
    elif isinstance(error, BackendUnavailable):  # a refusal may be about this one key
        health.failed(blob.backend_id)
