"""How far copies are behind, and whether that is within what policies promise."""

from __future__ import annotations

import msgspec

from domicile_common.errors import RequestError
from domicile_metadata.context import Context
from domicile_metadata.domain.lag import Recent
from domicile_metadata.storage import lag
from domicile_metadata.storage.lag import BackendLag, BucketLag, Outbox


class ShownBackend(msgspec.Struct, frozen=True):
    """``recent``: of the copies that this process has heard of."""

    owed: BackendLag
    recent: Recent


class ShownBucket(msgspec.Struct, frozen=True):
    """``kept``: no copy is late; ``None`` where nothing is promised."""

    owed: BucketLag
    kept: bool | None
    recent: Recent | None = None


class Lag(msgspec.Struct, frozen=True):
    """``buckets``: those that are owed something, the furthest behind first; or the one that was asked for.

    ``outbox``: ``None`` for tenants, who see no ``backends`` either: these are figures of everybody's.
    """

    outbox: Outbox | None
    backends: tuple[ShownBackend, ...]
    buckets: tuple[ShownBucket, ...]
    truncated: bool = False


async def show(context: Context, tenant_id: str | None, bucket: str | None, limit: int) -> Lag:
    """Raises ``InvalidArgument`` for a bucket without its tenant, ``NoSuchBucket``."""
    database = context.database
    if bucket is not None:
        shown = [await _show_bucket(context, tenant_id, bucket)]
    else:
        owing = await lag.list_owing_buckets(database, tenant_id, None, limit + 1)
        shown = [ShownBucket(it, _kept(it)) for it in owing]
    backends = [ShownBackend(it, context.recent_copies.of(it.backend_id)) for it in await lag.measure_backends(database)]
    return Lag(await lag.measure_outbox(database), tuple(backends), tuple(shown[:limit]), len(shown) > limit)


def without_others(lag: Lag) -> Lag:
    """What a tenant sees of it."""
    return msgspec.structs.replace(lag, outbox=None, backends=())


async def _show_bucket(context: Context, tenant_id: str | None, bucket: str) -> ShownBucket:
    if tenant_id is None:
        raise RequestError("InvalidArgument", "A bucket is named together with its tenant.")
    found = await lag.measure_recent_copies(context.database, tenant_id, bucket)
    if found is None:
        raise RequestError("NoSuchBucket", f"Tenant {tenant_id} has no bucket {bucket}.")
    rpo_seconds, recent = found
    owing = await lag.list_owing_buckets(context.database, tenant_id, bucket, 1)
    owed = owing[0] if owing else BucketLag(tenant_id, bucket, 0, 0, 0.0, rpo_seconds, 0)
    return ShownBucket(owed, _kept(owed), recent)


def _kept(bucket: BucketLag) -> bool | None:
    return None if bucket.rpo_seconds is None else not bucket.late
