"""What the lifecycle worker looks at: pages of versions, and old uploads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from domicile_common.bucket_settings import LifecycleRule
from domicile_common.model import Facts
from domicile_metadata.domain.expiry import Candidate
from domicile_metadata.storage.database import Session, Statements

_RULES = msgspec.json.Decoder(tuple[LifecycleRule, ...])
_FACTS = msgspec.json.Decoder(Facts)
MOST_KEPT = 100
LAST_SEQ = 2**63 - 1
NO_BUCKET = UUID(int=0).hex


async def list_buckets(statements: Statements, after: str, limit: int) -> list[tuple[str, tuple[LifecycleRule, ...]]]:
    """Ids and rules, by id. ``after``: exclusive."""
    rows = await statements.fetch("list_ruled_buckets", after, limit)
    return [(row["bucket_id"].hex, _RULES.decode(row["document"])) for row in rows]


async def scan_current(statements: Statements, bucket_id: str, prefix: str, after: str, limit: int) -> list[Candidate]:
    rows = await statements.fetch("scan_current", bucket_id, prefix.encode(), after.encode(), limit)
    return [Candidate(**_known(row)) for row in rows]


async def scan_versions(
    statements: Statements, bucket_id: str, prefix: str, after: tuple[str, int], limit: int
) -> list[Candidate]:
    """``after``: key and seq to go on behind; ``("", LAST_SEQ)`` to begin."""
    key, seq = after
    rows = await statements.fetch("scan_versions", bucket_id, prefix.encode(), key.encode(), seq, limit, MOST_KEPT + 1)
    return [
        Candidate(
            **_known(row),
            seq=row["seq"],
            is_delete_marker=row["is_delete_marker"],
            successor_at=row["successor_at"],
            newer=row["newer"],
            is_oldest=row["is_oldest"],
        )
        for row in rows
    ]


def _known(row: Any) -> dict[str, Any]:
    return {
        "key": row["key"].decode(),
        "version_id": row["version_id"].hex,
        "is_null": row["is_null"],
        "committed_at": row["committed_at"],
        "size": row["size"],
        "tags": _FACTS.decode(row["facts"]).tags,
    }


async def list_old_uploads(statements: Statements, bucket_id: str, prefix: str, before: datetime, limit: int) -> list[str]:
    rows = await statements.fetch("list_old_uploads", bucket_id, prefix.encode(), before, limit)
    return [row["version_id"].hex for row in rows]


async def still_current(session: Session, bucket_id: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Within a transaction that holds their keys: those that nobody has replaced meanwhile."""
    return await _still("find_still_current", session, bucket_id, candidates)


async def still_old(session: Session, bucket_id: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Within a transaction that holds their keys: those that are still noncurrent, or markers on their own."""
    return await _still("find_still_old", session, bucket_id, candidates)


async def _still(name: str, session: Session, bucket_id: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    keys, ids = [candidate.key.encode() for candidate in candidates], [candidate.version_id for candidate in candidates]
    found = {row["version_id"].hex for row in await session.fetch(name, bucket_id, keys, ids)}
    return [candidate for candidate in candidates if candidate.version_id in found]


async def now(statements: Statements) -> datetime:
    moment: datetime = await statements.value("now")
    return moment
