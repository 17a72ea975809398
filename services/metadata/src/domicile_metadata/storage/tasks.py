"""Long tasks, as operators see them and as workers hold them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from domicile_common.metadata_client.tasks import Json, Task
from domicile_common.model import Value
from domicile_metadata.domain.tasks import FINISHED, Standing, TaskState
from domicile_metadata.storage.database import Session, Statements


class ShownTask(Value, frozen=True, kw_only=True):
    """``worker``: who has it, or had it last. ``not_before``: when it may be taken (again)."""

    task_id: str
    kind: str
    state: TaskState
    parameters: Json
    progress: dict[str, int]
    error: str | None
    worker: str | None
    not_before: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


async def insert(statements: Statements, task_id: str, kind: str, parameters: bytes) -> ShownTask:
    return _shown(await statements.row("insert_task", task_id, kind, parameters.decode()))


async def find(statements: Statements, task_id: str) -> ShownTask | None:
    row = await statements.row("find_task", task_id)
    return None if row is None else _shown(row)


async def list_page(
    statements: Statements, before: str | None, kind: str | None, state: str | None, limit: int
) -> list[ShownTask]:
    return [_shown(row) for row in await statements.fetch("list_tasks", before, kind, state, limit)]


def _shown(row: Any) -> ShownTask:
    return ShownTask(
        task_id=row["task_id"].hex,
        kind=row["kind"],
        state=row["state"],
        parameters=msgspec.json.decode(row["parameters"]),
        progress=msgspec.json.decode(row["progress"]),
        error=row["error"],
        worker=row["holder"],
        not_before=row["not_before"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


async def claim(statements: Statements, kinds: Sequence[str], worker: str, lease_seconds: float) -> Task | None:
    row = await statements.row("claim_task", kinds, worker, lease_seconds)
    if row is None:
        return None
    return Task(
        task_id=row["task_id"].hex,
        kind=row["kind"],
        parameters=msgspec.json.decode(row["parameters"]),
        cursor=msgspec.json.decode(row["cursor"]),
        progress=msgspec.json.decode(row["progress"]),
    )


async def lock(session: Session, task_id: str) -> Standing | None:
    row = await session.row("lock_task", task_id)
    return None if row is None else Standing(row["state"], row["holder"], row["attempt"], row["error"])


async def update(
    session: Session,
    task_id: str,
    task: Standing,
    lease_seconds: float,
    *,
    cursor: Json | None = None,
    progress: dict[str, int] | None = None,
) -> None:
    await session.execute(
        "update_task",
        task_id,
        task.state,
        task.holder,
        task.attempt,
        task.error,
        lease_seconds,
        task.due_seconds,
        _json(cursor),
        _json(progress),
        task.state in FINISHED,
    )


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
