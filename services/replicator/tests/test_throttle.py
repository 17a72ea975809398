from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.testing.memory import MemoryStore, backend, blob
from domicile_replicator.pace import Share
from domicile_replicator.throttle import Capacity, Meter, Throttle, ThrottledStore


class Crowd:
    """Uses of a capacity by name, each until it is told to end."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.inside: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, amount: int = 1, *, fresh: bool = True) -> None:
        self.ends[name] = asyncio.Event()

        async def use() -> None:
            async with self.capacity.use(amount, fresh=fresh):
                self.inside.append(name)
                await self.ends[name].wait()
            self.inside.remove(name)

        self.tasks[name] = asyncio.create_task(use())
        await self.settle()

    async def go(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_who_asks_for_more_than_is_left_waits_and_is_not_overtaken():
    crowd = Crowd(Capacity(10))
    await crowd.come("large", 10)
    await crowd.come("larger", 20)  # more than there is: alone, then
    await crowd.come("small", 1)
    assert crowd.inside == ["large"]
    await crowd.go("large")
    assert crowd.inside == ["larger"]
    await crowd.go("larger", "small")
    assert crowd.inside == []


async def test_backfill_leaves_room_for_fresh_work():
    crowd = Crowd(Capacity(4))
    for number in range(4):
        await crowd.come(f"b{number}", fresh=False)
    assert crowd.inside == ["b0", "b1"]
    for number in range(3):
        await crowd.come(f"f{number}")
    assert crowd.inside == ["b0", "b1", "f0", "f1"]
    await crowd.go("b0")
    assert crowd.inside == ["b1", "f0", "f1", "f2"]  # fresh work first
    await crowd.go("f0", "f1", "f2", "b1")
    assert crowd.inside == ["b2", "b3"]
    await crowd.go("b2", "b3")


async def test_one_place_is_taken_in_turns():
    crowd = Crowd(Capacity(1))
    for name, fresh in (("b0", False), ("b1", False), ("f0", True)):
        await crowd.come(name, fresh=fresh)
    for expected in ("b0", "f0", "b1"):
        assert crowd.inside == [expected]
        await crowd.go(expected)


async def test_another_size_binds_those_who_come():
    crowd = Crowd(Capacity(1))
    for name in ("a", "b", "c"):
        await crowd.come(name)
    crowd.capacity.resize(3)
    await crowd.settle()
    assert crowd.inside == ["a", "b", "c"]
    crowd.capacity.resize(1)
    await crowd.come("d")
    await crowd.go("a", "b")
    assert crowd.inside == ["c"]
    await crowd.go("c", "d")


@pytest.mark.parametrize("granted", [True, False])
async def test_who_is_cancelled_takes_nothing(granted):
    crowd = Crowd(Capacity(1))
    await crowd.come("a")
    await crowd.come("b")
    crowd.ends["a"].set()
    if granted:  # it may be let in and cancelled in the same moment
        await asyncio.sleep(0)
    crowd.tasks["b"].cancel()
    await crowd.come("c")
    assert crowd.inside == ["c"]
    await crowd.go("c")


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.booleans()), max_size=20))
def test_everybody_has_their_turn_and_nobody_more_than_there_is(size, uses):
    async def run() -> None:
        capacity, used, most = Capacity(size), 0, 0

        async def use(amount: int, *, fresh: bool) -> None:
            nonlocal used, most
            async with capacity.use(amount, fresh=fresh):
                used += amount
                most = max(most, used if used > amount else 0)  # who asks for too much is alone
                try:
                    await asyncio.sleep(0)
                finally:
                    used -= amount

        tasks = [asyncio.create_task(use(amount, fresh=fresh)) for amount, fresh, _ in uses]
        await asyncio.sleep(0)
        for task, (_, _, dies) in zip(tasks, uses, strict=True):
            if dies:
                task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
        assert most <= size
        async with asyncio.timeout(30), capacity.use(size, fresh=False):
            pass

    asyncio.run(run())


async def test_a_rate_is_kept_until_it_ends():
    meter = Meter()
    meter.change(10)
    began = time.monotonic()
    await meter.spend(15, fresh=True)
    assert time.monotonic() - began > 0.4
    waiting = asyncio.create_task(meter.spend(1_000_000, fresh=False))
    await asyncio.sleep(0)
    assert not waiting.done()
    meter.change(None)
    await asyncio.wait_for(waiting, 30)


async def test_a_store_spends_requests_and_bytes_both_ways():
    store = MemoryStore(backend("de"))
    throttle = Throttle(100, 100)
    throttle.adjust(Share(1))
    spent = {"requests": 0, "bytes": 0}

    def count(name: str):
        async def spend(amount: int, *, fresh: bool) -> None:
            spent[name] += amount

        return spend

    throttle.requests.spend = count("requests")
    throttle.bytes.spend = count("bytes")
    throttled = ThrottledStore(store, throttle, fresh=False)
    sink = await throttled.open_put(blob("de"), 5, {})
    await sink.write(b"hello")
    await sink.finish()
    source = await throttled.open_get(blob("de"))
    assert b"".join([chunk async for chunk in source.chunks()]) == b"hello"
    await source.close()
    await throttled.head(blob("de"))
    assert spent == {"requests": 3, "bytes": 10}


async def test_more_bytes_may_be_allowed_while_some_wait():
    throttle = Throttle(10, 100)
    first, second = asyncio.Event(), asyncio.Event()

    async def copy(begun):
        async with throttle.copy(8, fresh=True):
            begun.set()
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(copy(begun)) for begun in (first, second)]
    await first.wait()
    assert not second.is_set()
    throttle.allow(16)
    async with asyncio.timeout(30):
        await second.wait()
    for task in tasks:
        task.cancel()
