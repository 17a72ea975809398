"""Where things are: physical names, replicas, and the work that is owed for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from domicile_common.metadata_client.models import Copy, PlacementOfVersion
from domicile_common.model import Decision, ReplicaState, Value
from domicile_metadata.storage.database import Statements


class Namespace(Value, frozen=True):
    """A row of the mapping from logical to physical buckets."""

    tenant_id: str
    bucket: str
    backend_id: str
    provider: str
    counter: int
    namespace: str
    created_at: datetime


class CurrentVersion(Value, frozen=True):
    bucket_id: str
    version_id: str
    committed_at: datetime
    size: int
    etag: str
    decision: Decision


class PlacedReplica(Value, frozen=True, kw_only=True):
    """``since``: when it came into its state. ``verified_at``: when its bytes were last compared with the record."""

    backend_id: str
    provider: str
    country: str
    state: ReplicaState
    since: datetime
    verified_at: datetime | None
    stamped: bool
    attempt: int
    next_attempt_at: datetime | None
    parked_reason: str | None
    namespace: str
    blob_key: str


async def list_namespaces(statements: Statements, tenant_id: str, bucket: str | None) -> list[Namespace]:
    return [Namespace(*row) for row in await statements.fetch("list_bucket_namespaces", tenant_id, bucket)]


async def find_namespace(statements: Statements, namespace: str) -> list[Namespace]:
    """One for each backend where the name is in use."""
    return [Namespace(*row) for row in await statements.fetch("find_namespace", namespace)]


async def find_version(statements: Statements, tenant_id: str, bucket: str, key: str) -> CurrentVersion | None:
    row = await statements.row("find_current_version", tenant_id, bucket, key.encode())
    if row is None:
        return None
    decision = msgspec.json.decode(row["decision"], type=Decision)
    return CurrentVersion(row["bucket_id"].hex, row["version_id"].hex, row["committed_at"], row["size"], row["etag"], decision)


async def find_placements(statements: Statements, ids: Sequence[tuple[str, str]]) -> list[PlacementOfVersion | None]:
    """Of (bucket id, version id); ``None`` where there is no such version."""
    rows = await statements.fetch("find_placements", [item[0] for item in ids], [item[1] for item in ids])
    found: list[PlacementOfVersion | None] = [None] * len(ids)
    for position, of_version in groupby(rows, key=itemgetter("position")):
        copies = list(of_version)
        found[position - 1] = PlacementOfVersion(
            copies[0]["reason"], tuple(Copy(*row[2:]) for row in copies if row["backend_id"] is not None)
        )
    return found


async def find_version_id(
    statements: Statements, tenant_id: str, bucket: str, key: str, version_id: str | None
) -> tuple[str, str] | None:
    """Bucket id and version id; of the current version when none is named."""
    row = await statements.row("find_version_id", tenant_id, bucket, key.encode(), version_id)
    return None if row is None else (row["bucket_id"].hex, row["version_id"].hex)


async def list_replicas(statements: Statements, bucket_id: str, version_id: str) -> list[PlacedReplica]:
    rows = await statements.fetch("list_replicas", bucket_id, version_id)
    return [PlacedReplica(**_since(row)) for row in rows]


def _since(row: Any) -> dict[str, Any]:
    fields = dict(row)
    fields["since"] = fields.pop("changed_at")
    return fields
