"""What a change would have moved, how far a change has got, and comparing once more: for an operator."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import msgspec

from domicile_common.errors import PolicyRefused, RequestError
from domicile_common.model import BackendState
from domicile_metadata.context import Context
from domicile_metadata.domain.levels import effective_policy
from domicile_metadata.domain.preview import Estimate, Pace, Preview
from domicile_metadata.services import policies, rearrange
from domicile_metadata.services.backends import no_such_backend
from domicile_metadata.services.policies import Level
from domicile_metadata.storage import buckets, rearrangements
from domicile_metadata.storage.buckets import BucketRecord
from domicile_metadata.storage.policies import lock_buckets
from domicile_metadata.storage.rearrangements import Rearrangement, Refusal

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Supposed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy of a level (the installation's, a tenant's, a bucket's), or a backend in another state. Neither: what is outstanding now."""

    tenant: str | None = None
    bucket: str | None = None
    policy: msgspec.Raw = msgspec.Raw()
    backend: str | None = None
    state: BackendState | None = None
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
    if (supposed.backend is None) != (supposed.state is None):
        raise RequestError("InvalidArgument", "backend and state go together.")
    estimate = Estimate()
    for record in await _suppose(context, supposed):
        try:
            policy = effective_policy(record.levels.documents, record.levels.version)
        except PolicyRefused:  # broken already: nothing is written to it, and nothing moves
            continue
        async for alike in rearrangements.count(context.database, record.bucket_id):
            estimate.add((record.tenant_id, record.name), policy, record.backends, alike)
    return estimate.preview(Pace(supposed.bytes_per_second, supposed.copies_per_second))


class _UndoneError(Exception):
    """The transaction has served its purpose."""


async def _suppose(context: Context, supposed: Supposed) -> list[BucketRecord]:
    """The buckets that are concerned, as they would be. The change is made and undone, so that it is the same as the real one."""
    found: list[BucketRecord] = []
    with contextlib.suppress(_UndoneError):
        async with context.database.transaction() as session:
            ids = await rearrangements.bucket_ids(session, supposed.tenant, supposed.bucket)
            before = await buckets.find_by_id(session, ids)
            if supposed.policy:
                policy = policies.parse(bytes(supposed.policy))
                await policies.insert(session, Level(supposed.tenant, supposed.bucket), policy)
                after = await buckets.find_by_id(session, ids)
                policies.check_possible(before, after)
            else:
                after = before
            found = list(after.values())
            raise _UndoneError
    return [_with_state(record, supposed) for record in found]


def _with_state(record: BucketRecord, supposed: Supposed) -> BucketRecord:
    if supposed.backend is None or supposed.state is None:
        return record
    if supposed.backend not in {backend.backend_id for backend in record.backends}:
        raise no_such_backend(supposed.backend)
    backends = tuple(
        msgspec.structs.replace(backend, state=supposed.state) if backend.backend_id == supposed.backend else backend
        for backend in record.backends
    )
    return replace(record, backends=backends)


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
