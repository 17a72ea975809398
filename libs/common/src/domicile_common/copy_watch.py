"""Waiting until versions have the copies that somebody asked for.

All that wait in one process are asked about together, at ticks: a thousand of them cost one look at the record ten times a second at
most, and nothing is added to the reports of those who make the copies. Whoever has waited for long is asked about less often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.models import Copy, FindPlacement
from domicile_common.waiting import Demand, Reached, reached_by

TICK_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 1.0
MOST_WAITERS: Final = 1000

Place = tuple[str, str]  # bucket id, version id
Look = Callable[[Sequence[Place]], Awaitable[Sequence[Sequence[Copy] | None]]]


@dataclass(slots=True, eq=False)
class _Waiter:
    """``reached``: as of the last look; ``None`` when the version is gone. ``due``: when to look again."""

    place: Place
    demand: Demand
    began: float
    due: float
    done: asyncio.Event = field(default_factory=asyncio.Event)
    looked: bool = False
    reached: Reached | None = None

    def learn(self, copies: Sequence[Copy] | None, now: float) -> None:
        self.looked = True
        self.reached = None if copies is None else reached_by(copies)
        if self.reached is None or self.demand.is_met_by(self.reached):
            self.done.set()
        self.due = now + min((now - self.began) / 4, LONGEST_PAUSE_SECONDS)


class CopyWatch:
    """``look``: the copies of each of these versions, ``None`` for one that is gone. ``most``: how many may wait at a time."""

    def __init__(self, look: Look, most: int = MOST_WAITERS) -> None:
        self._look = look
        self._most = most
        self._waiters: set[_Waiter] = set()
        self._looking: asyncio.Task[None] | None = None
        self._stopping = False

    async def wait(self, place: Place, demand: Demand) -> Reached | None:
        """What was reached when the demand was met or its time was up; ``None`` as soon as the version is gone.

        Raises ``Unavailable`` at once when too many wait, and in the end when the record could not be looked at.
        """
        if self._stopping or len(self._waiters) >= self._most:
            raise Unavailable("too many are waiting for copies")
        now = asyncio.get_running_loop().time()
        waiter = _Waiter(place, demand, now, now)
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_at_all())
        try:
            async with asyncio.timeout(demand.seconds):
                await waiter.done.wait()
        except TimeoutError:
            pass
        finally:
            self._waiters.discard(waiter)
        if not waiter.looked:
            raise Unavailable("the record could not be looked at in time")
        return waiter.reached

    def stop(self) -> None:
        """Whoever waits is answered now: the process is about to end."""
        self._stopping = True
        for waiter in self._waiters:
            waiter.done.set()

    async def _look_at_all(self) -> None:
        """Until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._waiters:
            due = [waiter for waiter in self._waiters if waiter.due <= loop.time()]
            places = list(dict.fromkeys(waiter.place for waiter in due))
            try:
                found = dict(zip(places, await self._look(places), strict=True)) if due else {}
            except Unavailable:  # tried again at the next tick, until their time is up
                found = {}
            for waiter in due:
                if waiter.place in found:
                    waiter.learn(found[waiter.place], loop.time())
            await asyncio.sleep(TICK_SECONDS)


def look_through(metadata: Metadata) -> Look:
    """By asking the metadata service; its client joins the questions into one."""

    async def look_at(place: Place) -> Sequence[Copy] | None:
        try:
            return (await metadata.call(FindPlacement(bucket_id=place[0], version_id=place[1]))).copies
        except RequestError:
            return None

    async def look(places: Sequence[Place]) -> Sequence[Sequence[Copy] | None]:
        return await asyncio.gather(*map(look_at, places))

    return look
