"""Access keys: made, listed, disabled and rotated by an operator. A secret is shown once, when it is made, and kept sealed."""

from __future__ import annotations

import base64
import hmac
from datetime import timedelta
from typing import Annotated, Literal

import msgspec

from domicile_common.errors import RequestError
from domicile_common.events import Invalidation
from domicile_common.model import Value
from domicile_common.sealing import credential_context
from domicile_metadata.context import Context
from domicile_metadata.domain.roles import Caller
from domicile_metadata.services import audit
from domicile_metadata.services.handover import PublicKey, hand_over
from domicile_metadata.services.tenants import known as known_tenant
from domicile_metadata.storage import credentials, invalidations, tenants
from domicile_metadata.storage.credentials import CredentialRecord
from domicile_metadata.storage.database import Session

ACCESS_KEY_PREFIX = "DK"

# A key is part of the credential scope in a signature, where / and , separate; a secret is at least as long as a strong passphrase.
AccessKey = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{3,128}\Z")]
SecretKey = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{16,128}\Z")]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=10 * 366 * 86_400)]


class NewCredential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``access_key`` with ``secret_key``: a known pair is registered (again), instead of making one. ``seal_to``: see ``handover``."""

    tenant_id: str
    access: Literal["full", "read"] = "full"
    expires_in_seconds: Seconds | None = None
    access_key: AccessKey | None = None
    secret_key: SecretKey | None = None
    seal_to: PublicKey | None = None


class CredentialChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    state: Literal["active", "disabled"]


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``overlap_seconds``: how long the old key works on beside the new one."""

    overlap_seconds: Seconds = 86_400
    seal_to: PublicKey | None = None


class IssuedCredential(Value, frozen=True):
    """``secret_key`` is shown in this answer and never again; ``sealed_secret_key`` in its place where it was asked for."""

    credential: CredentialRecord
    secret_key: str = ""
    sealed_secret_key: str = ""


class CredentialPage(msgspec.Struct, frozen=True):
    credentials: tuple[CredentialRecord, ...]
    truncated: bool


async def create(context: Context, caller: Caller, new: NewCredential) -> IssuedCredential:
    """Repeating a registration of the same pair is harmless.

    Raises ``NoSuchTenant``, ``CredentialExists``, ``InvalidArgument``; ``NotAllowed`` where a tenant registers a pair by itself, which
    would tell it which keys others have.
    """
    if (new.access_key is None) != (new.secret_key is None):
        raise RequestError("InvalidArgument", "access_key and secret_key are given together, or neither is.")
    if new.access_key is not None and not caller.sees_all:
        raise RequestError("NotAllowed", "Only an operator may register a pair that exists already.")
    access_key, secret = new.access_key or _new_access_key(context), new.secret_key or _new_secret(context)
    async with context.database.transaction() as session:
        known_tenant(new.tenant_id, await tenants.find(session, new.tenant_id))
        record = await _insert(context, session, new, access_key, secret)
        await invalidations.send(session, [Invalidation("credential", access_key)])
        audit.about(access_key)
        return _issued(record, secret, new.seal_to)


def _issued(record: CredentialRecord, secret: str, public_key: str | None) -> IssuedCredential:
    """Raises ``InvalidArgument``: to be called before the transaction ends."""
    if public_key is None:
        return IssuedCredential(record, secret_key=secret)
    return IssuedCredential(record, sealed_secret_key=hand_over(public_key, secret, credential_context(record.access_key)))


async def _insert(context: Context, session: Session, new: NewCredential, access_key: str, secret: str) -> CredentialRecord:
    lifetime = new.expires_in_seconds
    expires_at = None if lifetime is None else context.clock() + timedelta(seconds=lifetime)
    sealed = context.sealer.seal(secret, credential_context(access_key))
    record = await credentials.insert(
        session, access_key, sealed, tenant_id=new.tenant_id, access=new.access, expires_at=expires_at
    )
    if record is not None:
        return record
    existing, sealed = _known(access_key, await credentials.lock(session, access_key))
    known_secret = context.sealer.open(sealed, credential_context(access_key))
    same = hmac.compare_digest(known_secret.encode(), secret.encode())
    if not same or existing.tenant_id != new.tenant_id or existing.access != new.access:
        raise RequestError("CredentialExists", f"The access key {access_key} is taken.")
    return existing


async def list_page(context: Context, tenant_id: str | None, after: str, limit: int) -> CredentialPage:
    found = await credentials.list_page(context.database, tenant_id, after, limit + 1)
    return CredentialPage(tuple(found[:limit]), len(found) > limit)


async def change(context: Context, caller: Caller, access_key: str, wanted: CredentialChange) -> CredentialRecord:
    async with context.database.transaction() as session:
        await _lock(session, caller, access_key)
        record = await credentials.set_state(session, access_key, wanted.state)
        if record is None:
            raise _no_such_credential(access_key)
        await invalidations.send(session, [Invalidation("credential", access_key)])
    return record


async def rotate(context: Context, caller: Caller, access_key: str, rotation: Rotation) -> IssuedCredential:
    """A new pair of the same tenant and access; the old key works for the overlap, unless it expires or is disabled before."""
    new_key, secret = _new_access_key(context), _new_secret(context)
    async with context.database.transaction() as session:
        old = await _lock(session, caller, access_key)
        if old.state != "active" or (old.expires_at is not None and old.expires_at <= context.clock()):
            raise RequestError(
                "CredentialInactive", f"The access key {access_key} is disabled or has expired: create a new one instead."
            )
        sealed = context.sealer.seal(secret, credential_context(new_key))
        record = await credentials.insert(session, new_key, sealed, tenant_id=old.tenant_id, access=old.access)
        assert record is not None  # 80 random bits
        await credentials.expire(session, access_key, context.clock() + timedelta(seconds=rotation.overlap_seconds))
        await invalidations.send(session, [Invalidation("credential", key) for key in (access_key, new_key)])
        audit.about(new_key)
        return _issued(record, secret, rotation.seal_to)


async def _lock(session: Session, caller: Caller, access_key: str) -> CredentialRecord:
    """Another tenant's key is one that is not there."""
    record, _ = _known(access_key, await credentials.lock(session, access_key))
    if caller.tenant_id not in (None, record.tenant_id):
        raise _no_such_credential(access_key)
    return record


def _known(access_key: str, found: tuple[CredentialRecord, str] | None) -> tuple[CredentialRecord, str]:
    if found is None:
        raise _no_such_credential(access_key)
    return found


def _no_such_credential(access_key: str) -> RequestError:
    return RequestError("NoSuchCredential", f"There is no access key {access_key}.")


def _new_access_key(context: Context) -> str:
    """18 characters: a prefix that shows whose it is, and 80 random bits."""
    return ACCESS_KEY_PREFIX + base64.b32encode(context.entropy(10)).decode()


def _new_secret(context: Context) -> str:
    """40 characters, as clients expect, of 240 random bits."""
    return base64.urlsafe_b64encode(context.entropy(30)).decode()
