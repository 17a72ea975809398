"""Signing in, for people at a browser: a random token for a short time in place of the admin key, a token, or a tenant's secret key.

An operator shows the admin key, anybody else who works with the admin API a token. A tenant signs one request of its own for this purpose
with its access key, in the browser, so that its secret goes nowhere; such a signature serves once. A session ends with its time, when it is
ended, when the tenant, the key or the token that it began with is, and when the admin key changes: a row is a session only with a proof that
is made with that key.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Annotated

import msgspec

from domicile_common.errors import RequestError
from domicile_common.model import Value
from domicile_common.sealing import credential_context
from domicile_common.sigv4 import canonical, keys
from domicile_common.sigv4.verify import parse, verify
from domicile_metadata.context import Context
from domicile_metadata.domain.roles import Caller, caller_of_token
from domicile_metadata.services.proofs import is_proven, prove
from domicile_metadata.storage import directory, sessions
from domicile_metadata.storage.sessions import Origin

SIGN_IN_PATH = "/api/session/tenant"
_NO_BODY = frozenset({canonical.EMPTY_SHA256, canonical.UNSIGNED_PAYLOAD})
_TOKEN_BYTES = 32

Short = Annotated[str, msgspec.Meta(max_length=1024)]


class SignedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/session/tenant`` as it came to the discovery service: headers by lower-case name, ``host`` and the signature's."""

    headers: Annotated[dict[Short, Short], msgspec.Meta(max_length=20)]


class Issued(Value, frozen=True):
    """``token`` is shown in this answer and never again."""

    token: str
    caller: Caller


async def sign_in(context: Context, caller: Caller) -> Issued:
    """For those who have shown the admin key or a token: in a browser, the session stands for it and ends with it. Raises ``NotAllowed``."""
    if caller.kind == "session":
        raise RequestError("NotAllowed", "A session begins with a key or a token, not with another session.")
    origin = Origin(token_id=caller.actor if caller.kind == "token" else None)
    return await _issue(context, caller, origin, None)


async def sign_in_tenant(context: Context, signed: SignedRequest) -> Issued:
    """Raises ``RequestError`` ``SignInRefused``, whatever is wrong: it tells nobody which keys there are."""
    try:
        claim = parse("POST", SIGN_IN_PATH.encode(), b"", _headers(signed.headers))
        if claim is None or claim.payload not in _NO_BODY or claim.presigned:
            raise _denied()
        known = await directory.find_credential(context.database, claim.access_key)
        if known is None:
            raise _denied()
        secret = context.sealer.open(known.sealed_secret, credential_context(known.access_key))
        verify(claim, secret, context.clock(), keys.KeyRing(limit=1))
    except RequestError:
        raise _denied() from None
    caller = Caller("tenant", known.tenant.tenant_id, known.access, actor=known.access_key)
    return await _issue(context, caller, Origin(known.access_key), sha256(claim.signature.encode()).digest())


async def _issue(context: Context, caller: Caller, origin: Origin, login: bytes | None) -> Issued:
    token = base64.urlsafe_b64encode(context.entropy(_TOKEN_BYTES)).decode().rstrip("=")
    now = context.clock()
    expires_at = now + timedelta(seconds=context.settings.session_seconds)
    async with context.database.transaction() as session:
        await sessions.delete_expired(session, now)
        hashed = _hash(token)
        if not await sessions.insert(
            session, hashed, origin, proof=prove(context, _bound(hashed, origin)), login=login, expires_at=expires_at
        ):
            raise _denied()
    return Issued(token, msgspec.structs.replace(caller, expires_at=expires_at, kind="session"))


async def find(context: Context, token: str) -> Caller | None:
    """Whose session it is, if it goes on."""
    hashed = _hash(token)
    row = await sessions.find(context.database, hashed, context.clock())
    if row is None or not is_proven(context, _bound(hashed, Origin(row.access_key, row.token_id)), row.proof):
        return None
    if row.token_id is not None and row.role is not None:
        return caller_of_token(row.role, row.tenant_id, row.expires_at, "session", row.token_id)
    if row.access_key is None:
        return Caller("operator", expires_at=row.expires_at, kind="session")
    return Caller("tenant", row.tenant_id, row.access or "read", row.expires_at, "session", row.access_key)


async def end(context: Context, token: str) -> None:
    async with context.database.transaction() as session:
        await sessions.end(session, _hash(token))


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _bound(hashed: bytes, origin: Origin) -> bytes:
    """A row is bound to what it began with."""
    began = b"token\0" + origin.token_id.encode() if origin.token_id is not None else (origin.access_key or "").encode()
    return b"session\0" + hashed + began


def _headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    try:
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    except UnicodeEncodeError:
        raise _denied() from None


def _denied() -> RequestError:
    return RequestError("SignInRefused", "The signature is not one of an active access key, made for this and just now.")
