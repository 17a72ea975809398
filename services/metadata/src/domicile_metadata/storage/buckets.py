"""Logical buckets, their policy levels and their namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from domicile_common.bucket_settings import BucketSettings, CorsRule, SettingName
from domicile_common.events import Invalidation
from domicile_common.metadata_client.models import BucketEntry
from domicile_common.model import Backend, DefaultRetention, EffectivePolicy, Layout, Policy, Rates, Tenant
from domicile_metadata.storage.backends import expect_replica_changes
from domicile_metadata.storage.database import Session, Statements
from domicile_metadata.storage.directory import rates_of

_TEXTS = msgspec.json.Decoder(dict[str, str])


class Levels(NamedTuple):
    """Policy documents as stored, outermost first. ``version``: the highest of their versions, 0 when there is none."""

    documents: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class BucketRecord:
    """A bucket as stored. ``namespaces``: backend id → physical name, also for backends that are no longer allowed.

    ``backends``: every registered backend, in whatever state, read together with the bucket. ``epoch``: see ``storage.rearrange``.
    ``has_quota``: the owner has one to be kept to; it is only looked for when buckets are found by id.
    """

    bucket_id: str
    tenant_id: str
    name: str
    created_at: datetime
    location: str
    layout: Layout
    versioning: Literal["off", "enabled", "suspended"]
    object_lock: bool
    default_retention: DefaultRetention | None
    levels: Levels
    namespaces: Mapping[str, str]
    backends: tuple[Backend, ...]
    epoch: int
    has_quota: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """A bucket with what every request to it has to know. ``rates``: its owner's."""

    record: BucketRecord
    owner: Tenant
    rates: Rates | None
    settings: BucketSettings


_SETTINGS = msgspec.json.Decoder(BucketSettings)
_CORS = msgspec.json.Decoder(tuple[CorsRule, ...])
_WORDS = msgspec.json.Decoder(tuple[str, ...])


async def describe(statements: Statements, tenant_id: str, name: str) -> Described | None:
    row = await statements.row("find_described_bucket", tenant_id, name)
    return None if row is None else _described(row)


async def namesakes(statements: Statements, name: str, limit: int) -> list[Described]:
    """Every active tenant's bucket of this name, in no order; no more than ``limit``."""
    return [_described(row) for row in await statements.fetch("find_namesakes", name, limit)]


def _described(row: Any) -> Described:
    owner = Tenant(row["tenant_id"], row["owner_name"], row["owner_id"], row["owner_state"])
    return Described(_record(row), owner, rates_of(row["rates"]), _SETTINGS.decode(row["settings"] or "{}"))


async def find_cors(statements: Statements, name: str, limit: int) -> tuple[CorsRule, ...]:
    rows = await statements.fetch("find_cors", name, limit)
    return tuple(rule for row in rows for rule in _CORS.decode(row["document"]))


async def find_by_name(statements: Statements, tenant_id: str, name: str) -> BucketRecord | None:
    row = await statements.row("find_bucket_by_name", tenant_id, name)
    return None if row is None else _record(row)


async def find_by_id(statements: Statements, bucket_ids: Iterable[str]) -> dict[str, BucketRecord]:
    """Those that exist, by id."""
    records = [_record(row) for row in await statements.fetch("find_buckets_by_id", list(bucket_ids))]
    return {record.bucket_id: record for record in records}


@lru_cache(maxsize=8)  # the same text comes with every bucket until a backend changes
def _backends(text: str) -> tuple[Backend, ...]:
    return msgspec.json.decode(text, type=tuple[Backend, ...])


def _record(row: Any) -> BucketRecord:
    mode, days, years = row["default_retention_mode"], row["default_retention_days"], row["default_retention_years"]
    return BucketRecord(
        bucket_id=row["bucket_id"].hex,
        tenant_id=row["tenant_id"],
        name=row["name"],
        created_at=row["created_at"],
        location=row["location"],
        layout=row["layout"],
        versioning=row["versioning"],
        object_lock=row["object_lock"],
        default_retention=None if mode is None else DefaultRetention(mode, days, years),
        levels=Levels(tuple(row["policies"]), max(row["policy_versions"], default=0)),
        namespaces=dict(row["namespaces"]),
        backends=_backends(row["backends"]),
        epoch=row["epoch"],
        has_quota=row.get("has_quota", False),
    )


async def outer_levels(statements: Statements, tenant_id: str) -> Levels:
    """The policy levels above a tenant's buckets."""
    rows = await statements.fetch("find_outer_policies", tenant_id)
    return Levels(tuple(row["document"] for row in rows), max((row["policy_version"] for row in rows), default=0))


async def count(statements: Statements, tenant_id: str, limit: int) -> int:
    """How many buckets a tenant has; no more than ``limit`` are counted."""
    found: int = await statements.value("count_buckets", tenant_id, limit)
    return found


