"""Rebuilds: the record is made anew from what blobs say of themselves."""

from __future__ import annotations

from typing import Final, get_args

from domicile_common.errors import RequestError
from domicile_common.metadata_client.base import Empty
from domicile_common.metadata_client.models import CreateBucket
from domicile_common.metadata_client.rebuild import (
    EndRebuild,
    FindHome,
    FindPrefix,
    Found,
    Home,
    Prefix,
    Rebuild,
    RestoreBucket,
    Restored,
    RestoreVersions,
)
from domicile_common.model import Layout
from domicile_common.stamps import blob_key
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.services import buckets, rearrange
from domicile_metadata.services.names import physical_name
from domicile_metadata.storage import directory, rebuild, retirement, tenants
from domicile_metadata.storage.policies import lock_buckets
from domicile_metadata.storage.rebuild import HomeRow

LAYOUTS: Final[tuple[Layout, ...]] = get_args(Layout)
COUNTERS: Final = 1000  # of names that collided or are out of use


async def check(_context: Context, _asked: Rebuild) -> None:
    """There is nothing that it could name wrongly."""


async def find_prefix(context: Context, _asked: FindPrefix) -> Prefix:
    return Prefix(context.settings.namespace_prefix)


async def find_home(context: Context, asked: FindHome) -> Home:
    providers = {backend.backend_id: backend.provider for backend in await directory.list_backends(context.database)}
    if asked.backend_id not in providers:
        return Home("the backend is not registered")
    place = asked.backend_id, providers[asked.backend_id]
    names = (physical_name(context, asked.tenant_id, asked.bucket, place, counter) for counter in range(COUNTERS))
    counter = next((counter for counter, name in enumerate(names) if name == asked.namespace), None)
    if counter is None:
        return Home("its stamps name a bucket that has another physical name: another namespace key, prefix or provider")
    known = await retirement.find(context.database, asked.backend_id, asked.namespace)
    if known is not None and known.is_retired:
        return Home("its physical bucket is out of use, with everything gone that was in it: it came later, or again")
    if await tenants.find(context.database, asked.tenant_id) is None:
        return Home(f"there is no tenant {asked.tenant_id}")
    return Home(counter=counter)


async def restore_bucket(context: Context, asked: RestoreBucket) -> Home:
    """One that is there keeps its own policy."""
    listed = await directory.list_backends(context.database)
    found = [backend for backend in listed if backend.backend_id in asked.backends]
    countries = sorted({backend.country.lower() for backend in found})
    for backend in found:
        place = backend.backend_id, backend.provider
        for counter in (asked.counters.get(backend.backend_id, 0), *asked.earlier.get(backend.backend_id, ())):
            name = physical_name(context, asked.tenant_id, asked.bucket, place, counter)
            await rebuild.restore_namespace(context.database, (asked.tenant_id, asked.bucket), backend.backend_id, counter, name)
    try:
        await buckets.create(context, CreateBucket(tenant_id=asked.tenant_id, name=asked.bucket, location=",".join(countries)))
    except RequestError as refused:
        if refused.code != "BucketAlreadyOwnedByYou":
            return Home(f"the bucket {asked.tenant_id}/{asked.bucket} cannot be made: {refused.message}")
    return Home()


async def restore_versions(context: Context, asked: RestoreVersions) -> Restored:
    async with context.database.transaction() as session:
        home = await rebuild.find_home(session, asked.backend_id, asked.namespace)
        refused = {it.blob_key: reason for it in asked.blobs if (reason := _fault(it, home))}
        good = [it for it in asked.blobs if it.blob_key not in refused]
        if home is not None and good:
            place = asked.backend_id, asked.namespace
            await rebuild.restore(session, home.bucket_id, place, good, context.settings.removal_grace_seconds)
    return Restored(refused)


def _fault(found: Found, home: HomeRow | None) -> str:
    """Why a blob cannot be restored from what it says of itself; ``""`` when it can."""
    stamp = found.stamp
    again = found.blob_key.rpartition("/")[2].partition("~r")[2]
    if home is None:
        return "its bucket is not there"
    if stamp.digest is None:
        return "its stamp is not complete"
    if not is_id(stamp.version_id):
        return "its stamp names no version"
    if (stamp.tenant_id, stamp.bucket) != (home.tenant_id, home.name):
        return "its stamp names another bucket"
    if found.blob_key not in (blob_key(stamp.key, stamp.version_id, layout, again) for layout in LAYOUTS):
        return "its stamp is that of another blob"
    return "" if home.is_inside else "its backend lies outside the lock of the bucket"


async def end(context: Context, _ended: EndRebuild) -> Empty:
    async with context.database.transaction() as session:
        ids = await lock_buckets(session, None, None)
        await rearrange.request(context, session, ids, "a rebuild")
    return Empty()
