"""Tenants: made, shown, renamed and disabled by an operator."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from domicile_common.errors import RequestError
from domicile_common.events import Invalidation
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import TENANT_ID
from domicile_metadata.storage import invalidations, tenants
from domicile_metadata.storage.tenants import TenantRecord

TenantId = Annotated[str, msgspec.Meta(pattern=TENANT_ID)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class NewTenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tenant_id: TenantId
    name: Name | None = None


class TenantChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name | None = None
    state: Literal["active", "disabled"] | None = None


class TenantPage(msgspec.Struct, frozen=True):
    tenants: tuple[TenantRecord, ...]
    truncated: bool


async def create(context: Context, new: NewTenant) -> TenantRecord:
    """Raises ``TenantExists``. The canonical id is random: S3 answers show it, and it reveals nothing."""
    canonical_id = context.entropy(32).hex()
    async with context.database.transaction() as session:
        tenant = await tenants.insert(session, new.tenant_id, new.name or new.tenant_id, canonical_id)
        if tenant is None:
            raise RequestError("TenantExists", f"There is a tenant {new.tenant_id} already.")
        await invalidations.send(session, [Invalidation("tenant", tenant.tenant_id)])
    return tenant


async def list_page(context: Context, after: str, limit: int) -> TenantPage:
    found = await tenants.list_page(context.database, after, limit + 1)
    return TenantPage(tuple(found[:limit]), len(found) > limit)


async def show(context: Context, tenant_id: str) -> TenantRecord:
    return known(tenant_id, await tenants.find(context.database, tenant_id))


async def change(context: Context, tenant_id: str, wanted: TenantChange) -> TenantRecord:
    """A disabled tenant's keys are refused from now on; its data stays."""
    async with context.database.transaction() as session:
        tenant = known(tenant_id, await tenants.update(session, tenant_id, wanted.name, wanted.state))
        await invalidations.send(session, [Invalidation("tenant", tenant_id)])
    return tenant


def known(tenant_id: str, tenant: TenantRecord | None) -> TenantRecord:
    if tenant is None:
        raise RequestError("NoSuchTenant", f"There is no tenant {tenant_id}.")
    return tenant
