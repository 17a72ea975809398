"""What a change would have moved, how far a change has got, and comparing once more: for an operator."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec

from domicile_common.errors import PolicyRefused, RequestError
from domicile_common.model import Backend, BackendState
from domicile_metadata.context import Context
from domicile_metadata.domain.levels import effective_policy
from domicile_metadata.domain.preview import Estimate, Pace, Preview
from domicile_metadata.services import policies, rearrange
from domicile_metadata.services.backends import broken_by_change, check_place, no_such_backend
from domicile_metadata.services.policies import Level
from domicile_metadata.storage import buckets, directory, rearrangements
from domicile_metadata.storage.buckets import BucketRecord
from domicile_metadata.storage.policies import lock_buckets
from domicile_metadata.storage.rearrangements import Rearrangement, Refusal

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Supposed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy of a level (the installation's, a tenant's, a bucket's), or a backend in another state or place.

    None of that: what is outstanding now.
    """

    tenant: str | None = None
    bucket: str | None = None
    policy: msgspec.Raw = msgspec.Raw()
    backend: str | None = None
    state: BackendState | None = None
    country: str | None = None
    jurisdictions: tuple[str, ...] | None = None
    bytes_per_second: Positive = Pace().bytes_per_second
    copies_per_second: Positive = Pace().copies_per_second


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tenant: str | None = None
    bucket: str | None = None


class Requested(msgspec.Struct, frozen=True):
    buckets: int


class Progress(msgspec.Struct, frozen=True):
    rearrangements: tuple[Rearrangement, ...]
    refusals: tuple[Refusal, ...]


async def preview(context: Context, supposed: Supposed) -> Preview:
    """Raises as the change itself would: ``InvalidRequest``, ``PolicyRefused``, ``NoSuchTenant``, ``NoSuchBucket``, ``NoSuchBackend``."""
    if supposed.bucket is not None and supposed.tenant is None:
        raise RequestError("InvalidArgument", "bucket needs tenant.")
    changes = _changes(supposed)
    if (supposed.backend is None) == bool(changes):
        raise RequestError("InvalidArgument", "backend goes together with state, country or jurisdictions.")
    after = await _as_supposed(context, str(supposed.backend), changes) if changes else None
    estimate = Estimate()
    for record in await _suppose(context, supposed, after):
        try:
            policy = effective_policy(record.levels.documents, record.levels.version)
        except PolicyRefused:  # broken already: nothing is written to it, and nothing moves
            continue
        async for alike in rearrangements.count(context.database, record.bucket_id):
            estimate.add((record.tenant_id, record.name), policy, record.backends, alike)
    unsatisfiable = await broken_by_change(context.database, after, supposed.tenant) if after else ()
    return estimate.preview(Pace(supposed.bytes_per_second, supposed.copies_per_second), unsatisfiable)


def _changes(supposed: Supposed) -> dict[str, Any]:
    return {name: value for name in ("state", "country", "jurisdictions") if (value := getattr(supposed, name)) is not None}


async def _as_supposed(context: Context, backend_id: str, changes: Mapping[str, Any]) -> Backend:
    known = {it.backend_id: it for it in await directory.list_backends(context.database)}
    if backend_id not in known:
        raise no_such_backend(backend_id)
    backend = msgspec.structs.replace(known[backend_id], **changes)
    check_place(backend.country, backend.jurisdictions)
    return backend


class _UndoneError(Exception):
    """The transaction has served its purpose."""


async def _suppose(context: Context, supposed: Supposed, after: Backend | None) -> list[BucketRecord]:
    """The buckets that are concerned, as they would be. The change is made and undone, so that it is the same as the real one."""
    found: list[BucketRecord] = []
    with contextlib.suppress(_UndoneError):
        async with context.database.transaction() as session:
            ids = await rearrangements.bucket_ids(session, supposed.tenant, supposed.bucket)
            before = await buckets.find_by_id(session, ids)
            if supposed.policy:
                policy = policies.parse(bytes(supposed.policy))
                await policies.insert(session, Level(supposed.tenant, supposed.bucket), policy)
                changed = await buckets.find_by_id(session, ids)
                policies.check_possible(before, changed)
            else:
                changed = before
            found = list(changed.values())
            raise _UndoneError
    return [_with_backend(record, after) for record in found] if after else found


def _with_backend(record: BucketRecord, after: Backend) -> BucketRecord:
    return replace(record, backends=tuple(after if it.backend_id == after.backend_id else it for it in record.backends))


async def progress(context: Context, tenant_id: str | None, bucket: str | None, limit: int, *, unfinished: bool) -> Progress:
    listed = await rearrangements.list_page(context.database, tenant_id, bucket, limit, unfinished=unfinished)
    return Progress(tuple(listed), tuple(await rearrangements.refusals(context.database, tenant_id, bucket)))


async def compare_again(context: Context, asked: Comparison) -> Requested:
    """All versions of a bucket, of a tenant's buckets, or of all. Raises ``NoSuchBucket`` when there is none."""
    async with context.database.transaction() as session:
        ids: Sequence[str] = await lock_buckets(session, asked.tenant, asked.bucket)
        if not ids:
            raise RequestError("NoSuchBucket", "There is no such bucket.")
        await rearrange.request(context, session, ids, "an operator's wish")
    return Requested(len(ids))
