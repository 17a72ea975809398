"""What backends were owed, by the minute."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from domicile_common.model import Value
from domicile_metadata.storage.database import Statements
from domicile_metadata.storage.lag import BackendLag

_MEASURES = ("backend_id", "copies", "bytes", "oldest_seconds", "late", "parked", "removals")


class Sample(Value, frozen=True):
    """The worst of a step of time that begins ``at``."""

    at: datetime
    backend_id: str
    copies: int
    bytes: int
    oldest_seconds: float
    late: int
    parked: int
    removals: int


async def note(statements: Statements, backends: Iterable[BackendLag]) -> None:
    measured = list(backends)
    await statements.execute("note_lag", *([getattr(it, name) for it in measured] for name in _MEASURES))


async def forget(statements: Statements, days: int) -> None:
    """What is older."""
    await statements.execute("forget_lag", days)


async def list_samples(statements: Statements, hours: int, step_seconds: int, backend_id: str | None) -> list[Sample]:
    """By time and backend."""
    return [Sample(*row) for row in await statements.fetch("list_lag", hours, step_seconds, backend_id)]