async def insert(
    session: Session, bucket_id: str, tenant_id: str, name: str, *, location: str, policy: EffectivePolicy, object_lock: bool
) -> None:
    """Raises ``BucketAlreadyOwnedByYou``."""
    columns = policy.countries, policy.jurisdictions, policy.layout
    await session.execute("insert_bucket", bucket_id, tenant_id, name, location, *columns, object_lock)


async def put_versioning(session: Session, bucket_id: str, versioning: Literal["enabled", "suspended"]) -> tuple[str, str] | None:
    """Tenant and name of the bucket, ``None`` when it is gone. Raises ``InvalidBucketState``."""
    return _owner(await session.row("put_versioning", bucket_id, versioning))


async def put_lock_configuration(session: Session, bucket_id: str, default: DefaultRetention | None) -> tuple[str, str] | None:
    """Tenant and name of the bucket, ``None`` when it is gone. Raises ``InvalidBucketState``."""
    columns = (default.mode, default.days, default.years) if default else (None, 0, 0)
    return _owner(await session.row("put_lock_configuration", bucket_id, *columns))


def _owner(row: Any | None) -> tuple[str, str] | None:
    return None if row is None else (row["tenant_id"], row["name"])


async def find_tags(statements: Statements, bucket_id: str) -> tuple[dict[str, str] | None] | None:
    """The bucket's tags, ``(None,)`` when it has no set, and ``None`` when it is gone."""
    row = await statements.row("find_bucket_tags", bucket_id)
    if row is None:
        return None
    return (None if row["tags"] is None else _TEXTS.decode(row["tags"]),)


async def put_tags(statements: Statements, bucket_id: str, tags: Mapping[str, str] | None) -> bool:
    """False when the bucket is gone."""
    text = None if tags is None else msgspec.json.encode(tags).decode()
    return bool(await statements.execute("put_bucket_tags", bucket_id, text))


async def insert_policy(session: Session, bucket_id: str, policy: Policy) -> int:
    """The version that the bucket's level got."""
    version: int = await session.value("insert_bucket_policy", bucket_id, msgspec.json.encode(policy).decode())
    return version


async def propose_namespaces(
    statements: Statements, tenant_id: str, bucket: str, names: Mapping[str, str], counter: int
) -> dict[str, str]:
    """Keeps the names (by backend id) that no other bucket has, and answers all that this bucket has now."""
    await statements.execute("insert_namespaces", tenant_id, bucket, list(names), counter, list(names.values()))
    return dict(await statements.fetch("list_namespaces", tenant_id, bucket))


async def lock(session: Session, tenant_id: str, name: str) -> str | None:
    """The bucket's id; nothing can be written to it until the transaction ends."""
    await expect_replica_changes(session)
    found = await session.value("lock_bucket", tenant_id, name)
    return None if found is None else str(found.hex)


async def lock_name(session: Session, name: str, tenant_id: str) -> bool:
    """Whether another tenant has the name; until the transaction ends, nobody else takes it."""
    await session.execute("lock_name", name)
    taken: bool = await session.value("is_name_taken", name, tenant_id)
    return taken


async def name_used_twice(statements: Statements) -> str | None:
    found: str | None = await statements.value("find_name_used_twice")
    return found


async def lock_settings(session: Session, bucket_id: str) -> tuple[str, str] | None:
    """Tenant and name, if the bucket exists; nobody else changes its settings until the transaction ends."""
    row = await session.row("lock_bucket_by_id", bucket_id)
    return None if row is None else (row["tenant_id"], row["name"])


async def put_settings(session: Session, bucket_id: str, settings: BucketSettings) -> None:
    """Each that is not at its default."""
    for setting, value in msgspec.to_builtins(settings).items():
        await session.execute("put_setting", bucket_id, setting, msgspec.json.encode(value).decode())


async def delete_settings(session: Session, bucket_id: str, names: Iterable[SettingName]) -> None:
    await session.execute("delete_settings", bucket_id, list(names))


async def object_grantees(session: Session, bucket_id: str) -> tuple[str, ...]:
    document = await session.value("find_setting", bucket_id, "object_grantees")
    return _WORDS.decode(document or "[]")


async def is_used(session: Session, bucket_id: str) -> bool:
    used: bool = await session.value("is_bucket_used", bucket_id)
    return used


async def delete(session: Session, bucket_id: str) -> None:
    await session.execute("delete_bucket", bucket_id)


async def list_page(statements: Statements, tenant_id: str, prefix: str, after: str, limit: int) -> Sequence[BucketEntry]:
    return [BucketEntry(*row) for row in await statements.fetch("list_buckets", tenant_id, prefix, after, limit)]


async def invalidate(session: Session, tenant_id: str, name: str) -> None:
    """Tells the proxies to forget what they know of the bucket."""
    event = Invalidation("bucket", f"{tenant_id}/{name}")
    await session.execute("insert_invalidation", msgspec.json.encode(event).decode())
