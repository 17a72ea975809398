"""Physical buckets that go out of use, with the logical bucket and everything in it gone."""

from __future__ import annotations

from typing import NamedTuple

from domicile_metadata.storage.database import Session, Statements


class Mapping(NamedTuple):
    tenant_id: str
    bucket: str
    is_retired: bool


async def find(statements: Statements, backend_id: str, namespace: str) -> Mapping | None:
    row = await statements.row("find_mapping", backend_id, namespace)
    return None if row is None else Mapping(*row)


async def hold_name(session: Session, bucket_id: str, tenant_id: str, name: str) -> bool:
    """Whether there is no bucket of this name, and will be none until the transaction ends. ``bucket_id``: a new one, which nobody sees."""
    if not await session.execute("hold_name", bucket_id, tenant_id, name):
        return False
    await session.execute("let_go_of_name", bucket_id)
    return True


async def is_owed(session: Session, tenant_id: str, name: str, backend_id: str) -> bool:
    owed: bool = await session.value("is_owed_there", tenant_id, name, backend_id)
    return owed


async def retire(session: Session, backend_id: str, namespace: str) -> None:
    await session.execute("retire_namespace", backend_id, namespace)


async def note_removed(statements: Statements, backend_id: str, namespace: str) -> None:
    await statements.execute("note_removed_namespace", backend_id, namespace)


async def next_counter(statements: Statements, tenant_id: str, bucket: str) -> int:
    """The first that is not out of use."""
    counter: int = await statements.value("next_counter", tenant_id, bucket)
    return counter
