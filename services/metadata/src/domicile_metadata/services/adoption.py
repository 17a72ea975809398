"""Adoption: objects of a provider's bucket become versions where they are, page by page of its listing (docs/adr/0015)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from domicile_common.errors import PolicyRefused, RequestError
from domicile_common.metadata_client.adoption import (
    Adoption,
    AdoptObjects,
    Compared,
    CompareListed,
    FindVanished,
    Found,
    Listed,
    Vanished,
    Verdict,
)
from domicile_common.metadata_client.models import CreateBucket
from domicile_common.metadata_client.tasks import Json
from domicile_common.model import Blob, Decision, EffectivePolicy, Policy
from domicile_common.namespace import check_bucket_name
from domicile_common.policy import admits, of_object, parse_location
from domicile_common.stamps import blob_key
from domicile_metadata.context import Context
from domicile_metadata.domain.adoption import verdict
from domicile_metadata.domain.arrangement import Arrangement, Copy, arrange
from domicile_metadata.domain.ids import RANDOM_BYTES, is_id, uuid7
from domicile_metadata.domain.levels import effective_policy, with_inner_level
from domicile_metadata.domain.tasks import Prepared
from domicile_metadata.services import buckets as bucket_service
from domicile_metadata.services.answers import CHUNK
from domicile_metadata.services.backends import no_such_backend
from domicile_metadata.services.buckets import namespaces_for, no_such_bucket
from domicile_metadata.services.tenants import known as known_tenant
from domicile_metadata.storage import adoption, buckets, deletions, directory, placement, rearrange, tenants, transfers
from domicile_metadata.storage.adoption import Adopted, Source
from domicile_metadata.storage.buckets import BucketRecord
from domicile_metadata.storage.database import Session, Statements
from domicile_metadata.storage.rearrange import Unsettled

VANISHED: Final = 1000  # keys at most that one call tells of


class WantedAdoption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``location``: of the logical bucket, if it has to be made. ``source``: the provider's bucket."""

    tenant: str
    bucket: str
    backend: str
    source: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")]
    prefix: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    location: str = ""


async def prepare(context: Context, wanted: WantedAdoption) -> Prepared:
    """Settles whose the provider's bucket is from now on, and makes the logical bucket unless it is there.

    Raises ``NoSuchTenant``, ``NoSuchBackend``, ``PolicyRefused`` (the backend is outside the bucket's lock), ``InvalidArgument``, and what
    making a bucket raises; nothing is left behind then.
    """
    known_tenant(wanted.tenant, await tenants.find(context.database, wanted.tenant))
    record = await buckets.find_by_name(context.database, wanted.tenant, wanted.bucket)
    await _check_backend(context, wanted, await _policy(context, wanted, record))
    owner = await adoption.owner(context.database, wanted.backend, wanted.source)
    if owner is not None and (record is None or owner != record.bucket_id):
        raise _taken(wanted)
    if record is None:
        request = CreateBucket(tenant_id=wanted.tenant, name=wanted.bucket, location=wanted.location)
        bucket_id = (await bucket_service.create(context, request)).bucket_id
    else:
        bucket_id = record.bucket_id
    since = await adoption.claim(context.database, Source(bucket_id, wanted.backend, wanted.source))
    if since is None:  # somebody was faster
        raise _taken(wanted)
    task = Adoption(
        tenant=wanted.tenant,
        bucket=wanted.bucket,
        bucket_id=bucket_id,
        backend=wanted.backend,
        source=wanted.source,
        prefix=wanted.prefix,
        since=since,
    )
    return Prepared(task)


async def count_copies(context: Context, parameters: Json) -> dict[str, int]:
    """How far replication by policy has got of what was adopted from there."""
    task = msgspec.convert(parameters, Adoption)
    return await transfers.count_copies(context.database, task.backend, task.source)


async def _policy(context: Context, wanted: WantedAdoption, record: BucketRecord | None) -> EffectivePolicy:
    """That of the bucket as it is, or as it would be made."""
    if record is not None:
        return effective_policy(record.levels.documents, record.levels.version)
    check_bucket_name(wanted.bucket)
    levels = await buckets.outer_levels(context.database, wanted.tenant)
    inner = Policy(region_lock=parse_location(wanted.location) or None)
    return with_inner_level(levels.documents, levels.version, inner, "InvalidLocationConstraint")


async def _check_backend(context: Context, wanted: WantedAdoption, policy: EffectivePolicy) -> None:
    backend = {it.backend_id: it for it in await directory.list_backends(context.database)}.get(wanted.backend)
    if backend is None:
        raise no_such_backend(wanted.backend)
    if backend.state in ("disabled", "lost"):
        raise RequestError("InvalidArgument", f"The backend is {backend.state}.")
    if objection := admits(policy, backend):
        raise PolicyRefused("region_lock", objection)
    if any(row.backend_id == wanted.backend for row in await placement.find_namespace(context.database, wanted.source)):
        raise RequestError("InvalidArgument", f"{wanted.source} is a physical bucket of Domicile itself.")


