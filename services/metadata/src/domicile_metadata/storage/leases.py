"""Leases: what must run once at a time runs where the lease is held. A holder that dies loses it when it expires."""

from __future__ import annotations

from domicile_metadata.storage.database import Statements


async def take(statements: Statements, name: str, holder: str, seconds: float) -> bool:
    """Takes the lease, or renews it; False when another holder has it."""
    return await statements.value("take_lease", name, holder, seconds) is not None


async def release(statements: Statements, name: str, holder: str) -> None:
    await statements.execute("release_lease", name, holder)
