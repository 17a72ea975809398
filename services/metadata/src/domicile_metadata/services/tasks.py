"""Long tasks: begun and steered by operators, claimed and advanced by replicators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from domicile_common.errors import RequestError
from domicile_common.metadata_client.probes import Probe
from domicile_common.metadata_client.rebuild import Rebuild
from domicile_common.metadata_client.scrub import Scrub
from domicile_common.metadata_client.tasks import Advanced, AdvanceTask, Claimed, ClaimTask, Json
from domicile_common.sealing import backend_context
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, is_id, uuid7
from domicile_metadata.domain.tasks import Prepared, TaskState, Wish, after, task_backend, wished
from domicile_metadata.services import adoption, audit, exports, probes, rebuild, scrub
from domicile_metadata.storage import tasks, transfers
from domicile_metadata.storage.tasks import ShownTask

T = TypeVar("T")

LEASE_SECONDS: Final = 60.0  # a worker reports at least every quarter of it


class Kind(NamedTuple):
    """``shape``: of its parameters. ``check``: refuses those that name what is not there, and may say what is kept of them.

    ``counts``: what an operator wants to know besides, of the parameters that were kept.
    """

    shape: type[Any]
    check: Callable[[Context, Any], Awaitable[Prepared | None]]
    counts: Callable[[Context, Json], Awaitable[dict[str, int]]] | None = None


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "adopt": Kind(adoption.WantedAdoption, adoption.prepare, adoption.count_copies),
        "export": Kind(exports.WantedExport, exports.prepare),
        "probe": Kind(Probe, probes.check),
        "rebuild": Kind(Rebuild, rebuild.check),
        "scrub": Kind(Scrub, scrub.check),
    }
)


class NewTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    parameters: msgspec.Raw = msgspec.Raw(b"{}")


class TaskChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    action: Wish


class TaskPage(msgspec.Struct, frozen=True):
    tasks: tuple[ShownTask, ...]
    truncated: bool


async def create(context: Context, new: NewTask) -> ShownTask:
    """Raises ``InvalidArgument``, and what the kind's check raises."""
    kind = KINDS.get(new.kind)
    if kind is None:
        raise RequestError("InvalidArgument", f"kind is one of {', '.join(sorted(KINDS))}.")
    try:
        parameters = msgspec.json.decode(new.parameters, type=kind.shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("InvalidArgument", f"The parameters are malformed: {error}") from None
    kept = await kind.check(context, parameters) or Prepared(parameters)
    task_id = uuid7(context.clock(), context.entropy(RANDOM_BYTES))
    async with context.database.transaction() as session:
        made = await tasks.insert(session, task_id, new.kind, msgspec.json.encode(kept.parameters))
        if kept.secret:
            await transfers.keep_secret(
                session, task_id, context.sealer.seal(kept.secret, backend_context(task_backend(task_id)))
            )
        audit.about(f"{new.kind} {task_id}")
    return made


async def show(context: Context, task_id: str) -> ShownTask:
    """Raises ``NoSuchTask``."""
    task = _known(task_id, await tasks.find(context.database, task_id) if is_id(task_id) else None)
    kind = KINDS.get(task.kind)
    if kind is None or kind.counts is None:
        return task
    return msgspec.structs.replace(task, progress=task.progress | await kind.counts(context, task.parameters))


async def list_page(context: Context, before: str, kind: str | None, state: TaskState | None, limit: int) -> TaskPage:
    """Newest first."""
    if before and not is_id(before):
        raise RequestError("InvalidArgument", "after is a task id.")
    found = await tasks.list_page(context.database, before or None, kind, state, limit + 1)
    return TaskPage(tuple(found[:limit]), len(found) > limit)


async def change(context: Context, task_id: str, wish: TaskChange) -> ShownTask:
    """Raises ``NoSuchTask``, ``TaskFinished`` when it is too late for that."""
    async with context.database.transaction() as session:
        before = _known(task_id, await tasks.lock(session, task_id) if is_id(task_id) else None)
        now = wished(before, wish.action)
        if now is None:
            raise RequestError("TaskFinished", f"The task is {before.state}.")
        if now != before:
            await tasks.update(session, task_id, now, LEASE_SECONDS)
        return _known(task_id, await tasks.find(session, task_id))


def _known(task_id: str, found: T | None) -> T:
    if found is None:
        raise RequestError("NoSuchTask", f"There is no task {task_id}.")
    return found


async def claim(context: Context, request: ClaimTask) -> Claimed:
    return Claimed(await tasks.claim(context.database, request.kinds, request.worker, LEASE_SECONDS))


async def advance(context: Context, report: AdvanceTask) -> Advanced:
    async with context.database.transaction() as session:
        task = await tasks.lock(session, report.task_id) if is_id(report.task_id) else None
        now = None if task is None else after(report, task, int.from_bytes(context.entropy(7)) / (1 << 56))
        if now is not None:
            await tasks.update(session, report.task_id, now, LEASE_SECONDS, cursor=report.cursor, progress=report.progress)
    return Advanced(now is not None and now.state == "running" and now.holder == report.worker)
