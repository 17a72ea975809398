"""Logical buckets: where they may be kept is settled when they are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.metadata_client.models import BucketPage, CreateBucket, DeleteBucket, Empty, FindBucket, ListBuckets
from domicile_common.model import Backend, Bucket, EffectivePolicy, Policy
from domicile_common.namespace import check_bucket_name, namespace_name
from domicile_common.policy import admits, decide, parse_location
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, uuid7
from domicile_metadata.domain.levels import effective_policy, with_inner_level
from domicile_metadata.storage import buckets, directory, intents, tenants
from domicile_metadata.storage.buckets import BucketRecord
from domicile_metadata.storage.database import Statements

COLLISIONS: Final = 100  # of 64-bit hashes: more than a few mean that something else is wrong


async def find(context: Context, request: FindBucket) -> Bucket:
    record = await buckets.find_by_name(context.database, request.tenant_id, request.name)
    if record is None:
        raise no_such_bucket(request.name)
    policy = effective_policy(record.levels.documents, record.levels.version)
    return _bucket(record, policy, await namespaces_for(context, context.database, record, allowed_by(policy, record.backends)))


async def create(context: Context, request: CreateBucket) -> Bucket:
    """Everything about the new bucket in one transaction, after the policy has been found to be satisfiable."""
    check_bucket_name(request.name)
    lock = parse_location(request.location)
    inner = Policy(region_lock=lock or None)
    bucket_id = uuid7(context.clock(), context.entropy(RANDOM_BYTES))
    async with context.database.transaction() as session:
        # Held, so that a change of the levels above waits, and then sees this bucket.
        await tenants.find(session, request.tenant_id)
        levels = await buckets.outer_levels(session, request.tenant_id)
        policy = with_inner_level(levels.documents, levels.version, inner, "InvalidLocationConstraint")
        backends = await directory.list_backends(session)
        _check_satisfiable(policy, backends, asked_for=request.location)
        await _check_count(context, session, request.tenant_id)
        await buckets.insert(
            session,
            bucket_id,
            request.tenant_id,
            request.name,
            location=request.location,
            policy=policy,
            object_lock=request.object_lock,
        )
        if lock:
            await buckets.insert_policy(session, bucket_id, inner)
        record = await buckets.find_by_name(session, request.tenant_id, request.name)
        assert record is not None
        policy = msgspec.structs.replace(policy, version=record.levels.version)
        namespaces = await namespaces_for(context, session, record, allowed_by(policy, backends))
        await buckets.invalidate(session, request.tenant_id, request.name)
    return _bucket(record, policy, namespaces)


def _check_satisfiable(policy: EffectivePolicy, backends: Sequence[Backend], *, asked_for: str) -> None:
    """A location that no backend serves is the fault of the location, whatever rule it breaks."""
    try:
        decide(policy, backends)
    except PolicyRefused as refused:
        if not asked_for:
            raise
        raise PolicyRefused(refused.detail["Rule"], refused.message, "InvalidLocationConstraint") from None


async def _check_count(context: Context, statements: Statements, tenant_id: str) -> None:
    limit = context.settings.buckets_per_tenant
    if await buckets.count(statements, tenant_id, limit) >= limit:
        raise RequestError("TooManyBuckets", f"You have {limit} buckets, which is as many as you may have.")


async def delete(context: Context, request: DeleteBucket) -> Empty:
    """Writes that are under way are cancelled: their clients are told to try again, and then learn that the bucket is gone."""
    async with context.database.transaction() as session:
        bucket_id = await buckets.lock(session, request.tenant_id, request.name)
        if bucket_id is None:
            raise no_such_bucket(request.name)
        if await buckets.is_used(session, bucket_id):
            raise RequestError("BucketNotEmpty", "The bucket you tried to delete is not empty.", {"BucketName": request.name})
        await intents.end_all(session, bucket_id, context.settings.removal_grace_seconds)
        await buckets.delete(session, bucket_id)
        await buckets.invalidate(session, request.tenant_id, request.name)
    return Empty()


async def list_page(context: Context, request: ListBuckets) -> BucketPage:
    limit = max(0, request.limit)
    found = await buckets.list_page(context.database, request.tenant_id, request.prefix, request.after, limit + 1)
    return BucketPage(tuple(found[:limit]), truncated=len(found) > limit > 0)


def no_such_bucket(name: str = "") -> RequestError:
    return RequestError("NoSuchBucket", "The specified bucket does not exist.", {"BucketName": name} if name else None)


def allowed_by(policy: EffectivePolicy, backends: Iterable[Backend]) -> list[Backend]:
    """The backends inside the lock, in whatever state."""
    return [backend for backend in backends if admits(policy, backend) is None]


async def namespaces_for(
    context: Context, statements: Statements, record: BucketRecord, backends: Sequence[Backend]
) -> dict[str, str]:
    """The bucket's physical name at each of the backends. One that has none yet (a backend registered later) gets it now."""
    known = record.namespaces
    missing = [backend for backend in backends if backend.backend_id not in known]
    for counter in range(COLLISIONS):
        if not missing:
            return {backend.backend_id: known[backend.backend_id] for backend in backends}
        names = {backend.backend_id: _physical_name(context, record, backend, counter) for backend in missing}
        known = await buckets.propose_namespaces(statements, record.tenant_id, record.name, names, counter)
        missing = [backend for backend in missing if backend.backend_id not in known]
    raise Unavailable("no free physical bucket name was found")


def _physical_name(context: Context, record: BucketRecord, backend: Backend, counter: int) -> str:
    settings = context.settings
    return namespace_name(
        settings.namespace_key.get_secret_value().encode(),
        settings.namespace_prefix,
        record.tenant_id,
        record.name,
        backend.backend_id,
        backend.provider,
        counter,
    )


def _bucket(record: BucketRecord, policy: EffectivePolicy, namespaces: dict[str, str]) -> Bucket:
    return Bucket(
        bucket_id=record.bucket_id,
        tenant_id=record.tenant_id,
        name=record.name,
        created_at=record.created_at,
        location=record.location,
        policy=policy,
        namespaces=namespaces,
        layout=record.layout,
        versioning=record.versioning,
        object_lock=record.object_lock,
        default_retention=record.default_retention,
    )
