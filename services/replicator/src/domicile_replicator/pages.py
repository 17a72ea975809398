"""Pages of objects, many at a time, where one that cannot be dealt with does not hold up the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from domicile_common.backends.port import BlobStore
from domicile_common.errors import BackendUnavailable
from domicile_common.loops import spread

T = TypeVar("T")
R = TypeVar("R")

TRIES: Final = 3
PAUSE_SECONDS: Final = 0.5


async def each(items: Iterable[T], work: Callable[[T], Awaitable[R]], *, at_once: int) -> list[R]:
    """What ``work`` makes of each, in order; its first error when all have ended."""
    slots = asyncio.Semaphore(at_once)

    async def one(item: T) -> R:
        async with slots:
            return await work(item)

    done = await asyncio.gather(*map(one, items), return_exceptions=True)
    results: list[R] = []
    for outcome in done:
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results


async def patiently(work: Callable[[], Awaitable[R]]) -> R:
    """Tried again a few times while a backend does not serve; then its error is raised."""
    pause = PAUSE_SECONDS
    for _ in range(TRIES - 1):
        try:
            return await work()
        except BackendUnavailable:
            await asyncio.sleep(spread(pause))
            pause *= 2
    return await work()


async def probe(store: BlobStore, namespace: str) -> None:
    """Raises a ``BackendError`` when it is not a single object's fault: then the whole page waits."""
    await store.list_blobs(namespace, prefix="\x7f")
