"""Backends, as an operator registers them. The list of all is ``directory.list_backends``."""

from __future__ import annotations

import msgspec

from domicile_common.model import Backend
from domicile_metadata.storage.database import Session
from domicile_metadata.storage.directory import as_backend


async def stop_replica_changes(session: Session) -> None:
    """Until the transaction ends. To be called after ``lock``, as everybody does who takes both."""
    await session.execute("stop_replica_changes")


async def expect_replica_changes(session: Session) -> None:
    """To be called before rows of buckets are locked in a transaction that changes replicas."""
    await session.execute("expect_replica_changes")


async def lock(session: Session, backend_id: str) -> Backend | None:
    """Until the transaction ends neither it nor another one changes: what policies find is judged by all of them."""
    rows = await session.fetch("lock_backends")
    return next((as_backend(row) for row in rows if row["backend_id"] == backend_id), None)


async def upsert(session: Session, backend: Backend) -> None:
    *columns, capabilities = msgspec.structs.astuple(backend)
    await session.execute("upsert_backend", *columns, msgspec.json.encode(capabilities).decode())


async def replay_parked(session: Session, backend_id: str) -> None:
    """What was given up for now there begins anew."""
    await session.execute("replay_all_parked", backend_id)


async def reseal(session: Session, backend_id: str, before: str, sealed: str) -> bool:
    """``False`` when the secret is no longer the one before."""
    return await session.execute("reseal_backend", backend_id, before, sealed) == 1
