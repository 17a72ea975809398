"""Tokens of the admin API."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from domicile_common.model import Value
from domicile_metadata.domain.roles import TokenRole
from domicile_metadata.storage.database import Session, Statements


class TokenRecord(Value, frozen=True, omit_defaults=False):
    """A token without what it is. ``last_used_at``: to the minute."""

    token_id: str
    name: str
    role: TokenRole
    tenant_id: str | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class TokenRow(NamedTuple):
    """One that goes on."""

    token_id: str
    token_hash: bytes
    proof: bytes
    role: TokenRole
    tenant_id: str | None
    expires_at: datetime
    last_used_at: datetime | None


async def insert(session: Session, row: TokenRow, name: str, now: datetime) -> TokenRecord:
    fields = row.token_id, row.token_hash, row.proof, name, row.role, row.tenant_id, now, row.expires_at
    (made,) = await session.fetch("insert_token", *fields)
    return TokenRecord(*made)


async def list_page(statements: Statements, after: str, limit: int, tenant_id: str | None) -> list[TokenRecord]:
    return [TokenRecord(*row) for row in await statements.fetch("list_tokens", after, limit, tenant_id)]


async def find(statements: Statements, token_hash: bytes, now: datetime) -> TokenRow | None:
    row = await statements.row("find_token", token_hash, now)
    return None if row is None else TokenRow(*row)


async def note_use(statements: Statements, token_id: str, now: datetime, proof: bytes) -> None:
    await statements.execute("note_token_use", token_id, now, proof)


async def revoke(session: Session, token_id: str, now: datetime, tenant_id: str | None) -> TokenRecord | None:
    """``None`` when the tenant (``None``: anybody) has no such token."""
    row = await session.row("revoke_token", token_id, now, tenant_id)
    return None if row is None else TokenRecord(*row)
