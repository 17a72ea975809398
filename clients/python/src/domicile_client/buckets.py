"""Buckets of tenants: their physical names, and where their objects are."""

from __future__ import annotations

from domicile_client.call import Call, Pages, call


def list_all(tenant: str | None = None) -> Call:
    """With what was counted of each."""
    return call("GET", "buckets", query={"tenant": tenant}, pages=Pages("buckets"))


def show(tenant: str, bucket: str) -> Call:
    return call("GET", "buckets", tenant, bucket)


def explain(tenant: str, bucket: str, backend: str | None = None) -> Call:
    """The physical names of a bucket, at one backend or at all."""
    return call("GET", "namespaces", "explain", query={"tenant": tenant, "bucket": bucket, "backend": backend})


def explain_name(namespace: str) -> Call:
    """Whose physical name it is."""
    return call("GET", "namespaces", "explain", query={"namespace": namespace})


def placement(tenant: str, bucket: str, key: str) -> Call:
    """Where an object is, and why."""
    return call("GET", "placement", query={"tenant": tenant, "bucket": bucket, "key": key})


def wait(
    tenant: str,
    bucket: str,
    key: str,
    *,
    version: str | None = None,
    copies: int | None = None,
    countries: str | None = None,
    timeout: int | None = None,
) -> Call:
    """Until it has so many verified copies, or is in so many countries (``"2"``), or in these (``"FI,DE"``); the answer says ``reached``."""
    asked = {"version": version, "copies": copies, "countries": countries, "timeout": timeout}
    return call("GET", "wait", query={"tenant": tenant, "bucket": bucket, "key": key, **asked})
