"""What was kept of S3 accounts that somebody looked at."""

from __future__ import annotations

from collections.abc import Sequence

from domicile_client.call import Call, Json, Pages, call
from domicile_client.sovereignty import Among


def list_all() -> Call:
    """The newest first."""
    return call("GET", "snapshots", pages=Pages("snapshots", "snapshot_id"))


def show(snapshot: str) -> Call:
    return call("GET", "snapshots", snapshot)


def delete(snapshot: str) -> Call:
    return call("DELETE", "snapshots", snapshot)


def export(snapshot: str) -> Call:
    """For ``Domicile.download``: an ``.ndjson.gz`` file."""
    return call("GET", "snapshots", snapshot, "export")


def diff(before: str, after: str, limit: int | None = None) -> Call:
    """``limit``: of the differences that are shown; all are counted."""
    body = {"before": before, "after": after, "limit": limit}
    return call("POST", "snapshots", "diff", body=body, service="discovery")


def plan(snapshot: str, policy: Json, *, features: Sequence[str] = (), among: Among | None = None) -> Call:
    """What would have to move under a policy, and where to."""
    body = {"policy": policy, "features": list(features), "among": among}
    return call("POST", "snapshots", snapshot, "plan", body=body, service="discovery")
