"""What is owed, measured."""

from __future__ import annotations

from domicile_common.model import Value
from domicile_metadata.domain.lag import Recent
from domicile_metadata.storage.database import Statements

NEWEST_VERSIONS = 1000


class BackendLag(Value, frozen=True):
    """``copies``, ``bytes``: owed; ``retried``: those of them that failed before; ``late``: for longer than their policy promises."""

    backend_id: str
    copies: int
    bytes: int
    oldest_seconds: float
    retried: int
    late: int
    parked: int
    removals: int
    oldest_removal_seconds: float


class Outbox(Value, frozen=True):
    messages: int
    oldest_seconds: float


class BucketLag(Value, frozen=True):
    """``rpo_seconds``: what its policy promises, if anything."""

    tenant_id: str
    bucket: str
    copies: int
    bytes: int
    oldest_seconds: float
    rpo_seconds: float | None
    late: int


async def measure_backends(statements: Statements) -> list[BackendLag]:
    return [BackendLag(*row) for row in await statements.fetch("measure_backends")]


async def measure_outbox(statements: Statements) -> Outbox:
    return Outbox(*(await statements.fetch("measure_outbox"))[0])


async def list_owing_buckets(statements: Statements, tenant_id: str | None, bucket: str | None, limit: int) -> list[BucketLag]:
    return [BucketLag(*row) for row in await statements.fetch("list_owing_buckets", tenant_id, bucket, limit)]


async def measure_recent_copies(statements: Statements, tenant_id: str, bucket: str) -> tuple[float | None, Recent] | None:
    """The promise of a bucket, and how long its newest copies took; ``None`` when there is no such bucket."""
    row = await statements.row("measure_recent_copies", tenant_id, bucket, NEWEST_VERSIONS)
    return None if row is None else (row["rpo_seconds"], Recent(row["copies"], row["p50"], row["p99"]))
