from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from domicile_common import copy_watch
from domicile_common.copy_watch import CopyWatch
from domicile_common.errors import Unavailable
from domicile_common.metadata_client.models import Copy
from domicile_common.waiting import Demand, Reached

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TWO = Demand(copies=2, seconds=20)


class Record:
    """``looks``: what was asked for, look by look."""

    def __init__(self) -> None:
        self.copies: dict[str, int] = {}
        self.away = False
        self.looks: list[Sequence[tuple[str, str]]] = []

    async def __call__(self, places: Sequence[tuple[str, str]]) -> Sequence[Sequence[Copy] | None]:
        self.looks.append(places)
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("away")
        return [self._copies(version_id) for _, version_id in places]

    def _copies(self, version_id: str) -> Sequence[Copy] | None:
        if version_id not in self.copies:
            return None
        return [Copy(f"b{number}", "p", "FI", "verified", NOW) for number in range(self.copies[version_id])]


@pytest.fixture
def record(monkeypatch):
    monkeypatch.setattr(copy_watch, "TICK_SECONDS", 0.005)
    return Record()


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a condition of a test
            await asyncio.sleep(0.001)  # the looks are counted, not announced


async def test_what_is_there_is_answered_at_the_first_look(record):
    record.copies["v"] = 2
    assert await CopyWatch(record).wait(("b", "v"), TWO) == Reached(("b0", "b1"), ("FI",))
    assert len(record.looks) == 1


async def test_all_that_wait_are_asked_about_together(record):
    record.copies = {f"v{number}": 1 for number in range(50)}
    watch = CopyWatch(record)
    waiting = [asyncio.create_task(watch.wait(("b", f"v{number % 50}"), TWO)) for number in range(100)]
    await until(lambda: len(record.looks) >= 2)
    record.copies = dict.fromkeys(record.copies, 2)
    assert {await task for task in waiting} == {Reached(("b0", "b1"), ("FI",))}
    assert len(record.looks[0]) == 50
    await until(watch._looking.done)  # nobody waits any more


async def test_what_was_reached_is_told_when_time_is_up(record):
    record.copies["v"] = 1
    assert await CopyWatch(record).wait(("b", "v"), Demand(copies=2, seconds=1)) == Reached(("b0",), ("FI",))


async def test_a_version_that_goes_ends_the_wait(record):
    record.copies["v"] = 1
    waiting = asyncio.create_task(CopyWatch(record).wait(("b", "v"), TWO))
    await until(lambda: record.looks)
    del record.copies["v"]
    assert await waiting is None


async def test_a_record_that_is_away_for_a_while_is_asked_again(record):
    record.copies["v"] = 2
    record.away = True
    waiting = asyncio.create_task(CopyWatch(record).wait(("b", "v"), TWO))
    await until(lambda: len(record.looks) >= 3)
    record.away = False
    assert await waiting is not None


async def test_a_record_that_stays_away_is_said_so(record):
    record.away = True
    with pytest.raises(Unavailable):
        await CopyWatch(record).wait(("b", "v"), Demand(copies=1, seconds=1))


async def test_only_so_many_may_wait(record):
    record.copies["v"] = 1
    watch = CopyWatch(record, most=2)
    waiting = [asyncio.create_task(watch.wait(("b", "v"), TWO)) for _ in range(2)]
    await until(lambda: record.looks)
    with pytest.raises(Unavailable):
        await watch.wait(("b", "v"), TWO)
    record.copies["v"] = 2
    await asyncio.gather(*waiting)
    assert await watch.wait(("b", "v"), TWO)


async def test_a_process_that_stops_keeps_nobody_waiting(record):
    record.copies["v"] = 1
    watch = CopyWatch(record)
    waiting = asyncio.create_task(watch.wait(("b", "v"), TWO))
    await until(lambda: record.looks)
    watch.stop()
    assert await waiting == Reached(("b0",), ("FI",))
    with pytest.raises(Unavailable):
        await watch.wait(("b", "v"), TWO)
