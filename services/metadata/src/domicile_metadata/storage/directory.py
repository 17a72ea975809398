"""Access keys and backends, as the proxies and workers look them up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from domicile_common.model import Backend, Credential, Rates, Tenant
from domicile_metadata.storage.database import Statements

_RATES = msgspec.json.Decoder(Rates)


async def find_credential(statements: Statements, access_key: str) -> Credential | None:
    """The credential, if it may be used now."""
    row = await statements.row("find_live_credential", access_key)
    if row is None:
        return None
    return Credential(
        access_key=row["access_key"],
        sealed_secret=row["sealed_secret"],
        tenant=Tenant(tenant_id=row["tenant_id"], name=row["name"], canonical_id=row["canonical_id"]),
        access=row["access"],
        expires_at=row["expires_at"],
        rates=rates_of(row["rates"]),
    )


def rates_of(document: str | None) -> Rates | None:
    return None if document is None else _RATES.decode(document)


async def find_tenants(statements: Statements, canonical_ids: Sequence[str]) -> tuple[Tenant, ...]:
    """Those that exist; the columns stand in the order of the fields."""
    return tuple(Tenant(*row) for row in await statements.fetch("find_tenants_by_canonical_id", list(canonical_ids)))


async def list_backends(statements: Statements) -> tuple[Backend, ...]:
    """Every registered backend, in whatever state."""
    return tuple(as_backend(row) for row in await statements.fetch("list_all_backends"))


def as_backend(row: Any) -> Backend:
    """The columns stand in the order of the fields."""
    backend_id, provider, endpoint, country, jurisdictions, *rest, capabilities = row
    fields = (backend_id, provider, endpoint, country, tuple(jurisdictions), *rest, msgspec.json.decode(capabilities))
    return Backend(*fields)
