"""Versions that are removed, and the delete markers that take their place. All within one transaction, behind ``lock_keys``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from domicile_metadata.domain.deletions import Erasure, Held, Mark
from domicile_metadata.storage.database import Session

Versioning = Literal["off", "enabled", "suspended"]


async def lock_keys(session: Session, keys: Sequence[tuple[str, str]]) -> dict[str, Versioning]:
    """Nobody else changes the versions of these (bucket id, key) until the transaction ends. Answers the buckets that exist, by id."""
    rows = await session.fetch("lock_keys", [bucket_id for bucket_id, _ in keys], [key.encode() for _, key in keys])
    return {row["bucket_id"].hex: row["versioning"] for row in rows}


async def find_held(session: Session, named: Sequence[tuple[str, str, str | None]]) -> Mapping[int, Held]:
    """By position: what (bucket id, key, version id) holds; without a version id, the newest version of the key."""
    bucket_ids, keys, version_ids = zip(*named, strict=True)
    rows = await session.fetch("find_held", bucket_ids, [key.encode() for key in keys], version_ids)
    return {
        row["position"] - 1: Held(row["etag"], row["committed_at"], row["size"], is_delete_marker=row["is_delete_marker"])
        for row in rows
    }


async def allow_bypass(session: Session) -> None:
    """Retention in GOVERNANCE mode binds nobody in this transaction; ``erase`` asks each erasure itself."""
    await session.execute("allow_bypass")


async def erase(session: Session, erasures: Sequence[Erasure], grace_seconds: float) -> Mapping[int, tuple[bool, bool]]:
    """By position, for those that were there: whether it is a delete marker, and whether it is locked and so still there."""
    rows = await session.fetch(
        "erase_versions",
        [erasure.bucket_id for erasure in erasures],
        [erasure.key.encode() for erasure in erasures],
        [erasure.version_id for erasure in erasures],
        [erasure.bypass_governance for erasure in erasures],
        grace_seconds,
        [erasure.trace for erasure in erasures],
    )
    return {row["position"] - 1: (row["is_delete_marker"], row["is_locked"]) for row in rows}


async def mark(session: Session, marks: Sequence[Mark]) -> None:
    await session.execute(
        "mark_deleted",
        [mark.bucket_id for mark in marks],
        [mark.version_id for mark in marks],
        [mark.key.encode() for mark in marks],
        [mark.is_null for mark in marks],
        [mark.trace for mark in marks],
    )
