"""Intents, and the transaction that turns them into versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from domicile_common.metadata_client.models import Commit
from domicile_common.model import Blob, Decision, DefaultRetention, Facts, Lock, Part
from domicile_metadata.domain.writes import Accepted, NewIntent, NewReplica, TakenIntent
from domicile_metadata.storage.database import Session, Statements

_BLOBS = msgspec.json.Decoder(tuple[Blob, ...])
_DECISION = msgspec.json.Decoder(Decision)
_FACTS = msgspec.json.Decoder(Facts)
_LOCK = msgspec.json.Decoder(Lock)
_PARTS = msgspec.json.Decoder(tuple[Part, ...])

Reference = tuple[str, str]  # bucket id, version id


async def insert(statements: Statements, intents: Sequence[NewIntent]) -> dict[str, datetime]:
    """Those decided in the present epoch of their bucket: version id → deadline, by the clock that it is swept by.

    Raises ``NoSuchBucket`` when one of the buckets is gone; then none is inserted.
    """
    encode = msgspec.json.encode
    rows = await statements.fetch(
        "insert_intents",
        [intent.bucket_id for intent in intents],
        [intent.version_id for intent in intents],
        [intent.key.encode() for intent in intents],
        [encode(intent.decision).decode() for intent in intents],
        [encode(intent.blobs).decode() for intent in intents],
        [encode(intent.facts).decode() for intent in intents],
        [intent.is_upload for intent in intents],
        [intent.trace for intent in intents],
        [intent.seconds for intent in intents],
        [None if intent.lock is None else encode(intent.lock).decode() for intent in intents],
        [intent.epoch for intent in intents],
    )
    return {row["version_id"].hex: row["deadline"] for row in rows}


async def renew(statements: Statements, ids: Sequence[Reference], seconds: float, upload_seconds: float) -> set[str]:
    """The version ids of those that are live, for so long from now on."""
    rows = await statements.fetch("renew_intents", *_columns(ids), seconds, upload_seconds)
    return {row["version_id"].hex for row in rows}


async def end(statements: Statements, ids: Sequence[Reference], grace_seconds: float) -> set[str]:
    """Ends those that are there, and answers their version ids; what they may have left at backends is removed after the grace."""
    rows = await statements.fetch("end_intents", *_columns(ids), grace_seconds)
    return {row["version_id"].hex for row in rows}


async def committed(statements: Statements, ids: Sequence[Reference]) -> set[str]:
    """The version ids of those that are versions now."""
    return {row["version_id"].hex for row in await statements.fetch("find_committed", *_columns(ids))}


async def end_all(session: Session, bucket_id: str, grace_seconds: float) -> None:
    ids = [(bucket_id, row["version_id"].hex) for row in await session.fetch("list_intents", bucket_id)]
    await end(session, ids, grace_seconds)


async def remove_late(session: Session, requests: Iterable[Commit], grace_seconds: float) -> None:
    """Owes the removal of the blobs of writes whose intents are gone, unless they were committed."""
    blobs = [(request, blob) for request in requests for blob in request.blobs]
    columns = (
        [request.bucket_id for request, _ in blobs],
        [request.version_id for request, _ in blobs],
        [blob.backend_id for _, blob in blobs],
        [blob.namespace for _, blob in blobs],
        [blob.blob_key for _, blob in blobs],
    )
    await session.execute("remove_late_blobs", *columns, grace_seconds)


async def take(session: Session, ids: Sequence[Reference]) -> dict[str, TakenIntent]:
    """Those that are there, by version id. Their keys' current versions stay as they are until the transaction ends."""
    return {intent.version_id: intent for intent in map(_taken, await session.fetch("take_intents", *_columns(ids)))}


def _taken(row: Any) -> TakenIntent:
    mode, days, years = row["default_retention_mode"], row["default_retention_days"], row["default_retention_years"]
    return TakenIntent(
        bucket_id=row["bucket_id"].hex,
        version_id=row["version_id"].hex,
        key=row["key"].decode(),
        decision=_DECISION.decode(row["decision"]),
        blobs=_BLOBS.decode(row["blobs"]),
        facts=_FACTS.decode(row["facts"]),
        is_upload=row["is_upload"],
        parts=None if row["chosen_parts"] is None else _PARTS.decode(row["chosen_parts"]),
        trace=row["trace"],
        makes_null=row["versioning"] != "enabled",
        lock=None if row["lock"] is None else _LOCK.decode(row["lock"]),
        default_retention=None if mode is None else DefaultRetention(mode, days, years),
        has_quota=row["has_quota"],
    )


async def current_etags(statements: Statements, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(bucket id, key) → ETag, for the keys that have a current version."""
    bucket_ids, names = zip(*keys, strict=True)
    rows = await statements.fetch("find_current_etags", bucket_ids, [name.encode() for name in names])
    return {(row["bucket_id"].hex, row["key"].decode()): row["etag"] for row in rows}


async def record(
    session: Session, versions: Sequence[Accepted], replicas: Sequence[NewReplica], grace_seconds: float
) -> dict[str, datetime]:
    """Inserts versions, in order, and replicas: version id → when it was committed.

    Raises ``PolicyRefused`` when a replica lies outside its bucket's lock.
    """
    encode = msgspec.json.encode
    locks = [version.lock or Lock() for version in versions]
    rows = await session.fetch(
        "record",
        [version.intent.bucket_id for version in versions],
        [version.intent.version_id for version in versions],
        [version.intent.key.encode() for version in versions],
        [version.digest.size for version in versions],
        [version.digest.etag for version in versions],
        [version.intent.facts.storage_class for version in versions],
        [encode(version.digest).decode() for version in versions],
        [encode(version.intent.facts).decode() for version in versions],
        [encode(version.intent.decision).decode() for version in versions],
        [version.intent.makes_null for version in versions],
        [version.is_last for version in versions],
        [version.intent.trace for version in versions],
        grace_seconds,
        [replica.intent.bucket_id for replica in replicas],
        [replica.intent.version_id for replica in replicas],
        [replica.blob.backend_id for replica in replicas],
        [replica.blob.namespace for replica in replicas],
        [replica.blob.blob_key for replica in replicas],
        [replica.state for replica in replicas],
        [replica.stamped for replica in replicas],
        [replica.intent.trace for replica in replicas],
        [replica.due_seconds for replica in replicas],
        [replica.is_announced for replica in replicas],
        [lock.mode for lock in locks],
        [lock.until for lock in locks],
        [lock.legal_hold for lock in locks],
        [replica.intent.key.encode() if replica.state == "deleting" else None for replica in replicas],
    )
    return {row["version_id"].hex: row["committed_at"] for row in rows}


def _columns(ids: Sequence[Reference]) -> tuple[list[str], list[str]]:
    return [bucket_id for bucket_id, _ in ids], [version_id for _, version_id in ids]
