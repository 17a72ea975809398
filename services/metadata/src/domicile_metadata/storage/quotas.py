"""What tenants may use, and what they use."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import msgspec

from domicile_metadata.domain.quotas import Room
from domicile_metadata.storage.database import Session, Statements

Whole = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``None``: no limit. The last three are kept to by each proxy process for itself."""

    bytes: Whole | None = None
    objects: Whole | None = None
    buckets: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | None = None
    requests_per_second: Annotated[float, msgspec.Meta(ge=0.1, le=1e6)] | None = None
    bytes_per_second: Annotated[int, msgspec.Meta(ge=65_536, le=2**62)] | None = None
    concurrent_requests: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class Usage(msgspec.Struct, frozen=True):
    bytes: int
    objects: int
    buckets: int


async def find(statements: Statements, tenant_id: str) -> Limits:
    row = await statements.row("find_limits", tenant_id)
    return Limits() if row is None else Limits(*row)


async def put(session: Session, tenant_id: str, limits: Limits) -> None:
    await session.execute("put_limits", tenant_id, *msgspec.structs.astuple(limits))


async def usage(statements: Statements, tenant_id: str) -> Usage:
    (row,) = await statements.fetch("find_usage", tenant_id)
    return Usage(*row)


async def owner_with_quota(statements: Statements, bucket_id: str) -> str | None:
    """The tenant whose bucket it is, if that has a quota of bytes or objects."""
    tenant_id: str | None = await statements.value("find_quota", bucket_id)
    return tenant_id


async def hold(session: Session, tenant_ids: Collection[str]) -> None:
    """Until the transaction ends, nobody else who asks for this adds to what these tenants use."""
    await session.execute("hold_quotas", list(tenant_ids))


async def rooms(statements: Statements, tenant_ids: Collection[str]) -> dict[str, Room]:
    """By tenant id, of those with limits."""
    return {row[0]: Room(*row) for row in await statements.fetch("find_rooms", list(tenant_ids))}


async def replaced(statements: Statements, bucket_id: str, key: str) -> int | None:
    """The size of the version that a write to this key would replace; ``None`` when there is none."""
    size: int | None = await statements.value("find_replaced", bucket_id, key.encode())
    return size


async def fold(session: Session) -> None:
    """Adds up what has changed since the last time."""
    await session.execute("fold_usage")
