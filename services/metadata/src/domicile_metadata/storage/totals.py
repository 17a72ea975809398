"""How much is where: counted bucket by bucket, page by page, and shown from what was counted last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from domicile_common.model import Value
from domicile_metadata.storage.database import Session, Statements
from domicile_metadata.storage.rearrangements import BEFORE_ALL, PAGE


class Held(NamedTuple):
    """What one backend holds. ``verified``: of the copies."""

    copies: int
    verified: int
    bytes: int


class Count(NamedTuple):
    """Of one bucket: its versions, their bytes (each once), and what each backend holds of them."""

    versions: int
    bytes: int
    backends: Mapping[str, Held]


class Sums(Value, frozen=True):
    """``counted_at``: when the bucket was counted whose count is the oldest; ``uncounted``: buckets that were not counted yet."""

    buckets: int
    tenants: int
    versions: int
    bytes: int
    counted_at: datetime | None
    uncounted: int


class BackendSum(Value, frozen=True):
    backend_id: str
    provider: str
    country: str
    jurisdictions: tuple[str, ...]
    state: str
    copies: int
    verified: int
    bytes: int


class HeldOfBucket(Value, frozen=True):
    backend_id: str
    copies: int
    verified: int
    bytes: int


class BrowsedBucket(Value, frozen=True, kw_only=True, omit_defaults=False):
    """``countries``, ``jurisdictions``: its lock, ``None`` for none. ``versions`` and ``bytes`` are ``None`` until it was counted."""

    tenant_id: str
    bucket: str
    bucket_id: str
    created_at: datetime
    location: str
    layout: str
    versioning: str
    object_lock: bool
    countries: tuple[str, ...] | None
    jurisdictions: tuple[str, ...] | None
    versions: int | None
    bytes: int | None
    counted_at: datetime | None
    backends: tuple[HeldOfBucket, ...]


_HELD = msgspec.json.Decoder(tuple[HeldOfBucket, ...])


async def find_due(statements: Statements, every_seconds: float, rest: float) -> str | None:
    """A bucket that is to be counted (again): not sooner than after ``rest`` times as long as counting it took."""
    found = await statements.value("find_bucket_to_count", every_seconds, rest)
    return None if found is None else str(found.hex)


async def count(statements: Statements, bucket_id: str) -> Count:
    """Page by page, so that no statement takes long, however large the bucket is; what changes meanwhile is counted or not."""
    versions = size = 0
    held: dict[str, Held] = {}
    after = BEFORE_ALL
    while end := await statements.value("find_page_end", bucket_id, after, PAGE):
        of_page = await statements.fetch("count_versions", bucket_id, after, end)
        versions, size = versions + of_page[0]["versions"], size + of_page[0]["bytes"]
        for backend_id, *more in await statements.fetch("count_copies", bucket_id, after, end):
            held[backend_id] = Held(*map(sum, zip(held.get(backend_id, Held(0, 0, 0)), more, strict=True)))
        after = end
    return Count(versions, size, held)


async def put(session: Session, bucket_id: str, counted: Count, seconds: float) -> None:
    """In place of the count before; nothing when the bucket is gone."""
    if await session.execute("put_count", bucket_id, counted.versions, counted.bytes, seconds):
        await session.execute("delete_totals", bucket_id)
        columns = [list(column) for column in zip(*counted.backends.values(), strict=True)] or [[], [], []]
        await session.execute("insert_totals", bucket_id, list(counted.backends), *columns)


async def sum_buckets(statements: Statements, tenant_id: str | None) -> Sums:
    return Sums(*(await statements.fetch("sum_buckets", tenant_id))[0])


async def sum_backends(statements: Statements, tenant_id: str | None) -> list[BackendSum]:
    rows = await statements.fetch("sum_backends", tenant_id)
    return [BackendSum(**(dict(row) | {"jurisdictions": tuple(row["jurisdictions"])})) for row in rows]


async def browse_buckets(
    statements: Statements, tenant_id: str | None, bucket: str | None, after: tuple[str, str], limit: int
) -> list[BrowsedBucket]:
    """By tenant and name. ``after``: exclusive."""
    return [_bucket(row) for row in await statements.fetch("browse_buckets", tenant_id, bucket, *after, limit)]


def _bucket(row: Any) -> BrowsedBucket:
    fields = dict(row)
    fields["bucket_id"] = fields["bucket_id"].hex
    fields["backends"] = _HELD.decode(fields["backends"])
    for lock in ("countries", "jurisdictions"):
        fields[lock] = None if fields[lock] is None else tuple(fields[lock])
    return BrowsedBucket(**fields)