def _taken(wanted: WantedAdoption) -> RequestError:
    return RequestError("InvalidArgument", f"{wanted.source} at {wanted.backend} was adopted by another bucket.")


async def compare(context: Context, request: CompareListed) -> Compared:
    source = _source(request)
    verdicts = await _verdicts(context.database, source, request.objects, request.since)
    seen = [it.key for it, found in zip(request.objects, verdicts, strict=True) if found == "known"]
    if seen:
        await adoption.note_seen(context.database, source, seen)
    return Compared(tuple(verdicts))


async def _verdicts(statements: Statements, source: Source, objects: Sequence[Listed], since: datetime) -> list[Verdict]:
    found = await adoption.compare(statements, source, [it.key for it in objects])
    return [verdict(it.etag, it.size, *known, since) for it, known in zip(objects, found, strict=True)]


async def adopt(context: Context, request: AdoptObjects) -> Compared:
    """So many keys in one transaction as a batch of commits may hold."""
    source, verdicts = _source(request), list[Verdict]()
    for start in range(0, len(request.objects), CHUNK):
        objects = request.objects[start : start + CHUNK]
        async with context.database.transaction() as session:
            verdicts += await _adopt(context, session, source, request, objects)
    return Compared(tuple(verdicts))


async def _adopt(
    context: Context, session: Session, source: Source, request: AdoptObjects, objects: Sequence[Found]
) -> list[Verdict]:
    # 1. Neither the bucket's policy nor its keys change now.
    await adoption.hold_epoch(session, source.bucket_id)
    await deletions.lock_keys(session, [(source.bucket_id, it.key) for it in objects])
    record = (await buckets.find_by_id(session, [source.bucket_id])).get(source.bucket_id)
    if record is None:
        raise no_such_bucket()
    # 2. What may be adopted?
    listed = [Listed(it.key, it.digest.size, it.digest.etag) for it in objects]
    verdicts = await _verdicts(session, source, listed, request.since)
    new = [it for it, found in zip(objects, verdicts, strict=True) if found == "new"]
    # 3. Versions where they are, and the copies that the policy wants besides.
    if new:
        await _record(context, session, source, record, new, request.trace)
    return ["indexed" if found == "new" else found for found in verdicts]


async def _record(  # noqa: PLR0917 -- a step of its caller
    context: Context, session: Session, source: Source, record: BucketRecord, new: Sequence[Found], trace: str
) -> None:
    now, settings = context.clock(), context.settings
    placed = [(it, uuid7(now, context.entropy(RANDOM_BYTES)), _arrangement(record, source, it)) for it in new]
    wanted = {backend_id for _, _, arrangement in placed for backend_id in arrangement.add} | {source.backend_id}
    names = await namespaces_for(context, session, record, [it for it in record.backends if it.backend_id in wanted])
    await adoption.adopt(
        session,
        source,
        names[source.backend_id],
        [Adopted(version_id, it, _decision(record, source, arrangement)) for it, version_id, arrangement in placed],
        makes_null=record.versioning != "enabled",
        grace_seconds=settings.removal_grace_seconds,
        trace=trace,
    )
    copies = [
        ((record.bucket_id, version_id), Blob(name, names[name], blob_key(it.key, version_id, record.layout)))
        for it, version_id, arrangement in placed
        for name in arrangement.add
    ]
    if copies:
        await rearrange.want(session, copies)
    unsettled = [
        Unsettled((record.bucket_id, version_id), refusal=arrangement.refusal)
        for _, version_id, arrangement in placed
        if not arrangement.is_settled
    ]
    if unsettled:
        await rearrange.unsettle(session, unsettled)


def _arrangement(record: BucketRecord, source: Source, found: Found) -> Arrangement:
    policy = effective_policy(record.levels.documents, record.levels.version)
    asked_for = of_object(policy, found.facts.storage_class, found.facts.tags.get("replica-count"))
    return arrange(asked_for, record.backends, [Copy(source.backend_id, "stored", stamped=False)])


def _decision(record: BucketRecord, source: Source, arrangement: Arrangement) -> Decision:
    reason = f"{source.namespace} at {source.backend_id}: adopted{f'; {arrangement.refusal}' if arrangement.refusal else '.'}"
    return Decision(arrangement.wanted, (source.backend_id,), record.levels.version, reason)


async def find_vanished(context: Context, request: FindVanished) -> Vanished:
    source, limit = _source(request), min(max(request.limit, 0), VANISHED)
    return Vanished(tuple(await adoption.find_vanished(context.database, source, request, limit)))


def _source(request: CompareListed | AdoptObjects | FindVanished) -> Source:
    if not is_id(request.bucket_id):
        raise no_such_bucket()
    return Source(request.bucket_id, request.backend_id, request.source)
