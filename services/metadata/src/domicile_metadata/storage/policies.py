"""Policy levels, and the locks of buckets that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from domicile_common.model import EffectivePolicy
from domicile_metadata.domain.demands import Demand
from domicile_metadata.storage.backends import expect_replica_changes
from domicile_metadata.storage.database import Session, Statements


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """The current policy of one level, as stored."""

    document: str
    version: int


async def find(statements: Statements, level: str, subject: str) -> PolicyRecord | None:
    row = await statements.row("find_policy", level, subject)
    return None if row is None else PolicyRecord(row["document"], row["policy_version"])


async def insert(session: Session, level: Literal["default", "tenant", "bucket"], subject: str, document: str) -> int:
    """Its version."""
    version: int = await session.value("insert_policy", level, subject, document)
    return version


async def list_tenants(statements: Statements) -> dict[str, str]:
    """Tenant id → document, for the tenants that have a policy."""
    return {row["tenant_id"]: row["document"] for row in await statements.fetch("list_tenant_policies")}


async def demands(statements: Statements, names: int, tenant_id: str | None = None) -> list[Demand]:
    """What is asked of the backends by the installation, by each tenant that has a policy, and by buckets; or only by one tenant and its own.

    ``names``: how many are told of buckets that are alike.
    """
    default = await find(statements, "default", "")
    outer = (default.document,) if default else ()
    installation = [Demand(outer, ("the installation",))] if default and tenant_id is None else []
    tenants = await list_tenants(statements)
    rows = await statements.fetch("list_bucket_levels", names, tenant_id)
    return [
        *installation,
        *(Demand((*outer, document), (name,)) for name, document in tenants.items() if tenant_id in (None, name)),
        *(Demand(tuple(row["policies"]), tuple(row["names"]), row["buckets"]) for row in rows),
    ]


async def lock_buckets(session: Session, tenant_id: str | None, name: str | None) -> list[str]:
    """Ids of the buckets of a tenant (of all, when ``None``), or of one by name. Writes to them wait until the transaction ends."""
    await expect_replica_changes(session)
    return [row["bucket_id"].hex for row in await session.fetch("lock_buckets", tenant_id, name)]


async def bind(session: Session, bucket_id: str, policy: EffectivePolicy) -> None:
    """What PostgreSQL itself holds replicas of the bucket to, and what new blobs are called."""
    await session.execute("bind_bucket", bucket_id, policy.countries, policy.jurisdictions, policy.layout)
