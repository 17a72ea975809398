"""Signing in, for people at a browser: a random token for a short time in place of the admin key, or of a tenant's secret key.

An operator shows the admin key. A tenant signs one request of its own for this purpose with its access key, in the browser, so that
its secret goes nowhere; such a signature serves once. A session ends with its time, when it is ended, when the tenant or the key is
disabled, and when the admin key changes: a row is a session only with a proof that is made with that key.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from domicile_common.errors import RequestError
from domicile_common.model import Value
from domicile_common.sealing import credential_context
from domicile_common.sigv4 import canonical, keys
from domicile_common.sigv4.verify import parse, verify
from domicile_metadata.context import Context
from domicile_metadata.storage import directory, sessions

SIGN_IN_PATH = "/api/session/tenant"
_NO_BODY = frozenset({canonical.EMPTY_SHA256, canonical.UNSIGNED_PAYLOAD})
_TOKEN_BYTES = 32

Short = Annotated[str, msgspec.Meta(max_length=1024)]


class Caller(Value, frozen=True, omit_defaults=False):
    """Who asks. ``access``: ``read`` may change nothing. ``expires_at``: of a session."""

    role: Literal["operator", "tenant"]
    tenant_id: str | None = None
    access: Literal["full", "read"] = "full"
    expires_at: datetime | None = None


class SignedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/session/tenant`` as it came to the discovery service: headers by lower-case name, ``host`` and the signature's."""

    headers: Annotated[dict[Short, Short], msgspec.Meta(max_length=20)]


class Issued(Value, frozen=True):
    """``token`` is shown in this answer and never again."""

    token: str
    caller: Caller


async def sign_in_operator(context: Context) -> Issued:
    """For those who have shown the admin key."""
    return await _issue(context, Caller("operator"), None, None)


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
    caller = Caller("tenant", known.tenant.tenant_id, known.access)
    return await _issue(context, caller, known.access_key, sha256(claim.signature.encode()).digest())


async def _issue(context: Context, caller: Caller, access_key: str | None, login: bytes | None) -> Issued:
    token = base64.urlsafe_b64encode(context.entropy(_TOKEN_BYTES)).decode().rstrip("=")
    now = context.clock()
    expires_at = now + timedelta(seconds=context.settings.session_seconds)
    async with context.database.transaction() as session:
        await sessions.delete_expired(session, now)
        hashed = _hash(token)
        if not await sessions.insert(
            session, hashed, access_key, proof=_proof(context, hashed, access_key), login=login, expires_at=expires_at
        ):
            raise _denied()
    return Issued(token, msgspec.structs.replace(caller, expires_at=expires_at))


async def find(context: Context, token: str) -> Caller | None:
    """Whose session it is, if it goes on."""
    hashed = _hash(token)
    row = await sessions.find(context.database, hashed, context.clock())
    if row is None or not hmac.compare_digest(row.proof, _proof(context, hashed, row.access_key)):
        return None
    if row.access_key is None:
        return Caller("operator", expires_at=row.expires_at)
    return Caller("tenant", row.tenant_id, row.access or "read", row.expires_at)


async def end(context: Context, token: str) -> None:
    await sessions.end(context.database, _hash(token))


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _proof(context: Context, hashed: bytes, access_key: str | None) -> bytes:
    """Binds a row to the admin key and to whom it belongs."""
    key = context.settings.admin_api_key.get_secret_value().encode()
    return hmac.digest(key, b"session\0" + hashed + (access_key or "").encode(), "sha256")


def _headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    try:
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    except UnicodeEncodeError:
        raise _denied() from None


def _denied() -> RequestError:
    return RequestError("SignInRefused", "The signature is not one of an active access key, made for this and just now.")
