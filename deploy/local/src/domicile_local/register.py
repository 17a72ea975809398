"""Telling metadata what a fresh installation needs to know. Everything here may be repeated; what an operator changed since stays."""

from __future__ import annotations

from collections.abc import Iterable

from domicile_local.admin import Admin
from domicile_local.servers.reach import S3Backend
from domicile_local.state import Key

DEFAULT_POLICY = {"region_lock": ["EU"], "replica_count": 2, "write_quorum": 1, "spread": "country"}


def register_backends(admin: Admin, backends: Iterable[S3Backend]) -> None:
    """``state`` and what else an operator may have set for a known backend stays as it is."""
    for backend in backends:
        registration = {
            "provider": backend.backend_id,
            "endpoint": backend.endpoint,
            "country": backend.country,
            "jurisdictions": [backend.country],
            "access_key": backend.access_key,
            "secret_key": backend.secret_key,
            "region": backend.region,
            "quirks": backend.quirks,
        }
        admin.call("PUT", f"/backends/{backend.backend_id}", registration)


def register_default_policy(admin: Admin) -> None:
    if admin.call("GET", "/policies/default")["policy"] is None:
        admin.call("PUT", "/policies/default", DEFAULT_POLICY)


def register_tenant(admin: Admin, tenant_id: str, key: Key) -> None:
    if not any(tenant["tenant_id"] == tenant_id for tenant in admin.call("GET", "/tenants", params={"limit": "1000"})["tenants"]):
        admin.call("POST", "/tenants", {"tenant_id": tenant_id})
    admin.call("POST", "/credentials", {"tenant_id": tenant_id, "access_key": key.access_key, "secret_key": key.secret_key})
