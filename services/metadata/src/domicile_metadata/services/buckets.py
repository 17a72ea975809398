"""Logical buckets: where they may be kept is settled when they are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from domicile_common.access.documents import Caller
from domicile_common.access.engine import may_know_of
from domicile_common.bucket_settings import BucketSettings
from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.metadata_client.models import (
    BucketPage,
    ChangeBucket,
    Cors,
    CreateBucket,
    DeleteBucket,
    Empty,
    FindBucket,
    FindCors,
    ListBuckets,
    ShareObjects,
)
from domicile_common.model import Backend, Bucket, EffectivePolicy, Policy
from domicile_common.namespace import check_bucket_name
from domicile_common.policy import admits, decide, parse_location
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, is_id, uuid7
from domicile_metadata.domain.levels import effective_policy, with_inner_level
from domicile_metadata.services.names import physical_name
from domicile_metadata.storage import buckets, directory, intents, quotas, retirement, tenants
from domicile_metadata.storage.buckets import BucketRecord, Described
from domicile_metadata.storage.database import Session, Statements

COLLISIONS: Final = 100  # of 64-bit hashes: more than a few mean that something else is wrong
NAMESAKES: Final = 1000  # buckets of one name that are looked through
GRANTEES: Final = 1000  # that the objects of one bucket may have together


async def find(context: Context, request: FindBucket) -> Bucket:
    """The caller's own; otherwise the one bucket of that name of another tenant that the caller may know of (docs/adr/0010).

    The same statements are run whether others have a bucket of that name or not: how long an answer takes shall not tell.
    """
    own = await buckets.describe(context.database, request.tenant_id, request.name) if request.tenant_id else None
    if own is not None:
        return await _complete(context, own)
    caller = await _caller(context, request.tenant_id)
    namesakes = await buckets.namesakes(context.database, request.name, NAMESAKES)
    if context.settings.bucket_names == "tenant":
        namesakes = [bucket for bucket in namesakes if may_know_of(caller, _bucket(bucket))]
    if len(namesakes) != 1:
        if context.settings.bucket_names == "tenant" and not request.tenant_id:
            raise RequestError("AccessDenied")  # a signature is missing; nothing is said of what there is
        raise no_such_bucket(request.name)
    return await _complete(context, namesakes[0])


async def _caller(context: Context, tenant_id: str) -> Caller:
    tenant = await tenants.find(context.database, tenant_id) if tenant_id else None
    return Caller(tenant_id, tenant.canonical_id) if tenant else Caller()


async def _complete(context: Context, found: Described) -> Bucket:
    record = found.record
    policy = effective_policy(record.levels.documents, record.levels.version)
    namespaces = await namespaces_for(context, context.database, record, allowed_by(policy, record.backends))
    return msgspec.structs.replace(_bucket(found), policy=policy, namespaces=namespaces)


async def find_cors(context: Context, request: FindCors) -> Cors:
    return Cors(await buckets.find_cors(context.database, request.name, NAMESAKES))


async def change(context: Context, request: ChangeBucket) -> Empty:
    async with context.database.transaction() as session:
        tenant_id, name = await _lock_settings(session, request.bucket_id)
        await buckets.put_settings(session, request.bucket_id, request.put)
        await buckets.delete_settings(session, request.bucket_id, request.remove)
        await buckets.invalidate(session, tenant_id, name)
    return Empty()


async def share_objects(context: Context, request: ShareObjects) -> Empty:
    async with context.database.transaction() as session:
        tenant_id, name = await _lock_settings(session, request.bucket_id)
        before = await buckets.object_grantees(session, request.bucket_id)
        grantees = tuple(sorted({*before, *request.grantees}))
        if len(grantees) > GRANTEES:
            raise RequestError("InvalidRequest", f"The objects of one bucket can be shared with {GRANTEES} others at most.")
        await buckets.put_settings(session, request.bucket_id, BucketSettings(mixed=request.mixed, object_grantees=grantees))
        await buckets.invalidate(session, tenant_id, name)
    return Empty()


async def _lock_settings(session: Session, bucket_id: str) -> tuple[str, str]:
    found = await buckets.lock_settings(session, bucket_id) if is_id(bucket_id) else None
    if found is None:
        raise no_such_bucket()
    return found


async def create(context: Context, request: CreateBucket) -> Bucket:
    """Everything about the new bucket in one transaction, after the policy has been found to be satisfiable."""
    check_bucket_name(request.name)
    lock = parse_location(request.location)
    inner = Policy(region_lock=lock or None)
    bucket_id = uuid7(context.clock(), context.entropy(RANDOM_BYTES))
    async with context.database.transaction() as session:
        # Held, so that a change of the levels above waits, and then sees this bucket.
        await tenants.find(session, request.tenant_id)
        if context.settings.bucket_names == "global" and await buckets.lock_name(session, request.name, request.tenant_id):
            raise RequestError("BucketAlreadyExists", "The requested bucket name is not available.")
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
        await buckets.put_settings(session, bucket_id, request.settings)
        made = await buckets.describe(session, request.tenant_id, request.name)
        assert made is not None
        policy = msgspec.structs.replace(policy, version=made.record.levels.version)
        namespaces = await namespaces_for(context, session, made.record, allowed_by(policy, backends))
        await buckets.invalidate(session, request.tenant_id, request.name)
    return msgspec.structs.replace(_bucket(made), policy=policy, namespaces=namespaces)


def _check_satisfiable(policy: EffectivePolicy, backends: Sequence[Backend], *, asked_for: str) -> None:
    """A location that no backend serves is the fault of the location, whatever rule it breaks."""
    try:
        decide(policy, backends)
    except PolicyRefused as refused:
        if not asked_for:
            raise
        raise PolicyRefused(refused.detail["Rule"], refused.message, "InvalidLocationConstraint") from None


async def _check_count(context: Context, session: Session, tenant_id: str) -> None:
    own = (await quotas.find(session, tenant_id)).buckets
    limit = context.settings.buckets_per_tenant if own is None else own
    await quotas.hold(session, [tenant_id])
    if await buckets.count(session, tenant_id, limit) >= limit:
        raise RequestError("TooManyBuckets", f"You have {limit} buckets, which is as many as you may have.")


async def delete(context: Context, request: DeleteBucket) -> Empty:
    """Unfinished uploads end, and writes that are under way are cancelled: their clients are told to try again, and learn that it is gone."""
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
    first = await retirement.next_counter(statements, record.tenant_id, record.name) if missing else 0
    for counter in range(first, first + COLLISIONS):
        if not missing:
            return {backend.backend_id: known[backend.backend_id] for backend in backends}
        names = {
            it.backend_id: physical_name(context, record.tenant_id, record.name, (it.backend_id, it.provider), counter)
            for it in missing
        }
        known = await buckets.propose_namespaces(statements, record.tenant_id, record.name, names, counter)
        missing = [backend for backend in missing if backend.backend_id not in known]
    raise Unavailable("no free physical bucket name was found")


_UNDECIDED: Final = EffectivePolicy(replica_count=0, write_quorum=0, version=0)


def _bucket(found: Described) -> Bucket:
    """As far as the record tells; where it may be kept is still to be filled in."""
    record = found.record
    return Bucket(
        bucket_id=record.bucket_id,
        tenant_id=record.tenant_id,
        name=record.name,
        created_at=record.created_at,
        location=record.location,
        policy=_UNDECIDED,
        namespaces={},
        versioning=record.versioning,
        owner=found.owner,
        settings=found.settings,
        object_lock=record.object_lock,
        default_retention=record.default_retention,
        rates=found.rates,
    )
