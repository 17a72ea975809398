"""Long tasks as workers claim and advance them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.metadata_client.tasks import AdvanceTask, ClaimTask
from domicile_common.retry import SCHEDULES
from domicile_metadata.domain.tasks import ALLOWED, FINISHED, REASON_LENGTH, Standing, after, wished
from domicile_metadata.services import tasks as service
from domicile_metadata.services.tasks import Kind, NewTask, TaskChange

STATES = ("waiting", "running", "paused", "done", "failed", "cancelled")


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    async def check(_context, parameters) -> None:
        if parameters.name == "nobody":
            raise RequestError("NoSuchTenant", "There is no tenant nobody.")

    monkeypatch.setattr(service, "KINDS", {"one": Kind(Shape, check), "two": Kind(Shape, check)})


standings = st.builds(
    Standing, st.sampled_from(STATES), st.sampled_from([None, "w", "v"]), st.integers(0, 200), st.sampled_from([None, "away"])
)
reports = st.builds(
    AdvanceTask,
    task_id=st.just("1"),
    worker=st.just("w"),
    outcome=st.sampled_from(["working", "stopped", "done", "failed"]),
    cursor=st.sampled_from([None, {"a": 1}]),
    error_class=st.sampled_from([None, *SCHEDULES]),
    reason=st.text(max_size=2 * REASON_LENGTH),
)


@given(reports, standings, st.floats(0, 1, exclude_max=True))
def test_only_its_worker_moves_a_task_and_never_from_its_end(report, task, unit):
    now = after(report, task, unit)
    if task.holder != "w" or task.state in FINISHED:
        assert now is None
        return
    assert now is not None
    assert len(now.error or "") <= REASON_LENGTH
    if report.outcome == "done":
        assert now.state == "done"
    elif report.outcome == "failed":
        assert now.attempt == task.attempt + 1
        assert now.holder is None
        assert now.state == "failed" if report.error_class is None else now.state in {"failed", "waiting", "paused"}
        assert (now.state == "failed") == (now.due_seconds is None)
    else:
        assert now.state == ("waiting" if report.outcome == "stopped" and task.state == "running" else task.state)


@given(standings, st.sampled_from(sorted(ALLOWED)))
def test_an_operator_never_brings_back_what_is_done_or_cancelled(task, wish):
    now = wished(task, wish)
    if task.state == "done" or (task.state == "cancelled" and wish != "cancel"):
        assert now is None
    elif now is not None:
        assert now.state == {"pause": "paused", "resume": "waiting", "cancel": "cancelled"}[wish]


async def create(metadata, kind: str = "one", name: str = "") -> str:
    made = await service.create(metadata.context, NewTask(kind, msgspec.Raw(msgspec.json.encode(Shape(name)))))
    return made.task_id


async def claim(metadata, worker: str = "w", *kinds: str):
    return (await metadata.ask(ClaimTask(kinds=kinds or ("one", "two"), worker=worker))).task


async def advance(metadata, task_id: str, worker: str = "w", **report) -> bool:
    return (await metadata.ask(AdvanceTask(task_id=task_id, worker=worker, **report))).go_on


async def change(metadata, task_id: str, action: str):
    return await service.change(metadata.context, task_id, TaskChange(action))


@pytest.mark.servers
class TestService:
    async def test_the_oldest_comes_first_and_each_once(self, metadata):
        first, second, other = [await create(metadata, kind, kind) for kind in ("one", "one", "two")]
        assert (await claim(metadata, "a", "two")).task_id == other
        assert (await claim(metadata, "b")).task_id == first
        assert (await claim(metadata, "b")).task_id == first, "its answer may have been lost"
        assert (await claim(metadata, "c")).task_id == second
        assert await claim(metadata, "d") is None
        assert await claim(metadata, "e", "none") is None

    async def test_what_it_was_told_and_how_far_it_got(self, metadata):
        task_id = await create(metadata, name="x")
        task = await claim(metadata)
        assert (task.kind, task.parameters, task.cursor, task.progress) == ("one", {"name": "x"}, {}, {})
        assert await advance(metadata, task_id, cursor={"at": "ä/\x00", "n": [1]}, progress={"seen": 3})
        assert await advance(metadata, task_id), "a sign of life changes nothing"
        assert not await advance(metadata, task_id, outcome="stopped")
        task = await claim(metadata, "v")
        assert (task.cursor, task.progress) == ({"at": "ä/\x00", "n": [1]}, {"seen": 3})
        assert not await advance(metadata, task_id, outcome="done", progress={"seen": 4}), "the former worker"
        assert not await advance(metadata, task_id, "v", outcome="done", progress={"seen": 5})
        shown = await service.show(metadata.context, task_id)
        assert (shown.state, shown.progress, shown.error) == ("done", {"seen": 5}, None)
        assert shown.started_at <= shown.finished_at
        assert await claim(metadata) is None

    async def test_a_worker_that_dies_loses_its_task(self, metadata):
        task_id = await create(metadata)
        await claim(metadata)
        assert await claim(metadata, "v") is None
        await metadata.sql("UPDATE tasks SET lease_until = now() - interval '1 second'")
        assert (await claim(metadata, "v")).task_id == task_id
        assert not await advance(metadata, task_id, cursor={"a": 1})
        assert await advance(metadata, task_id, "v")

    async def test_failures_are_tried_again_and_then_given_up(self, metadata):
        task_id = await create(metadata)
        failure = {"outcome": "failed", "error_class": "mismatch", "reason": "fi: other bytes"}
        for _ in range(SCHEDULES["mismatch"].attempts - 1):
            await claim(metadata)
            assert not await advance(metadata, task_id, **failure)
            shown = await service.show(metadata.context, task_id)
            assert (shown.state, shown.error) == ("waiting", "fi: other bytes")
            await metadata.sql("UPDATE tasks SET not_before = now()")
        await claim(metadata)
        await advance(metadata, task_id, **failure)
        assert (await service.show(metadata.context, task_id)).state == "failed"
        await change(metadata, task_id, "resume")
        await claim(metadata)
        assert await advance(metadata, task_id, cursor={"a": 1})
        assert await metadata.sql("SELECT attempt, error FROM tasks") == [(0, None)], "it gets on again"
        await advance(metadata, task_id, outcome="failed", reason="NoSuchBucket")
        assert (await service.show(metadata.context, task_id)).state == "failed", "without a class, at once"

    async def test_a_failed_one_waits_before_it_is_tried_again(self, metadata):
        task_id = await create(metadata)
        await claim(metadata)
        object.__setattr__(metadata.context, "entropy", lambda size: b"\xff" * size)
        await advance(metadata, task_id, outcome="failed", error_class="unavailable", reason="away")
        assert await claim(metadata) is None
        await change(metadata, task_id, "resume")
        assert (await claim(metadata)).task_id == task_id

    async def test_an_operator_steers(self, metadata):
        task_id = await create(metadata)
        await claim(metadata)
        await change(metadata, task_id, "pause")
        assert not await advance(metadata, task_id, cursor={"at": 1})
        assert not await advance(metadata, task_id, outcome="stopped")
        assert await claim(metadata) is None
        assert (await change(metadata, task_id, "resume")).state == "waiting"
        assert (await claim(metadata)).cursor == {"at": 1}
        assert (await change(metadata, task_id, "cancel")).finished_at is not None
        assert not await advance(metadata, task_id, cursor={"at": 2})
        with pytest.raises(RequestError, match="TaskFinished"):
            await change(metadata, task_id, "resume")

    async def test_what_nobody_knows(self, metadata):
        assert not await advance(metadata, "0" * 32)
        assert not await advance(metadata, "nonsense")
