"""Tokens of the admin API: random, shown once, for one role, with an end.

As with sessions, a row is a token only with a proof that is made with the admin key, so that nobody becomes an operator by writing into
the database; a new admin key ends them all.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final

import msgspec

from domicile_common.errors import RequestError
from domicile_common.model import Value
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, uuid7
from domicile_metadata.domain.roles import Caller, TokenRole, caller_of_token
from domicile_metadata.services import audit
from domicile_metadata.services.handover import PublicKey, hand_over
from domicile_metadata.services.proofs import is_proven, prove
from domicile_metadata.services.tenants import Name
from domicile_metadata.services.tenants import known as known_tenant
from domicile_metadata.storage import tenants, tokens
from domicile_metadata.storage.tokens import TokenRecord, TokenRow

PREFIX: Final = "dmt_"  # by which scanners for leaked secrets may know one
_TOKEN_BYTES: Final = 32
_DAY: Final = 86_400
USE_NOTED_SECONDS: Final = 60  # at most so often is written down that a token is used


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``tenant_id``: of a ``tenant_admin``, and of nobody else. ``seal_to``: for whom the secret is sealed (``handover``)."""

    name: Name
    role: TokenRole
    tenant_id: str | None = None
    expires_in_seconds: Annotated[int, msgspec.Meta(ge=60, le=366 * _DAY)] = 90 * _DAY
    seal_to: PublicKey | None = None


class IssuedToken(Value, frozen=True):
    """``secret`` is shown in this answer and never again; ``sealed_secret`` in its place where it was asked for."""

    token: TokenRecord
    secret: str = ""
    sealed_secret: str = ""


class TokenPage(msgspec.Struct, frozen=True):
    tokens: tuple[TokenRecord, ...]
    truncated: bool


async def create(context: Context, caller: Caller, new: NewToken) -> IssuedToken:
    """Raises ``NotAllowed`` for what the caller may not do itself, ``NoSuchTenant``, ``InvalidArgument``."""
    if (new.role == "tenant_admin") != (new.tenant_id is not None):
        raise RequestError("InvalidArgument", "tenant_id is that of a tenant_admin; the other roles have none.")
    if not caller.sees_all and new.tenant_id != caller.tenant_id:
        raise RequestError("NotAllowed", f"You may make tokens of the tenant {caller.tenant_id} only.")
    secret = PREFIX + base64.urlsafe_b64encode(context.entropy(_TOKEN_BYTES)).decode().rstrip("=")
    now = context.clock()
    token_id, expires_at = uuid7(now, context.entropy(RANDOM_BYTES)), now + timedelta(seconds=new.expires_in_seconds)
    row = TokenRow(token_id, _hash(secret), b"", new.role, new.tenant_id, expires_at, None)
    async with context.database.transaction() as session:
        if new.tenant_id is not None:
            known_tenant(new.tenant_id, await tenants.find(session, new.tenant_id))
        made = await tokens.insert(session, row._replace(proof=prove(context, _bound(row))), new.name, now)
        audit.about(token_id)
        if new.seal_to is not None:
            return IssuedToken(made, sealed_secret=hand_over(new.seal_to, secret, f"token:{token_id}"))
    return IssuedToken(made, secret)


async def list_page(context: Context, caller: Caller, after: str, limit: int) -> TokenPage:
    found = await tokens.list_page(context.database, after, limit + 1, caller.tenant_id)
    return TokenPage(tuple(found[:limit]), len(found) > limit)


async def revoke(context: Context, caller: Caller, token_id: str) -> TokenRecord:
    """Ends it and the sessions that began with it, at once and for good. Raises ``NoSuchToken``."""
    async with context.database.transaction() as session:
        revoked = await tokens.revoke(session, token_id, context.clock(), caller.tenant_id)
        if revoked is None:
            raise RequestError("NoSuchToken", f"There is no token {token_id}.")
    return revoked


async def find(context: Context, secret: str) -> Caller | None:
    """Whose token it is, if it goes on; and notes that it is used."""
    now = context.clock()
    row = await tokens.find(context.database, _hash(secret), now)
    if row is None or not is_proven(context, _bound(row), row.proof):
        return None
    await _note_use(context, row, now)
    return caller_of_token(row.role, row.tenant_id, row.expires_at, "token", row.token_id)


async def _note_use(context: Context, row: TokenRow, now: datetime) -> None:
    """While the admin key is changed, whatever is used goes on with the new one."""
    proof = prove(context, _bound(row))
    if row.proof != proof or row.last_used_at is None or now - row.last_used_at >= timedelta(seconds=USE_NOTED_SECONDS):
        await tokens.note_use(context.database, row.token_id, now, proof)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _bound(row: TokenRow) -> bytes:
    """A row is bound to what it may, for whom and until when."""
    bound = row.token_id, row.token_hash.hex(), row.role, row.tenant_id, row.expires_at
    return b"token\0" + msgspec.json.encode(bound)
