"""What follows from changes of policies and backends."""

from __future__ import annotations

from domicile_client.call import Call, call


def outstanding(tenant: str | None = None, bucket: str | None = None) -> Call:
    """What is not yet as the policies in force ask for."""
    return call("POST", "placement", "preview", body={"tenant": tenant, "bucket": bucket})


def progress(tenant: str | None = None, bucket: str | None = None, *, finished: bool = False, limit: int | None = None) -> Call:
    """``finished``: also changes that are done."""
    query = {"tenant": tenant, "bucket": bucket, "all": "yes" if finished else None, "limit": limit}
    return call("GET", "placement", "progress", query=query)


def compare(tenant: str | None = None, bucket: str | None = None) -> Call:
    """Compares all versions with their policies once more."""
    return call("POST", "placement", "compare", body={"tenant": tenant, "bucket": bucket})
