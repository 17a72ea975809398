"""Intents past their deadline."""

from __future__ import annotations

from domicile_metadata.storage.database import Statements


async def end(statements: Statements, limit: int) -> int:
    """Deletes them and owes the removal of what they may have left at backends: how many."""
    return await statements.execute("sweep_intents", limit)
