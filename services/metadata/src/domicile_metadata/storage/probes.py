"""What probes have found out about backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from domicile_common.model import Value
from domicile_metadata.storage.database import Session, Statements


class ProbeRecord(Value, frozen=True, omit_defaults=False):
    """``found_at``, ``seen_at``: when it was first, and last, found so. ``changed``: names of what had changed. ``notes``: of the last time."""

    found_at: datetime
    seen_at: datetime
    capabilities: dict[str, bool]
    changed: tuple[str, ...]
    notes: dict[str, str]


async def begin(statements: Statements, task_id: str, parameters: bytes) -> bool:
    """``False`` when one is open already."""
    return await statements.execute("begin_probe", task_id, parameters.decode()) == 1


async def due(statements: Statements, every_seconds: float, again_seconds: float) -> list[str]:
    """Ids of backends."""
    return [row["backend_id"] for row in await statements.fetch("list_due_probes", every_seconds, again_seconds)]


async def see_again(session: Session, backend_id: str, notes: Mapping[str, str]) -> bool:
    """``False`` when there was none before."""
    return await session.execute("see_again", backend_id, _json(notes)) == 1


async def insert(
    session: Session, backend_id: str, capabilities: Mapping[str, bool], changed: Sequence[str], notes: Mapping[str, str]
) -> None:
    await session.execute("insert_probe", backend_id, _json(capabilities), list(changed), _json(notes))


async def list_latest(statements: Statements, backend_id: str, limit: int) -> list[ProbeRecord]:
    return [
        ProbeRecord(
            found_at=row["found_at"],
            seen_at=row["seen_at"],
            capabilities=msgspec.json.decode(row["capabilities"]),
            changed=tuple(row["changed"]),
            notes=msgspec.json.decode(row["notes"]),
        )
        for row in await statements.fetch("list_probes", backend_id, limit)
    ]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
