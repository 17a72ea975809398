"""Where data may live, and in how many copies. A level is the installation's, a tenant's, or that of a tenant's bucket."""

from __future__ import annotations

from dataclasses import replace

from domicile_client.call import Call, Json, call


def _level(tenant: str | None, bucket: str | None) -> tuple[str, ...]:
    if tenant is None:
        return "policies", "default"
    return ("policies", "tenants", tenant) if bucket is None else ("policies", "buckets", tenant, bucket)


def show(tenant: str | None = None, bucket: str | None = None) -> Call:
    return call("GET", *_level(tenant, bucket))


def put(policy: Json, tenant: str | None = None, bucket: str | None = None) -> Call:
    return replace(call("PUT", *_level(tenant, bucket)), body=policy)  # ``null`` may mean something in a policy


def preview(
    policy: Json,
    tenant: str | None = None,
    bucket: str | None = None,
    *,
    bytes_per_second: float | None = None,
    copies_per_second: float | None = None,
) -> Call:
    """What would be moved; nothing is changed. The rates are what a backend is assumed to take or give."""
    level = {"policy": policy, "tenant": tenant, "bucket": bucket}
    pace = {"bytes_per_second": bytes_per_second, "copies_per_second": copies_per_second}
    return call("POST", "placement", "preview", body={**level, **pace})
