"""A record that comes from a backup, and does not know what has happened since."""

from __future__ import annotations

from collections.abc import Mapping

from domicile_metadata.storage import tasks
from domicile_metadata.storage.database import Session, Statements

STEPS = ("forget_intents", "forget_unwanted_copies", "doubt_copies", "cancel_tasks", "forget_leases")


async def is_away_from_home(statements: Statements) -> bool:
    return bool(await statements.value("is_away_from_home"))


async def settle(statements: Statements) -> None:
    """This database is its home from now on."""
    await statements.execute("settle")


async def doubt(session: Session, task_id: str) -> Mapping[str, int]:
    """Forgets what cannot be relied on, and begins a rebuild: rows by step."""
    counts = {step: await session.execute(step) for step in STEPS}
    await tasks.insert(session, task_id, "rebuild", b"{}")
    return counts
