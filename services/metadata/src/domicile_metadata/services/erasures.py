"""Certificates of erasure: which copies of a key, a prefix, a bucket or a tenant are gone, since when, and what is not."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec

from domicile_common.certificates import Signer
from domicile_common.errors import ConfigurationError, RequestError
from domicile_metadata.context import Context
from domicile_metadata.services.tenants import known as known_tenant
from domicile_metadata.storage import erasures, tenants
from domicile_metadata.storage.erasures import Counts, Subject

FORMAT: Final = "domicile-erasure-1"
KEYS: Final = ("key", "prefix", "blob_key")  # what may tell of a person


class Erasure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``hash_keys``: keys stand there as their SHA-256. ``after``: ``to`` of the certificate before, when that has ``more``."""

    tenant: str
    bucket: str | None = None
    key: str | None = None
    prefix: str | None = None
    hash_keys: bool = False
    after: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10_000


def public_key(context: Context) -> dict[str, str]:
    return {"algorithm": "Ed25519", "public_key": _signer(context).public_key}


async def certify(context: Context, request: Erasure) -> dict[str, Any]:
    """Signed. Raises ``NoSuchTenant``, and ``ConfigurationError`` when there is no key to sign with."""
    signer = _signer(context)
    if (request.key is not None or request.prefix is not None) and request.bucket is None:
        raise RequestError("InvalidArgument", "A key or a prefix is one of a bucket, so bucket is needed.")
    if request.key is not None and request.prefix is not None:
        raise RequestError("InvalidArgument", "Either a key or a prefix.")
    known_tenant(request.tenant, await tenants.find(context.database, request.tenant))
    subject = Subject(request.tenant, request.bucket, request.key, request.prefix)
    async with context.database.transaction() as session:
        await erasures.hold_snapshot(session)
        counts = await erasures.count(session, subject)
        erased = await erasures.list_erased(session, subject, request.after, request.limit + 1)
        owed = await erasures.list_owed(session, subject, request.limit)
        left = await erasures.list_left(session, subject, request.limit)
    removed = [_shown(row, request) for row in erased[: request.limit]]
    return signer.sign(
        {
            "format": FORMAT,
            "issued_at": _instant(context.clock()),
            "subject": _shown({name: getattr(subject, name) for name in ("tenant", "bucket", "key", "prefix")}, request),
            "keys": "sha256" if request.hash_keys else "plain",
            "complete": _is_complete(counts, owed, left),
            "present": {
                "versions": counts.versions,
                "delete_markers": counts.delete_markers,
                "bytes": counts.size,
                "unfinished_writes": counts.unfinished,
            },
            "removed": removed,
            "unconfirmed": counts.unconfirmed,
            "unattributed": counts.unattributed,
            "unexplained": counts.unexplained,
            "owed": [_shown(row, request) for row in owed],
            "left": [_shown(row, request) for row in left],
            "range": {
                "after": request.after,
                "to": removed[-1]["removal_id"] if removed else request.after,
                "more": len(erased) > request.limit,
            },
        }
    )


def _is_complete(counts: Counts, owed: list[dict[str, Any]], left: list[dict[str, Any]]) -> bool:
    """Nothing of the subject is left, and of nothing that was there it is unknown what became of it."""
    present = counts.versions + counts.delete_markers + counts.unfinished
    unknown = counts.unconfirmed + counts.unattributed + counts.unexplained
    return not (present or unknown or owed or left)


def _shown(row: dict[str, Any], request: Erasure) -> dict[str, Any]:
    """As it stands in a certificate: nothing but text, integers, truth values and null."""
    return {name: _plain(value, hashed=request.hash_keys and name in KEYS) for name, value in row.items()}


def _plain(value: Any, *, hashed: bool) -> Any:
    if isinstance(value, bytes):
        value = value.decode()
    if hashed and value is not None:
        return hashlib.sha256(value.encode()).hexdigest()
    if isinstance(value, UUID):
        return value.hex
    return _instant(value) if isinstance(value, datetime) else value


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _signer(context: Context) -> Signer:
    secret = context.settings.erasure_signing_key
    if secret is None:
        raise ConfigurationError("ERASURE_SIGNING_KEY is not set, so nothing can be certified")
    return Signer(secret.get_secret_value())
