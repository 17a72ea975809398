"""DELETE: versions removed for good, and delete markers, as the bucket's versioning has it.

All deletions of a batch share one transaction: first what they remove, then the markers that they make. Those with conditions are decided
by what was there before; each of them is alone in its transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import UNCONDITIONAL, Delete, Deleted
from domicile_metadata.context import Context
from domicile_metadata.domain.deletions import NULL, Erasure, Mark, check_deletion
from domicile_metadata.domain.ids import RANDOM_BYTES, is_id, uuid7
from domicile_metadata.services.answers import Answer
from domicile_metadata.services.buckets import no_such_bucket
from domicile_metadata.services.objects import invalid_version_id
from domicile_metadata.storage import deletions
from domicile_metadata.storage.database import Session
from domicile_metadata.storage.deletions import Versioning


async def delete(context: Context, requests: Sequence[Delete]) -> list[Answer]:
    answers: list[Answer] = [_objection(request) for request in requests]
    valid = [position for position, answer in enumerate(answers) if answer is None]
    together = [position for position in valid if requests[position].condition == UNCONDITIONAL]
    for batch in [together, *([position] for position in valid if position not in set(together))]:
        if batch:
            done = await _delete_together(context, [requests[position] for position in batch])
            for position, answer in zip(batch, done, strict=True):
                answers[position] = answer
    return answers


def _objection(request: Delete) -> RequestError | None:
    if not is_id(request.bucket_id):
        return no_such_bucket()
    if request.version_id not in (None, NULL) and not is_id(str(request.version_id)):
        return invalid_version_id(str(request.version_id))
    return None


async def _delete_together(context: Context, requests: Sequence[Delete]) -> list[Answer]:
    async with context.database.transaction() as session:
        homes = await deletions.lock_keys(session, [(request.bucket_id, request.key) for request in requests])
        try:
            await _check(session, requests)
        except RequestError as error:
            return [error]
        return await delete_held(context, session, requests, homes)


async def delete_held(
    context: Context, session: Session, requests: Sequence[Delete], homes: dict[str, Versioning]
) -> list[Answer]:
    """Within a transaction that holds the keys. ``homes``: the buckets that exist, as ``lock_keys`` answers. Conditions are not looked at."""
    if any(request.bypass_governance for request in requests):
        await deletions.allow_bypass(session)
    erased = await _erase(context, session, requests, homes)
    marks = {
        position: _mark(context, request, homes[request.bucket_id])
        for position, request in enumerate(requests)
        if _makes_marker(request, homes) and not erased.get(position, (False, False))[1]
    }
    if marks:
        await deletions.mark(session, _distinct(marks.values()))
    return [_answer(request, homes, erased.get(position), marks.get(position)) for position, request in enumerate(requests)]


async def _check(session: Session, requests: Sequence[Delete]) -> None:
    """A condition is decided before anything is done; whoever has one is alone."""
    (request, *others) = requests
    if request.condition != UNCONDITIONAL:
        assert not others
        held = await deletions.find_held(session, [(request.bucket_id, request.key, request.version_id)])
        check_deletion(request.condition, held.get(0), request.key)


async def _erase(
    context: Context, session: Session, requests: Sequence[Delete], homes: dict[str, Versioning]
) -> dict[int, tuple[bool, bool]]:
    """By position of the request, what ``deletions.erase`` answers: named versions go, and null versions where nothing keeps them."""
    erasures = {
        position: Erasure(
            request.bucket_id,
            request.key,
            None if request.version_id in (None, NULL) else request.version_id,
            request.bypass_governance,
            request.trace,
        )
        for position, request in enumerate(requests)
        if request.bucket_id in homes and (request.version_id is not None or homes[request.bucket_id] != "enabled")
    }
    if not erasures:
        return {}
    erased = await deletions.erase(session, list(erasures.values()), context.settings.removal_grace_seconds)
    return {position: erased[place] for place, position in enumerate(erasures) if place in erased}


def _makes_marker(request: Delete, homes: dict[str, Versioning]) -> bool:
    return request.version_id is None and homes.get(request.bucket_id, "off") != "off"


def _mark(context: Context, request: Delete, versioning: Versioning) -> Mark:
    version_id = uuid7(context.clock(), context.entropy(RANDOM_BYTES))
    return Mark(request.bucket_id, request.key, version_id, is_null=versioning == "suspended", trace=request.trace)


def _distinct(marks: Iterable[Mark]) -> list[Mark]:
    """Of null markers, one for each key: it has one null version at most."""
    return list({(mark.bucket_id, mark.key, mark.is_null or mark.version_id): mark for mark in marks}.values())


def _answer(
    request: Delete, homes: dict[str, Versioning], erased: tuple[bool, bool] | None, mark: Mark | None
) -> Deleted | RequestError:
    if request.bucket_id not in homes:
        return no_such_bucket()
    is_marker, is_locked = erased or (False, False)
    if is_locked:
        return RequestError("AccessDenied", "Access Denied because object protected by object lock.")
    if mark is not None:
        return Deleted(version_id=NULL if mark.is_null else mark.version_id, delete_marker=True)
    return Deleted(version_id=request.version_id, delete_marker=is_marker and request.version_id is not None)
