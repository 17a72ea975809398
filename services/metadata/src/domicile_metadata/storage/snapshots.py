"""Snapshots of S3 accounts, their pieces and totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from domicile_common.model import Value
from domicile_common.snapshots import Total
from domicile_common.sovereignty import Holding
from domicile_metadata.storage.database import Session, Statements


class Owner(NamedTuple):
    """Who asks: an operator, or one tenant."""

    operator: bool
    tenant_id: str | None


class SnapshotRecord(Value, frozen=True, omit_defaults=False):
    """``stored``: compressed bytes. ``pieces``: how many there are; their numbers may have gaps."""

    snapshot_id: str
    tenant_id: str | None
    title: str
    endpoint: str
    keys: Literal["kept", "hashed", "dropped"]
    created_at: datetime
    finished_at: datetime | None
    truncated: bool
    objects: int
    bytes: int
    stored: int
    pieces: int


async def insert(
    session: Session, snapshot_id: str, tenant_id: str | None, title: str, endpoint: str, *, keys: str, now: datetime
) -> SnapshotRecord:
    return _record(await session.row("insert_snapshot", snapshot_id, tenant_id, title, endpoint, keys, now))


async def count(session: Session, tenant_id: str | None) -> int:
    return int(await session.value("count_snapshots", tenant_id))


async def list_page(statements: Statements, before: str, owner: Owner, limit: int) -> Sequence[SnapshotRecord]:
    if owner.operator:
        rows = await statements.fetch("list_snapshots", before, limit)
    else:
        rows = await statements.fetch("list_tenant_snapshots", before, limit, owner.tenant_id)
    return [_record(row) for row in rows]


async def find(statements: Statements, snapshot_id: str, owner: Owner) -> SnapshotRecord | None:
    row = await statements.row("find_snapshot", snapshot_id, *owner)
    return None if row is None else _record(row)


async def lock(session: Session, snapshot_id: str, owner: Owner) -> SnapshotRecord | None:
    row = await session.row("lock_snapshot", snapshot_id, *owner)
    return None if row is None else _record(row)


async def totals(statements: Statements, snapshot_id: str) -> tuple[Holding, ...]:
    return tuple(Holding(*row) for row in await statements.fetch("snapshot_totals", snapshot_id))


async def sent(session: Session, snapshot_id: str, number: int) -> bytes | None:
    """SHA-256 of what was sent as this piece before."""
    digest: bytes | None = await session.value("sent_piece", snapshot_id, number)
    return digest


async def add_piece(
    session: Session, snapshot_id: str, number: int, *, sent: bytes, content: bytes, totals: Mapping[tuple[str, str], Total]
) -> None:
    await session.execute("insert_piece", snapshot_id, number, sent, content)
    items = sorted(totals.items())
    await session.execute(
        "add_totals",
        snapshot_id,
        [bucket for (bucket, _), _ in items],
        [storage_class for (_, storage_class), _ in items],
        [total.objects for _, total in items],
        [total.bytes for _, total in items],
    )


async def add(
    session: Session, snapshot_id: str, *, objects: int, size: int, stored: int, pieces: int, truncated: bool
) -> SnapshotRecord:
    return _record(await session.row("add_to_snapshot", snapshot_id, objects, size, stored, pieces, truncated))


async def finish(session: Session, snapshot_id: str, now: datetime, *, truncated: bool) -> SnapshotRecord:
    return _record(await session.row("finish_snapshot", snapshot_id, now, truncated))


async def piece_numbers(statements: Statements, snapshot_id: str) -> tuple[int, ...]:
    return tuple(row[0] for row in await statements.fetch("piece_numbers", snapshot_id))


async def piece(statements: Statements, snapshot_id: str, number: int) -> bytes | None:
    content: bytes | None = await statements.value("piece_content", snapshot_id, number)
    return content


async def delete(statements: Statements, snapshot_id: str, owner: Owner) -> bool:
    return await statements.execute("delete_snapshot", snapshot_id, *owner) == 1


def _record(row: Any) -> SnapshotRecord:
    snapshot_id, *rest = row
    return SnapshotRecord(snapshot_id.hex, *rest)
