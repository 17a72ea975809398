"""Sessions of people who have signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from domicile_metadata.domain.roles import TokenRole
from domicile_metadata.storage.database import Session, Statements


class Origin(NamedTuple):
    """What a session began with: an access key, a token, or (neither) the admin key."""

    access_key: str | None = None
    token_id: str | None = None


class SessionRow(NamedTuple):
    """``access``: of the access key. ``role``: of the token."""

    proof: bytes
    expires_at: datetime
    access_key: str | None
    tenant_id: str | None
    access: Literal["full", "read"] | None
    token_id: str | None
    role: TokenRole | None


async def insert(
    session: Session, token_hash: bytes, origin: Origin, *, proof: bytes, login: bytes | None, expires_at: datetime
) -> bool:
    """``False`` when the login was used before."""
    return bool(await session.value("insert_session", token_hash, origin.access_key, proof, login, expires_at, origin.token_id))


async def find(statements: Statements, token_hash: bytes, now: datetime) -> SessionRow | None:
    row = await statements.row("find_session", token_hash, now)
    return None if row is None else SessionRow(*row)


async def end(statements: Statements, token_hash: bytes) -> None:
    await statements.execute("end_session", token_hash)


async def delete_expired(session: Session, now: datetime) -> None:
    await session.execute("delete_expired_sessions", now)
