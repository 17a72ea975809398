"""What workers ask before they touch a replica, and report when they are done."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Report, Reported, Wanted, Work
from domicile_common.model import Blob
from domicile_common.stamps import sidecar_key
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.domain.work import REASON_LENGTH, Replica, action, after, is_certain, may_go_on
from domicile_metadata.services.answers import Answer
from domicile_metadata.storage import work
from domicile_metadata.storage.database import Session
from domicile_metadata.storage.work import Debt, Identity

NOTHING = Work(action="none")


async def wanted(context: Context, requests: Sequence[Wanted]) -> list[Answer]:
    asked = [_identity(request) for request in requests]
    distinct = _valid(asked)
    debts = dict(zip(distinct, await work.find(context.database, distinct), strict=True))
    return [_work(debts.get(identity), identity[1]) for identity in asked]


def _work(debt: Debt | None, version_id: str) -> Work:
    if debt is None:
        return NOTHING
    todo = action(debt.replica, debt.backend, is_inside=debt.is_inside, is_last=debt.is_last)
    if todo == "none" or (todo != "delete" and debt.version is None):
        return NOTHING
    return Work(
        action=todo,
        target=debt.target,
        sources=debt.sources,
        version=debt.version,
        tenant_id=debt.tenant_id,
        bucket=debt.bucket,
        policy_version=debt.policy_version,
        countries=debt.countries,
        jurisdictions=debt.jurisdictions,
        attempt=debt.replica.attempt,
        adopted_etag=debt.adopted_etag,
        sidecar=Blob(debt.target.backend_id, debt.home, sidecar_key(version_id)) if debt.home else None,
        suspect=debt.replica.state == "lost",
        revision=debt.replica.revision,
        fence=debt.replica.fence,
    )


async def report(context: Context, requests: Sequence[Report]) -> list[Answer]:
    """All in one transaction; when PostgreSQL refuses it, each in one of its own."""
    try:
        async with context.database.transaction() as session:
            return await _apply(context, session, requests)
    except RequestError as error:
        if len(requests) == 1:
            # Where a lock has come between, a failure changes nothing: the comparison that follows ends the copy.
            return [Reported() if requests[0].outcome == "failed" else error]
    return [(await report(context, [request]))[0] for request in requests]


async def _apply(context: Context, session: Session, requests: Sequence[Report]) -> list[Answer]:
    requests = await _learn(session, requests)
    reported = [_identity(request) for request in requests]
    sources = [_source(request) for request in requests if request.source]
    before = await work.lock(session, _valid([*reported, *sources]))
    now: dict[Identity, Replica | None] = dict(before)
    verified: set[Identity] = set()
    failures: dict[Identity, tuple[str, str]] = {}
    answers: list[Answer] = []
    for identity, request in zip(reported, requests, strict=True):
        replica = now.get(identity)
        if replica is None or request.blob_key not in ("", replica.blob_key):
            answers.append(Reported(gone=request.outcome != "deleted", stop=request.outcome == "working"))
            continue
        changed = after(
            request,
            replica,
            overdue_seconds=context.settings.overdue_seconds,
            second_look_seconds=context.settings.removal_second_look_seconds,
            random_unit=_unit(context),
        )
        now[identity] = changed
        if request.outcome == "failed" and changed is not replica:
            failures[identity] = (request.error_class, request.reason[:REASON_LENGTH])
        if request.outcome == "verified" and is_certain(request, replica) and changed is not None and changed.state == "verified":
            verified.add(identity)
            if replica.state != "verified":
                context.recent_copies.note(request.backend_id, replica.age_seconds)
            if (source := now.get(_source(request))) is not None and source.state == "stored":
                now[_source(request)] = dataclasses.replace(source, state="verified")
                verified.add(_source(request))
        stop = request.outcome == "working" and not may_go_on(replica)
        answers.append(Reported(parked=changed is not None and changed.parked_reason is not None, stop=stop))
    updates = {identity: replica for identity, replica in now.items() if replica is not None and replica is not before[identity]}
    if updates:
        await work.update(session, updates, verified, failures)
    if done := [identity for identity, replica in now.items() if replica is None]:
        await work.close(session, done, confirmed=True)
    if late := [
        request
        for request in requests
        if request.has_written and now.get(_identity(request)) is None and _valid([_identity(request)])
    ]:
        await work.remove_late(session, late)
    return answers


async def _learn(session: Session, requests: Sequence[Report]) -> Sequence[Report]:
    """What nobody knew of the bytes comes into the record; a copy that is not of the same bytes as one before it has failed."""
    learned = {
        (request.bucket_id, request.version_id): request.learned
        for request in requests
        if request.outcome == "verified" and request.learned and is_id(request.bucket_id) and is_id(request.version_id)
    }
    crcs = await work.learn(session, learned) if learned else {}
    return [_unless_other(request, crcs.get((request.bucket_id, request.version_id))) for request in requests]


def _unless_other(request: Report, crc: str | None) -> Report:
    if request.learned is None or crc in (None, request.learned.crc):
        return request
    reason = f"CRC {request.learned.crc}; another copy had {crc}"
    return msgspec.structs.replace(request, outcome="failed", error_class="mismatch", reason=reason)


def _source(request: Report) -> Identity:
    return request.bucket_id, request.version_id, request.source


def _unit(context: Context) -> float:
    """A random number in [0, 1)."""
    return int.from_bytes(context.entropy(7)) / (1 << 56)


def _identity(request: Wanted | Report) -> Identity:
    return request.bucket_id, request.version_id, request.backend_id


def _valid(ids: Sequence[Identity]) -> list[Identity]:
    """Each once; what is no id is no replica either."""
    return [identity for identity in dict.fromkeys(ids) if is_id(identity[0]) and is_id(identity[1])]
