"""Replication work that is owed, or was given up for now.

``which``: ``backend``, ``tenant``, ``bucket``, ``action``, ``error_class``, ``bucket_id``, ``version_id``.
"""

from __future__ import annotations

from typing import Literal

from domicile_client.call import Call, Json, Pages, call


def list_all(state: Literal["owed", "parked", "all"] | None = None, **which: str | None) -> Call:
    """Oldest first."""
    return call("GET", "jobs", query={"state": state, **which}, pages=Pages("jobs"))


def show(bucket_id: str, version_id: str, backend: str) -> Call:
    return call("GET", "jobs", bucket_id, version_id, backend)


def replay(**which: str | None) -> Call:
    """Parked work is tried again."""
    return call("POST", "jobs", "replay", body=_body(which))


def drop(reason: str, **which: str | None) -> Call:
    """Parked work is given up for good; the reason is noted for ever."""
    return call("POST", "jobs", "drop", body={"reason": reason, **_body(which)})


def _body(which: dict[str, str | None]) -> Json:
    """In a body, a backend is said as everywhere in bodies."""
    return {"backend_id" if name == "backend" else name: value for name, value in which.items()}


def drops(tenant: str | None = None, bucket: str | None = None) -> Call:
    """What was given up for good, latest first."""
    return call("GET", "jobs", "drops", query={"tenant": tenant, "bucket": bucket}, pages=Pages("drops"))


def lag(tenant: str | None = None, bucket: str | None = None, limit: int | None = None) -> Call:
    """How far copies are behind."""
    return call("GET", "lag", query={"tenant": tenant, "bucket": bucket, "limit": limit})
