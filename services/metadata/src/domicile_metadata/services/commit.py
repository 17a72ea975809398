"""TX2 of a write: version, replicas and the messages for what is still owed; or the removal of what was written.

All commits of a batch share one transaction, and so one write to disk. When PostgreSQL refuses it, because one of them breaks a
constraint, each is tried in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.metadata_client.models import UNCONDITIONAL, Abort, Commit, Committed, Empty
from domicile_common.model import Version
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.domain.writes import Accepted, Refused, Verdict, judge, replicas_of
from domicile_metadata.services import quotas
from domicile_metadata.services.answers import Answer
from domicile_metadata.services.begin import DECIDED_TOO_EARLY, no_such_upload
from domicile_metadata.storage import intents
from domicile_metadata.storage.database import Session


async def commit(context: Context, requests: Sequence[Commit]) -> list[Answer]:
    try:
        async with context.database.transaction() as session:
            return await commit_all(context, session, requests)
    except RequestError as error:
        if len(requests) == 1:
            await abort(context, [Abort(bucket_id=requests[0].bucket_id, version_id=requests[0].version_id)])
            # A lock that came between its two transactions: decided anew, the same write may well be possible.
            return [Unavailable(DECIDED_TOO_EARLY) if isinstance(error, PolicyRefused) else error]
    return [(await commit(context, [request]))[0] for request in requests]


async def commit_all(context: Context, session: Session, requests: Sequence[Commit]) -> list[Answer]:
    # 1. The intents end, and nobody else changes their keys now.
    traces = {request.version_id: request.trace for request in requests}
    taken = {
        version_id: replace(intent, trace=traces[version_id] or intent.trace)
        for version_id, intent in (await intents.take(session, _references(requests))).items()
    }
    # 2. What the keys hold decides the conditions.
    keys = {
        (intent.bucket_id, intent.key)
        for request in requests
        if request.condition != UNCONDITIONAL and (intent := taken.get(request.version_id))
    }
    etags = await intents.current_etags(session, keys) if keys else {}
    verdicts = judge(requests, taken, etags, context.clock())
    settings = context.settings
    late = [request for request in requests if request.version_id not in taken and request.blobs and _references([request])]
    if late:
        await intents.remove_late(session, late, settings.removal_grace_seconds)
    # 3. Versions, the removal of those that they replace, replicas, and a message for each that is owed.
    versions = [verdict for verdict in verdicts if isinstance(verdict, Accepted) and not verdict.is_replaced]
    replicas = [
        replica
        for verdict in verdicts
        for replica in replicas_of(verdict, settings.overdue_seconds, settings.removal_grace_seconds)
    ]
    times = await intents.record(session, versions, replicas, settings.removal_grace_seconds) if replicas else {}
    # 4. Those with a quota are still within it.
    with_quota = {version.intent.has_quota for version in versions if version.intent.has_quota is not None}
    if with_quota:
        await quotas.check_added(session, with_quota)
    return [_answer(verdict, times, context.clock()) for verdict in verdicts]


def _answer(verdict: Verdict, times: Mapping[str, datetime], now: datetime) -> Answer:
    if isinstance(verdict, Refused):
        return verdict.error
    if not isinstance(verdict, Accepted):
        return verdict
    intent = verdict.intent
    version = Version(
        bucket_id=intent.bucket_id,
        key=intent.key,
        version_id=intent.version_id,
        committed_at=times.get(intent.version_id, now),
        facts=intent.facts,
        digest=verdict.digest,
        is_null=intent.makes_null,
        lock=verdict.lock,
    )
    return Committed(version)


async def abort(context: Context, requests: Sequence[Abort]) -> list[Answer]:
    ended = await intents.end(context.database, _references(requests), context.settings.removal_grace_seconds)
    late = [request for request in requests if request.expected and request.version_id not in ended]
    # A statement of its own: it sees the commit that ``end`` has waited for.
    committed = await intents.committed(context.database, _references(late)) if late else set()
    return [
        no_such_upload(request.version_id) if request.expected and request.version_id in committed else Empty()
        for request in requests
    ]


def _references(requests: Sequence[Commit] | Sequence[Abort]) -> list[tuple[str, str]]:
    """Each intent once; what is no id is no intent either."""
    ids = [(request.bucket_id, request.version_id) for request in requests]
    return [(bucket_id, version_id) for bucket_id, version_id in dict.fromkeys(ids) if is_id(bucket_id) and is_id(version_id)]
