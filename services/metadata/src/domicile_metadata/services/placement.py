"""Where things are: physical names explained in both directions, the replicas of an object, and the work that is owed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import FindPlacement
from domicile_common.model import Value
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.services.answers import Answer
from domicile_metadata.services.names import physical_name
from domicile_metadata.services.tenants import known as known_tenant
from domicile_metadata.storage import directory, placement, retirement, tenants
from domicile_metadata.storage.placement import CurrentVersion, Namespace, PlacedReplica


class Explanation(Value, frozen=True):
    """``recorded``: the mapping stands in the record; otherwise it is what the name would be. ``computed``: the name as the hash gives it.

    They differ only when the namespace key, the prefix or the provider was changed after the bucket was made.
    """

    tenant_id: str
    bucket: str
    backend_id: str
    counter: int
    namespace: str
    computed: str
    recorded: bool


class Explanations(msgspec.Struct, frozen=True):
    namespaces: tuple[Explanation, ...]


class Placement(msgspec.Struct, frozen=True):
    version: CurrentVersion
    replicas: tuple[PlacedReplica, ...]


async def explain_names(context: Context, tenant_id: str, bucket: str, backend_id: str | None) -> Explanations:
    """The bucket's physical name at one backend, or at every registered one. Raises ``NoSuchTenant``, ``NoSuchBackend``."""
    known_tenant(tenant_id, await tenants.find(context.database, tenant_id))
    recorded = {row.backend_id: row for row in await placement.list_namespaces(context.database, tenant_id, bucket)}
    providers = {backend.backend_id: backend.provider for backend in await directory.list_backends(context.database)}
    if backend_id is not None and backend_id not in providers:
        raise RequestError("NoSuchBackend", f"There is no backend {backend_id}.")
    counter, explanations = await retirement.next_counter(context.database, tenant_id, bucket), []
    for wanted in [backend_id] if backend_id is not None else providers:
        if wanted in recorded:
            explanations.append(_explain_row(context, recorded[wanted]))
        else:
            name = physical_name(context, tenant_id, bucket, (wanted, providers[wanted]), counter)
            explanations.append(Explanation(tenant_id, bucket, wanted, counter, name, name, recorded=False))
    return Explanations(tuple(explanations))


def recorded(explanations: Explanations) -> Explanations:
    """Without the names that a bucket would have elsewhere."""
    return Explanations(tuple(it for it in explanations.namespaces if it.recorded))


async def explain_namespace(context: Context, namespace: str) -> Explanations:
    """Whose physical name it is. Raises ``NoSuchNamespace``."""
    rows = await placement.find_namespace(context.database, namespace)
    if not rows:
        raise RequestError("NoSuchNamespace", f"No bucket has the physical name {namespace}.")
    return Explanations(tuple(_explain_row(context, row) for row in rows))


def _explain_row(context: Context, row: Namespace) -> Explanation:
    computed = physical_name(context, row.tenant_id, row.bucket, (row.backend_id, row.provider), row.counter)
    return Explanation(row.tenant_id, row.bucket, row.backend_id, row.counter, row.namespace, computed, recorded=True)


async def show(context: Context, tenant_id: str, bucket: str, key: str) -> Placement:
    """The current version of an object and all its replicas. Raises ``NoSuchKey``, also for an unknown tenant or bucket."""
    version = await placement.find_version(context.database, tenant_id, bucket, key)
    if version is None:
        raise RequestError("NoSuchKey", "There is no such object.")
    return Placement(version, tuple(await placement.list_replicas(context.database, version.bucket_id, version.version_id)))


async def find(context: Context, requests: Sequence[FindPlacement]) -> list[Answer]:
    ids = [(request.bucket_id, request.version_id) for request in requests]
    known = [place for place in dict.fromkeys(ids) if is_id(place[0]) and is_id(place[1])]
    found = dict(zip(known, await placement.find_placements(context.database, known), strict=True))
    return [found.get(place) or no_such_version() for place in ids]


def no_such_version() -> RequestError:
    return RequestError("NoSuchVersion", "The specified version does not exist.")
