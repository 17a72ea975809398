"""Loops of services that outlive what they depend on."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from domicile_common.errors import Unavailable

log = structlog.get_logger()

SHORTEST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0


async def repeat(session: Callable[[], Awaitable[None]], stopping: asyncio.Event, what: str) -> None:
    """Runs ``session`` until ``stopping`` is set: again after each ``Unavailable``, with pauses that grow while these are frequent."""
    pause = SHORTEST_PAUSE_SECONDS
    while not stopping.is_set():
        began = time.monotonic()
        try:
            await session()
        except Unavailable as error:
            log.warning("interrupted", what=what, why=str(error))
        if time.monotonic() - began > LONGEST_PAUSE_SECONDS:
            pause = SHORTEST_PAUSE_SECONDS
        await set_within(stopping, spread(pause))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def spread(seconds: float) -> float:
    """Half to all of ``seconds``, so that many processes do not come back at the same moment."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - guards nothing


async def any_of(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Returns when one of the events is set, or after so many seconds."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """True as soon as the event is set, False when that does not happen within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
