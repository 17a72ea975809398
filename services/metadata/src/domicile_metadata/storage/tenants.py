"""Tenants, as an operator sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from domicile_common.model import Value
from domicile_metadata.storage.database import Session, Statements


class TenantRecord(Value, frozen=True):
    tenant_id: str
    name: str
    canonical_id: str
    state: Literal["active", "disabled"]
    created_at: datetime


async def insert(session: Session, tenant_id: str, name: str, canonical_id: str) -> TenantRecord | None:
    """``None`` when the id is taken."""
    return _record(await session.row("insert_tenant", tenant_id, name, canonical_id))


async def list_page(statements: Statements, after: str, limit: int) -> Sequence[TenantRecord]:
    return [TenantRecord(*row) for row in await statements.fetch("list_tenants", after, limit)]


async def find(statements: Statements, tenant_id: str) -> TenantRecord | None:
    """In a transaction, the tenant stays until it ends."""
    return _record(await statements.row("find_tenant", tenant_id))


async def update(session: Session, tenant_id: str, name: str | None, state: str | None) -> TenantRecord | None:
    return _record(await session.row("update_tenant", tenant_id, name, state))


async def lock(session: Session, tenant_id: str | None) -> list[str]:
    """Ids of the tenant, or of all when it is ``None``; until the transaction ends they get no new buckets."""
    return [row["tenant_id"] for row in await session.fetch("lock_tenants", tenant_id)]


def _record(row: Any | None) -> TenantRecord | None:
    return None if row is None else TenantRecord(*row)
