from __future__ import annotations

import asyncio

import pytest

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.fake import FakeMetadata
from domicile_common.testing.memory import MemoryStore, backend
from domicile_proxy.directory import Cache, Directory


class Loader:
    """Counts loads; ``answers`` are given in turn, the last one for ever."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.loads = 0
        self.gate: asyncio.Event | None = None

    async def __call__(self, key: str) -> str:
        self.loads += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.gate:
            await self.gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return f"{key}:{answer}"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def cache(loader: Loader, clock: Clock, limit: int = 10) -> Cache[str, str]:
    return Cache(loader, clock, limit=limit, ttl=30, refusal_ttl=2)


async def test_a_value_is_kept_for_its_time():
    loader, clock = Loader("1", "2"), Clock()
    known = cache(loader, clock)
    assert [await known.get("a"), await known.get("a")] == ["a:1", "a:1"]
    clock.now = 30
    assert await known.get("a") == "a:2"
    assert loader.loads == 2


async def test_concurrent_misses_share_one_load():
    loader = Loader("1")
    loader.gate = asyncio.Event()
    known = cache(loader, Clock())
    waiting = [asyncio.ensure_future(known.get("a")) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    loader.gate.set()
    assert await asyncio.gather(*waiting[1:]) == ["a:1"] * 4
    assert loader.loads == 1


async def test_a_refusal_is_kept_shortly_and_an_outage_not_at_all():
    loader, clock = Loader(Unavailable("away"), RequestError("InvalidAccessKeyId"), "1"), Clock()
    known = cache(loader, clock)
    with pytest.raises(Unavailable):
        await known.get("a")
    for _ in range(3):
        with pytest.raises(RequestError, match="InvalidAccessKeyId"):
            await known.get("a")
    assert loader.loads == 2
    clock.now = 2
    assert await known.get("a") == "a:1"


async def test_what_is_forgotten_while_it_loads_is_not_kept():
    loader = Loader("old", "new")
    loader.gate = asyncio.Event()
    known = cache(loader, Clock())
    early = asyncio.ensure_future(known.get("a"))
    await asyncio.sleep(0)
    known.forget("a")
    late = asyncio.ensure_future(known.get("a"))
    await asyncio.sleep(0)
    loader.gate.set()
    assert [await early, await late] == ["a:old", "a:new"]
    assert await known.get("a") == "a:new"
    assert loader.loads == 2


async def test_the_least_used_is_thrown_out():
    loader = Loader("1")
    known = cache(loader, Clock(), limit=2)
    for key in ("a", "b", "a", "c", "a"):
        await known.get(key)
    assert loader.loads == 3
    await known.get("b")
    assert loader.loads == 4


async def test_forgetting_by_condition_leaves_the_rest():
    loader = Loader("1")
    known = cache(loader, Clock())
    for key in ("a", "b"):
        await known.get(key)
    known.forget_if(lambda key, _: key == "a")
    for key in ("a", "b"):
        await known.get(key)
    assert loader.loads == 3


async def test_stores_that_are_reopened_are_others_and_the_old_ones_close():
    closed = []

    class Store(MemoryStore):
        async def close(self):
            closed.append(self)

    directory = Directory(FakeMetadata([backend("fi")]), lambda known: known.sealed_secret, Store, Clock(), 30)
    before = await directory.store("fi")
    directory.forget_everything()
    assert await directory.store("fi") is before, "a backend that has not changed keeps its store"
    directory.reopen(30)
    after = await directory.store("fi")
    assert after is not before
    await asyncio.sleep(0)
    assert closed == [before]
