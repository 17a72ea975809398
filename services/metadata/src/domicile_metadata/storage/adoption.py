"""Objects that become versions where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from domicile_common.metadata_client.adoption import FindVanished, Found
from domicile_common.model import Decision
from domicile_metadata.domain.adoption import Newest, Place
from domicile_metadata.storage.backends import expect_replica_changes
from domicile_metadata.storage.database import Session, Statements


@dataclass(frozen=True, slots=True)
class Source:
    """A provider's bucket at a backend, and whose objects it has."""

    bucket_id: str
    backend_id: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Adopted:
    version_id: str
    found: Found
    decision: Decision


async def owner(statements: Statements, backend_id: str, namespace: str) -> str | None:
    """The id of the bucket that has adopted it."""
    found = await statements.value("find_adopter", backend_id, namespace)
    return None if found is None else str(found.hex)


async def claim(statements: Statements, source: Source) -> datetime | None:
    """The time; ``None`` when another bucket has adopted it. Raises ``NoSuchBucket``."""
    since: datetime | None = await statements.value("claim_namespace", source.bucket_id, source.backend_id, source.namespace)
    return since


async def hold_epoch(session: Session, bucket_id: str) -> None:
    """The bucket's policy and backends stay as they are until the transaction ends."""
    await expect_replica_changes(session)
    await session.execute("hold_epoch", bucket_id)


async def compare(statements: Statements, source: Source, keys: Sequence[str]) -> list[tuple[Place, Newest | None]]:
    rows = await statements.fetch("compare_places", source.bucket_id, source.backend_id, source.namespace, keys)
    return [(Place(row["place_etag"], row["adopted_at"], is_leaving=row["is_leaving"]), _newest(row)) for row in rows]


def _newest(row: Any) -> Newest | None:
    if row["version_id"] is None:
        return None
    return Newest(row["etag"], row["size"], is_delete_marker=row["is_delete_marker"], is_here=row["is_here"])


async def note_seen(statements: Statements, source: Source, keys: Sequence[str]) -> None:
    await statements.execute("note_adopted_seen", source.backend_id, source.namespace, keys)


async def adopt(
    session: Session,
    source: Source,
    home: str,
    objects: Sequence[Adopted],
    *,
    makes_null: bool,
    grace_seconds: float,
    trace: str,
) -> None:
    """``home``: the bucket's own namespace at the backend. Raises ``PolicyRefused`` when the backend lies outside the bucket's lock."""
    encode = msgspec.json.encode
    await session.execute(
        "adopt",
        source.bucket_id,
        source.backend_id,
        source.namespace,
        home,
        makes_null,
        grace_seconds,
        [it.version_id for it in objects],
        [it.found.key for it in objects],
        [it.found.digest.size for it in objects],
        [it.found.digest.etag for it in objects],
        [it.found.facts.storage_class for it in objects],
        [encode(it.found.digest).decode() for it in objects],
        [encode(it.found.facts).decode() for it in objects],
        [encode(it.decision).decode() for it in objects],
        [it.found.modified_at for it in objects],
        trace,
    )


async def find_vanished(statements: Statements, source: Source, asked: FindVanished, limit: int) -> list[str]:
    rows = await statements.fetch(
        "find_vanished",
        source.bucket_id,
        source.backend_id,
        source.namespace,
        asked.prefix,
        asked.since,
        asked.after,
        limit,
    )
    return [row["blob_key"] for row in rows]
