"""What a tenant sets for one of its buckets: versioning, object lock, tags."""

from __future__ import annotations

from domicile_common.metadata_client.models import (
    BucketTags,
    Empty,
    FindBucketTags,
    PutBucketTags,
    PutLockConfiguration,
    PutVersioning,
)
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.services.buckets import no_such_bucket
from domicile_metadata.storage import buckets


async def put_versioning(context: Context, request: PutVersioning) -> Empty:
    _check_id(request.bucket_id)
    async with context.database.transaction() as session:
        owner = await buckets.put_versioning(session, request.bucket_id, request.versioning)
        if owner is None:
            raise no_such_bucket()
        await buckets.invalidate(session, *owner)
    return Empty()


async def put_lock_configuration(context: Context, request: PutLockConfiguration) -> Empty:
    _check_id(request.bucket_id)
    async with context.database.transaction() as session:
        owner = await buckets.put_lock_configuration(session, request.bucket_id, request.default_retention)
        if owner is None:
            raise no_such_bucket()
        await buckets.invalidate(session, *owner)
    return Empty()


async def find_tags(context: Context, request: FindBucketTags) -> BucketTags:
    _check_id(request.bucket_id)
    found = await buckets.find_tags(context.database, request.bucket_id)
    if found is None:
        raise no_such_bucket()
    return BucketTags(*found)


async def put_tags(context: Context, request: PutBucketTags) -> Empty:
    _check_id(request.bucket_id)
    if not await buckets.put_tags(context.database, request.bucket_id, request.tags):
        raise no_such_bucket()
    return Empty()


def _check_id(bucket_id: str) -> None:
    if not is_id(bucket_id):
        raise no_such_bucket()
