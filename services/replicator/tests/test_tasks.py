"""Long tasks as a replicator carries them out, with runners that do what each test says."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from domicile_common.errors import BackendUnavailable, RequestError, Unavailable
from domicile_common.metadata_client.fake import FakeMetadata
from domicile_common.metadata_client.tasks import AdvanceTask, ClaimTask, Task
from domicile_common.model import Value
from domicile_common.testing.memory import MemoryStore, backend
from domicile_replicator import tasks
from domicile_replicator.directory import Directory, Limits
from domicile_replicator.tasks import Run, Tasks


class Count(Value, frozen=True):
    to: int


class At(Value, frozen=True):
    number: int = 0


async def count(run: Run) -> None:
    """Counts to what its parameters say, and saves each step."""
    for number in range(run.cursor(At).number, run.parameters(Count).to):
        run.progress["counted"] += 1
        await run.save(At(number + 1))


def task(number: int, to: int = 3) -> Task:
    return Task(task_id=f"{number:032x}", kind="count", parameters={"to": to}, cursor={}, progress={})


class Site:
    def __init__(self) -> None:
        self.metadata = FakeMetadata([backend("fi")])
        self.directory = Directory(self.metadata, MemoryStore, Limits(2**20, 2**20))
        self.stop = asyncio.Event()
        self.ended = asyncio.Event()

    @contextlib.asynccontextmanager
    async def working(self, runner=count, slots=1):
        await self.directory.refresh()
        running = asyncio.create_task(
            Tasks(self.metadata, self.directory, {"count": runner}, slots=slots, seconds=lambda: 0.01).run(self.stop)
        )
        try:
            yield
        finally:
            self.stop.set()
            async with asyncio.timeout(10):
                await running

    async def reports(self, outcome: str, number: int = 1) -> list[AdvanceTask]:
        async with asyncio.timeout(10):
            while True:
                found = [it for it in self.metadata.asked if isinstance(it, AdvanceTask) and it.outcome == outcome]
                if len(found) >= number:
                    return found
                await asyncio.sleep(0.005)


@pytest.fixture
def site() -> Site:
    return Site()


async def test_tasks_are_carried_out_one_after_the_other(site):
    site.metadata.tasks += [task(1), task(2, to=0)]
    async with site.working():
        first, second = await site.reports("done", 2)
    assert (first.progress, second.progress) == ({"counted": 3}, {})
    saved = [it for it in site.metadata.asked if isinstance(it, AdvanceTask) and it.outcome == "working"]
    assert [it.cursor for it in saved] == [{"number": 1}, {"number": 2}, {"number": 3}]
    assert site.metadata.tasks == []


async def test_it_begins_where_it_stood(site):
    site.metadata.tasks.append(
        Task(task_id="1", kind="count", parameters={"to": 3}, cursor={"number": 2}, progress={"counted": 2})
    )
    async with site.working():
        (done,) = await site.reports("done")
    assert done.progress == {"counted": 3}


@pytest.mark.parametrize(
    "error, error_class, reason",
    [
        (BackendUnavailable("fi", "away"), "unavailable", "fi: away"),
        (RequestError("NoSuchBucket", "gone"), None, "NoSuchBucket: gone"),
        (KeyError("a secret"), "internal", "unexpected KeyError"),
    ],
)
async def test_a_failure_is_reported_and_the_next_task_is_taken(site, error, error_class, reason):
    async def fail(run: Run) -> None:
        if run.task.task_id == task(1).task_id:
            raise error

    site.metadata.tasks += [task(1), task(2)]
    async with site.working(fail):
        await site.reports("done")
    (failed,) = await site.reports("failed")
    assert (failed.error_class, failed.reason) == (error_class, reason)


async def test_a_stop_hands_back_at_once(site):
    begun = asyncio.Event()

    async def endless(run: Run) -> None:
        await run.save(At(7))
        begun.set()
        await asyncio.Event().wait()

    site.metadata.tasks.append(task(1))
    async with site.working(endless), asyncio.timeout(10):
        await begun.wait()
    await site.reports("stopped")
    assert site.metadata.tasks[0].cursor == {"number": 7}
    assert site.metadata.holders == {}


@pytest.mark.parametrize("beats", [True, False])
async def test_a_task_that_was_taken_away_is_let_go(site, monkeypatch, beats):
    monkeypatch.setattr(tasks, "BEAT_SECONDS", 0.01 if beats else 3600)
    ended = asyncio.Event()

    async def lose(run: Run) -> None:
        site.metadata.holders[run.task.task_id] = "another"
        try:
            await (asyncio.Event().wait() if beats else run.save(At(1)))
        finally:
            ended.set()

    site.metadata.tasks.append(task(1))
    async with site.working(lose):
        await site.reports("stopped")
    assert ended.is_set()
    assert site.metadata.tasks == [task(1)]


async def test_metadata_may_be_away(site):
    site.metadata.tasks.append(task(1))
    site.metadata.failing[ClaimTask] = Unavailable("away")
    async with site.working():
        async with asyncio.timeout(10):
            while not site.metadata.asked[1:]:  # noqa: ASYNC110 - the fake has no event to wait for
                await asyncio.sleep(0.005)
        site.metadata.failing[AdvanceTask] = site.metadata.failing.pop(ClaimTask)
        await site.reports("working")
        del site.metadata.failing[AdvanceTask]
        (done,) = await site.reports("done")
    assert done.progress == {"counted": 3}


async def test_as_many_at_a_time_as_there_are_slots(site):
    both = asyncio.Barrier(2)

    async def meet(_: Run) -> None:
        await both.wait()

    site.metadata.tasks += [task(1), task(2)]
    async with site.working(meet, slots=2):
        await site.reports("done", 2)
