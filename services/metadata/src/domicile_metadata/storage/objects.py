"""Keys and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from domicile_common.bucket_settings import Acl
from domicile_common.metadata_client.models import Replica
from domicile_common.model import Blob, Digest, Facts, Lock, LockMode, Value, Version
from domicile_metadata.storage.database import Session, Statements

_DIGEST = msgspec.json.Decoder(Digest)
_FACTS = msgspec.json.Decoder(Facts)


class RawVersion(Value, frozen=True):
    """A ``Version`` whose documents go from PostgreSQL to the caller as the text that they are."""

    bucket_id: str
    key: str
    version_id: str
    committed_at: Any
    facts: msgspec.Raw
    digest: msgspec.Raw
    is_null: bool = True
    is_delete_marker: bool = False
    lock: Lock | None = None


class Found(Value, frozen=True):
    """A ``Located`` in the same sense. ``version`` is ``None`` when the key has none."""

    version: RawVersion | None
    replicas: tuple[Replica, ...]


async def locate(statements: Statements, keys: Sequence[tuple[str, str]]) -> list[Found | None]:
    """What each (bucket id, key) holds; ``None`` where there is no such bucket."""
    rows = await statements.fetch("locate_objects", [bucket_id for bucket_id, _ in keys], [key.encode() for _, key in keys])
    return [_found(bucket_id, key, row) for (bucket_id, key), row in zip(keys, rows, strict=True)]


async def locate_versions(statements: Statements, keys: Sequence[tuple[str, str, str | None]]) -> list[Found | None]:
    """The same for (bucket id, key, version id), the version id ``None`` for the null version."""
    rows = await statements.fetch(
        "locate_versions",
        [bucket_id for bucket_id, _, _ in keys],
        [key.encode() for _, key, _ in keys],
        [version_id for _, _, version_id in keys],
    )
    return [_found(bucket_id, key, row) for (bucket_id, key, _), row in zip(keys, rows, strict=True)]


def _found(bucket_id: str, key: str, row: Any) -> Found | None:
    home, version_id, committed_at, facts, digest, is_null, is_delete_marker, lock_mode, lock_until, legal_hold, readable = row
    if home is None:
        return None
    if version_id is None:
        return Found(None, ())
    version = RawVersion(
        bucket_id,
        key,
        version_id.hex,
        committed_at,
        msgspec.Raw(facts),
        msgspec.Raw(digest),
        is_null,
        is_delete_marker,
        lock_of(lock_mode, lock_until, legal_hold),
    )
    replicas = tuple(
        Replica(Blob(backend_id, namespace, blob_key), verified=state == "verified", cost=int(cost), etag=etag)
        for backend_id, namespace, blob_key, state, cost, etag in readable
    )
    return Found(version, replicas)


def lock_of(mode: LockMode | None, until: datetime | None, legal_hold: bool | None) -> Lock | None:  # noqa: FBT001 -- columns of a row
    """The columns as a value; ``None`` when none is set."""
    return None if mode is None and legal_hold is None else Lock(mode, until, legal_hold)


@dataclass(frozen=True, slots=True)
class Held:
    """A version that a transaction is about to change. ``can_lock``: its bucket has object lock."""

    version: Version
    can_lock: bool


async def hold(session: Session, bucket_id: str, key: str, version_id: str | None) -> Held | None:
    """The newest version of a key, or the one that S3 names so; nobody else changes it until the transaction ends."""
    await session.execute("lock_keys", [bucket_id], [key.encode()])
    row = await session.row("hold_version", bucket_id, key.encode(), version_id)
    if row is None:
        return None
    version = Version(
        bucket_id=bucket_id,
        key=key,
        version_id=row["version_id"].hex,
        committed_at=row["committed_at"],
        facts=_FACTS.decode(row["facts"]),
        digest=_DIGEST.decode(row["digest"]),
        is_null=row["is_null"],
        is_delete_marker=row["is_delete_marker"],
        lock=lock_of(row["lock_mode"], row["lock_until"], row["legal_hold"]),
    )
    return Held(version, row["object_lock"])


async def allow_bypass(session: Session) -> None:
    """Retention in GOVERNANCE mode binds nobody in this transaction."""
    await session.execute("allow_bypass")


async def change(session: Session, version: Version) -> None:
    """Records its tags and its lock. Raises ``AccessDenied`` when that would loosen a retention that holds."""
    lock = version.lock or Lock()
    facts = msgspec.json.encode(version.facts).decode()
    await session.execute("change_version", version.bucket_id, version.version_id, facts, lock.mode, lock.until, lock.legal_hold)


async def put_acl(session: Session, bucket_id: str, key: str, version_id: str, acl: Acl | None) -> bool:
    """Whether there is such a version. The stamps stay as they are: they do not hold the list."""
    await session.execute("lock_keys", [bucket_id], [key.encode()])
    document = await session.value("find_facts", bucket_id, version_id, key.encode())
    if document is None:
        return False
    facts = msgspec.structs.replace(_FACTS.decode(document), acl=acl)
    await session.execute("put_facts", bucket_id, version_id, msgspec.json.encode(facts).decode())
    return True
