"""The workbench for jobs: what is owed, why it failed, trying it again, and giving it up for good.

Giving up never loses the last good copy. A copy that is dropped becomes a removal of what may be at its place, so that nothing is left
there unknown; a removal that is dropped leaves its blob. Both are noted for ever. A copy comes back with the next comparison of its
version with its policy; a blob that was left is an orphan to the next scrub.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from domicile_common.errors import RequestError
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.domain.roles import Caller
from domicile_metadata.storage import jobs, rearrange
from domicile_metadata.storage.jobs import Backlog, Drop, Job, Which
from domicile_metadata.storage.work import Identity

BATCH: Final = 1000  # replicas that are held at a time
LATEST: Final = 2**63 - 1

State = Literal["owed", "parked", "all"]


class Jobs(msgspec.Struct, frozen=True):
    """``backlogs``: all that is owed and parked, by backend; ``jobs``: a page of those asked for. ``next``: ``after`` of the next page."""

    backlogs: tuple[Backlog, ...]
    jobs: tuple[Job, ...]
    truncated: bool
    next: str = ""


class Replay(Which, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10_000


class Replayed(msgspec.Struct, frozen=True):
    replayed: int


class Dropping(Which, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which parked jobs, and why."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10_000


class Kept(msgspec.Struct, frozen=True):
    """A job that cannot be dropped."""

    bucket_id: str
    version_id: str
    backend_id: str
    why: str


class Dropped(msgspec.Struct, frozen=True):
    dropped: int
    kept: tuple[Kept, ...]


class Drops(msgspec.Struct, frozen=True):
    """``next``: ``before`` of the next page, ``None`` on the last."""

    drops: tuple[Drop, ...]
    next: int | None


async def list_page(context: Context, caller: Caller, state: State, which: Which, after: str, *, limit: int) -> Jobs:
    """How much is owed in all is no tenant's business."""
    _check(which)
    parked = None if state == "all" else state == "parked"
    found = await jobs.list_page(context.database, which, limit + 1, parked=parked, after=_parse(after) if after else None)
    truncated = len(found) > limit
    backlogs = tuple(await jobs.count(context.database)) if caller.sees_all else ()
    return Jobs(backlogs, tuple(found[:limit]), truncated, _cursor(found[limit - 1]) if truncated else "")


def _cursor(job: Job) -> str:
    return "/".join((job.since.isoformat(), *job.identity))


def _parse(after: str) -> tuple[datetime, Identity]:
    try:
        since, bucket_id, version_id, backend_id = after.split("/")
        when = datetime.fromisoformat(since)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None or not (is_id(bucket_id) and is_id(version_id)):
        raise RequestError("InvalidArgument", "after is what the page before has as next.")
    return when, (bucket_id, version_id, backend_id)


def _check(which: Which) -> None:
    if which.bucket is not None and which.tenant is None:
        raise RequestError("InvalidArgument", "bucket is the name of a tenant's bucket, so tenant is needed.")
    if not all(each is None or is_id(each) for each in (which.bucket_id, which.version_id)):
        raise RequestError("InvalidArgument", "bucket_id and version_id are 32 hex digits.")


async def show(context: Context, bucket_id: str, version_id: str, backend_id: str) -> Job:
    which = Which(bucket_id=bucket_id, version_id=version_id, backend_id=backend_id)
    found = await jobs.list_page(context.database, which, 1) if is_id(bucket_id) and is_id(version_id) else []
    if not found:
        raise RequestError("NoSuchJob", "Nothing is owed for such a replica.")
    return found[0]


async def replay(context: Context, request: Replay) -> Replayed:
    """Parked work begins anew, at most ``limit`` replicas in one call."""
    _check(request)
    replayed = 0
    found = await jobs.list_page(context.database, request, request.limit, parked=True)
    for start in range(0, len(found), BATCH):
        async with context.database.transaction() as session:
            held = await jobs.hold_parked(session, [job.identity for job in found[start : start + BATCH]])
            await jobs.replay(session, [job.identity for job in held])
        replayed += len(held)
    return Replayed(replayed)


async def drop(context: Context, request: Dropping) -> Dropped:
    """Parked work is given up for good, at most ``limit`` replicas in one call."""
    _check(request)
    dropped, kept = 0, []
    found = await jobs.list_page(context.database, request, request.limit, parked=True)
    for start in range(0, len(found), BATCH):
        done, left = await _drop_together(context, [job.identity for job in found[start : start + BATCH]], request.reason)
        dropped += done
        kept += left
    return Dropped(dropped, tuple(kept))


async def _drop_together(context: Context, ids: list[Identity], reason: str) -> tuple[int, list[Kept]]:
    async with context.database.transaction() as session:
        # All copies of these versions stay as they are meanwhile, so that the last one is known to be.
        await rearrange.hold_copies(session, [identity[:2] for identity in ids])
        held = await jobs.hold_parked(session, ids)
        kept = [Kept(*job.identity, why) for job in held if (why := _objection(job))]
        copies = [job.identity for job in held if job.action == "copy" and not _objection(job)]
        removals = [job.identity for job in held if job.action == "remove"]
        await jobs.note_drops(session, [*copies, *removals], reason)
        await jobs.forget_removals(session, removals)
        await rearrange.unwant(
            session, [(identity[:2], identity[2]) for identity in copies], context.settings.removal_grace_seconds
        )
        await rearrange.settle(session, [identity[:2] for identity in copies])
    return len(copies) + len(removals), kept


def _objection(job: jobs.Held) -> str | None:
    """Why it cannot be dropped."""
    if job.action == "stamp":
        return "a stamp is only replayed: without it, the version could not be restored from this copy"
    if job.action == "copy" and not job.others:
        return "the version has no other good copy"
    return None


async def list_drops(context: Context, tenant: str | None, bucket: str | None, before: int, limit: int) -> Drops:
    found = await jobs.list_drops(context.database, tenant, bucket, before, limit + 1)
    return Drops(tuple(found[:limit]), found[limit - 1].drop_id if len(found) > limit else None)
