"""What workers ask before they touch a replica, and report when they are done."""

from __future__ import annotations

from collections.abc import Sequence

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Report, Reported, Wanted, Work
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.domain.work import REASON_LENGTH, Replica, action, after
from domicile_metadata.services.answers import Answer
from domicile_metadata.storage import work
from domicile_metadata.storage.database import Session
from domicile_metadata.storage.work import Debt, Identity

NOTHING = Work(action="none")


async def wanted(context: Context, requests: Sequence[Wanted]) -> list[Answer]:
    asked = [_identity(request) for request in requests]
    distinct = _valid(asked)
    debts = dict(zip(distinct, await work.find(context.database, distinct), strict=True))
    return [_work(debts.get(identity)) for identity in asked]


def _work(debt: Debt | None) -> Work:
    if debt is None:
        return NOTHING
    todo = action(debt.replica, debt.backend, is_inside=debt.is_inside)
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
    )


async def report(context: Context, requests: Sequence[Report]) -> list[Answer]:
    """All in one transaction; when PostgreSQL refuses it, each in one of its own."""
    try:
        async with context.database.transaction() as session:
            return await _apply(context, session, requests)
    except RequestError as error:
        if len(requests) == 1:
            return [error]
    return [(await report(context, [request]))[0] for request in requests]


async def _apply(context: Context, session: Session, requests: Sequence[Report]) -> list[Answer]:
    reported = [_identity(request) for request in requests]
    before = await work.lock(session, _valid(reported))
    now: dict[Identity, Replica | None] = dict(before)
    verified: set[Identity] = set()
    failures: dict[Identity, tuple[str, str]] = {}
    answers: list[Answer] = []
    for identity, request in zip(reported, requests, strict=True):
        replica = now.get(identity)
        if replica is None or request.blob_key not in ("", replica.blob_key):
            answers.append(Reported(gone=request.outcome != "deleted"))
            continue
        changed = after(request, replica, overdue_seconds=context.settings.overdue_seconds, random_unit=_unit(context))
        now[identity] = changed
        if request.outcome == "failed" and changed is not replica:
            failures[identity] = (request.error_class, request.reason[:REASON_LENGTH])
        if request.outcome == "verified" and changed is not None and changed.state == "verified":
            verified.add(identity)
            if replica.state != "verified":
                context.recent_copies.note(request.backend_id, replica.age_seconds)
        answers.append(Reported(parked=changed is not None and changed.parked_reason is not None))
    updates = {identity: replica for identity, replica in now.items() if replica is not None and replica is not before[identity]}
    if updates:
        await work.update(session, updates, verified, failures)
    if done := [identity for identity, replica in now.items() if replica is None]:
        await work.close(session, done, confirmed=True)
    return answers


def _unit(context: Context) -> float:
    """A random number in [0, 1)."""
    return int.from_bytes(context.entropy(7)) / (1 << 56)


def _identity(request: Wanted | Report) -> Identity:
    return request.bucket_id, request.version_id, request.backend_id


def _valid(ids: Sequence[Identity]) -> list[Identity]:
    """Each once; what is no id is no replica either."""
    return [identity for identity in dict.fromkeys(ids) if is_id(identity[0]) and is_id(identity[1])]
