"""Limits of tenants: set and shown, with what is used; and quotas, kept to where usage grows."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from domicile_common.events import Invalidation
from domicile_metadata.context import Context
from domicile_metadata.domain.quotas import Room
from domicile_metadata.services.tenants import known as known_tenant
from domicile_metadata.storage import invalidations, quotas, tenants
from domicile_metadata.storage.database import Session
from domicile_metadata.storage.quotas import Limits, Usage


class ShownLimits(msgspec.Struct, frozen=True):
    limits: Limits
    usage: Usage


async def show(context: Context, tenant_id: str) -> ShownLimits:
    known_tenant(tenant_id, await tenants.find(context.database, tenant_id))
    return ShownLimits(await quotas.find(context.database, tenant_id), await quotas.usage(context.database, tenant_id))


async def put(context: Context, tenant_id: str, limits: Limits) -> ShownLimits:
    """All of them at once; what is left out is unlimited from then on."""
    async with context.database.transaction() as session:
        known_tenant(tenant_id, await tenants.find(session, tenant_id))
        await quotas.put(session, tenant_id, limits)
        await invalidations.send(session, [Invalidation("tenant", tenant_id)])
    return ShownLimits(limits, await quotas.usage(context.database, tenant_id))


async def check_added(session: Session, tenant_ids: Collection[str]) -> None:
    """The last thing before a commit that has added to what these tenants use: exact, since they commit one after the other from here.

    Raises ``QuotaExceeded``.
    """
    await quotas.hold(session, tenant_ids)
    for room in (await quotas.rooms(session, tenant_ids)).values():
        if objection := room.objection():
            raise objection


async def check_write(context: Context, room: Room, bucket_id: str, key: str, size: int) -> None:
    """Before bytes travel: raises ``QuotaExceeded`` for what could hardly be committed. ``size``: as far as it is known."""
    if room.objection(size, 1):
        replaced = await quotas.replaced(context.database, bucket_id, key)
        if objection := room.objection(size - (replaced or 0), 1 if replaced is None else 0):
            raise objection
