"""What adoptions and exports keep beside their tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from domicile_common.metadata_client.findings import Finding
from domicile_metadata.storage.database import Session, Statements


async def note_findings(statements: Statements, task_id: str, findings: Sequence[Finding]) -> None:
    """Each key once. Dropped when the task is gone."""
    rows = {finding.key.encode(): finding for finding in findings}
    await statements.execute(
        "note_findings",
        task_id,
        list(rows),
        [finding.kind for finding in rows.values()],
        [finding.reason for finding in rows.values()],
    )


async def list_findings(statements: Statements, task_id: str, after: str, limit: int) -> list[Finding]:
    rows = await statements.fetch("list_findings", task_id, after.encode(), limit)
    return [Finding(row["key"].decode(), row["kind"], row["reason"]) for row in rows]


async def keep_secret(session: Session, task_id: str, sealed: str) -> None:
    """Until the task ends."""
    await session.execute("keep_task_secret", task_id, sealed)


async def find_secret(statements: Statements, task_id: str, worker: str) -> tuple[dict[str, Any], str] | None:
    """Parameters and sealed secret of a task that this worker has in hand."""
    row = await statements.row("find_task_secret", task_id, worker)
    return None if row is None else (msgspec.json.decode(row["parameters"]), row["sealed_secret"])


async def list_secrets(statements: Statements, after: str, limit: int) -> list[tuple[str, str]]:
    return [(row["task_id"].hex, row["sealed_secret"]) for row in await statements.fetch("list_task_secrets", after, limit)]


async def reseal(session: Session, task_id: str, before: str, after: str) -> int:
    return await session.execute("reseal_task_secret", task_id, before, after)


async def count_copies(statements: Statements, backend_id: str, namespace: str) -> dict[str, int]:
    """Of what was adopted: ``copies_owed``, ``copies_parked``, ``copies_verified``."""
    return dict(await statements.row("count_adopted_copies", backend_id, namespace) or {})
