"""Access keys, as an operator sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from domicile_common.model import Value
from domicile_metadata.storage.database import Session, Statements


class CredentialRecord(Value, frozen=True):
    """Everything but the secret."""

    access_key: str
    tenant_id: str
    access: Literal["full", "read"]
    state: Literal["active", "disabled"]
    created_at: datetime
    expires_at: datetime | None


async def insert(
    session: Session, access_key: str, sealed_secret: str, *, tenant_id: str, access: str, expires_at: datetime | None = None
) -> CredentialRecord | None:
    """``None`` when the access key is taken. The tenant must exist (see ``tenants.find``)."""
    return _record(await session.row("insert_credential", access_key, tenant_id, sealed_secret, access, expires_at))


async def lock(session: Session, access_key: str) -> tuple[CredentialRecord, str] | None:
    """The credential and its sealed secret, unchanged until the transaction ends."""
    row = await session.row("lock_credential", access_key)
    if row is None:
        return None
    *fields, sealed_secret = row
    return CredentialRecord(*fields), sealed_secret


async def list_page(statements: Statements, tenant_id: str | None, after: str, limit: int) -> Sequence[CredentialRecord]:
    return [CredentialRecord(*row) for row in await statements.fetch("list_credentials", tenant_id, after, limit)]


async def set_state(session: Session, access_key: str, state: str) -> CredentialRecord | None:
    return _record(await session.row("set_credential_state", access_key, state))


async def expire(session: Session, access_key: str, at: datetime) -> None:
    await session.execute("expire_credential", access_key, at)


async def list_sealed(statements: Statements, after: str, limit: int) -> list[tuple[str, str]]:
    """``(access key, sealed secret)``."""
    return [(row[0], row[1]) for row in await statements.fetch("list_sealed_credentials", after, limit)]


async def reseal(session: Session, access_key: str, before: str, sealed: str) -> bool:
    """``False`` when the secret is no longer the one before."""
    return await session.execute("reseal_credential", access_key, before, sealed) == 1


def _record(row: Any | None) -> CredentialRecord | None:
    return None if row is None else CredentialRecord(*row)
