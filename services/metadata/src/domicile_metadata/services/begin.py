"""TX1 of a write: the intent with its decision, committed before the first byte leaves the proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.models import UNCONDITIONAL, Begin, Empty, Intent, Renew
from domicile_common.model import Blob, Decision
from domicile_common.policy import decide
from domicile_common.stamps import blob_key
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, is_id, uuid7
from domicile_metadata.domain.levels import effective_policy, with_inner_level
from domicile_metadata.domain.quotas import Room
from domicile_metadata.domain.writes import NewIntent, check_condition
from domicile_metadata.services.answers import Answer, settle
from domicile_metadata.services.buckets import namespaces_for, no_such_bucket
from domicile_metadata.services.quotas import check_write
from domicile_metadata.storage import buckets, intents, quotas
from domicile_metadata.storage.buckets import BucketRecord

DECIDED_TOO_EARLY: Final = "the policy has just changed: try again"
MAXIMUM_KEY_BYTES: Final = 1024  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html


async def begin(context: Context, requests: Sequence[Begin]) -> list[Answer]:
    """Decides each write and inserts all intents at once.

    Policies, backends and buckets are read anew for each batch: a decision never rests on what this process remembers.
    """
    known = await _look_up(context, requests)
    planned = [await settle(request, _plan(context, known, request)) for request in requests]
    accepted = [plan for plan in planned if isinstance(plan, NewIntent)]
    outcomes = await _insert(context, accepted) if accepted else {}
    return [_answer(plan, outcomes) if isinstance(plan, NewIntent) else plan for plan in planned]


class _Known(NamedTuple):
    """What decides the writes of a batch. ``rooms``: by tenant with a quota. ``etags``: by (bucket id, key) that has a condition."""

    now: datetime
    records: Mapping[str, BucketRecord]
    rooms: Mapping[str, Room]
    etags: Mapping[tuple[str, str], str]


async def _look_up(context: Context, requests: Sequence[Begin]) -> _Known:
    bucket_ids = {request.bucket_id for request in requests if is_id(request.bucket_id)}
    records = await buckets.find_by_id(context.database, bucket_ids)
    with_quota = {record.tenant_id for record in records.values() if record.has_quota}
    conditional = {(it.bucket_id, it.key) for it in requests if it.condition != UNCONDITIONAL and it.bucket_id in records}
    return _Known(
        context.clock(),
        records,
        await quotas.rooms(context.database, with_quota) if with_quota else {},
        await intents.current_etags(context.database, conditional) if conditional else {},
    )


async def _plan(context: Context, known: _Known, request: Begin) -> NewIntent:
    record = known.records.get(request.bucket_id)
    if not request.key:
        raise RequestError("InvalidArgument", "The key is empty.")
    if len(request.key.encode()) > MAXIMUM_KEY_BYTES:
        raise RequestError("KeyTooLongError", "Your key is too long.", {"MaxSizeAllowed": str(MAXIMUM_KEY_BYTES)})
    if record is None:
        raise no_such_bucket()
    if request.lock is not None and not record.object_lock:
        raise RequestError("InvalidRequest", "Bucket is missing Object Lock Configuration")
    if record.tenant_id in known.rooms:
        await check_write(context, known.rooms[record.tenant_id], record.bucket_id, request.key, request.size)
    check_condition(request.condition, known.etags.get((record.bucket_id, request.key)), request.key)  # early: the commit decides
    decision = _decide(record, request)
    wanted = [backend for backend in record.backends if backend.backend_id in decision.wanted]
    namespaces = await namespaces_for(context, context.database, record, wanted)
    version_id = uuid7(known.now, context.entropy(RANDOM_BYTES))
    path = blob_key(request.key, version_id, record.layout)
    seconds = context.settings.upload_seconds if request.upload else context.settings.intent_seconds
    return NewIntent(
        bucket_id=record.bucket_id,
        version_id=version_id,
        key=request.key,
        decision=decision,
        blobs=tuple(Blob(backend_id, namespaces[backend_id], path) for backend_id in decision.wanted),
        facts=request.facts,
        is_upload=request.upload,
        trace=request.trace,
        seconds=seconds,
        epoch=record.epoch,
        lock=request.lock,
    )


def _decide(record: BucketRecord, request: Begin) -> Decision:
    policy = effective_policy(*record.levels) if request.policy is None else with_inner_level(*record.levels, request.policy)
    return decide(policy, record.backends, avoid=request.avoid)


Outcome = datetime | RequestError | Unavailable


async def _insert(context: Context, accepted: Sequence[NewIntent]) -> Mapping[str, Outcome]:
    """By version id, the deadline or why it could not be inserted. One that cannot must not hold up its neighbours."""
    try:
        inserted = await intents.insert(context.database, accepted)
    except RequestError as error:
        if len(accepted) == 1:
            return {accepted[0].version_id: error}
        alone = [await _insert(context, [plan]) for plan in accepted]
        return {version_id: outcome for each in alone for version_id, outcome in each.items()}
    return {plan.version_id: inserted.get(plan.version_id, Unavailable(DECIDED_TOO_EARLY)) for plan in accepted}


def _answer(plan: NewIntent, outcomes: Mapping[str, Outcome]) -> Answer:
    outcome = outcomes[plan.version_id]
    if not isinstance(outcome, datetime):
        return outcome
    return Intent(
        bucket_id=plan.bucket_id,
        key=plan.key,
        version_id=plan.version_id,
        decision=plan.decision,
        blobs=plan.blobs,
        deadline=outcome,
    )


async def renew(context: Context, requests: Sequence[Renew]) -> list[Answer]:
    settings = context.settings
    ids = [
        (request.bucket_id, request.version_id) for request in requests if is_id(request.bucket_id) and is_id(request.version_id)
    ]
    live = await intents.renew(context.database, ids, settings.intent_seconds, settings.upload_seconds)
    return [Empty() if request.version_id in live else no_such_upload(request.version_id) for request in requests]


def no_such_upload(upload_id: str) -> RequestError:
    return RequestError("NoSuchUpload", "The specified upload does not exist.", {"UploadId": upload_id})
