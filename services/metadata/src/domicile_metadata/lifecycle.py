"""Does what lifecycle rules say: expires objects and old versions, ends uploads, clears away delete markers that hide nothing.

Nothing goes that somebody has written meanwhile: each batch holds its keys, looks once more, and only then deletes as a client would. What
is locked stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from prometheus_client import Counter

from domicile_common.bucket_settings import LifecycleRule
from domicile_common.errors import RequestError
from domicile_common.lifecycle import old_before
from domicile_common.metadata_client.models import Delete, Deleted
from domicile_metadata.context import Context
from domicile_metadata.domain.deletions import NULL
from domicile_metadata.domain.expiry import Candidate, expires_current, removes
from domicile_metadata.leased import run_leased
from domicile_metadata.services.deletions import delete_held
from domicile_metadata.storage import deletions, intents, lifecycle
from domicile_metadata.storage.database import Session

log = structlog.get_logger()

PAGE: Final = 1000
LARGEST_SKEW_SECONDS: Final = 300.0
BATCH: Final = 100  # keys that one transaction holds

EXPIRED: Final = Counter("domicile_lifecycle_expired", "What lifecycle rules have removed.", ["what"])

Choose = Callable[[Session, str, Sequence[Candidate]], Awaitable[list[Candidate]]]


async def run_lifecycle(context: Context) -> None:
    """Works until it is cancelled."""

    async def step() -> bool:
        if await clocks_agree(context):
            await work_through(context)
        return False

    await run_leased(context.database, "lifecycle", lambda: context.settings.lifecycle_seconds, step)


async def clocks_agree(context: Context) -> bool:
    """Whether this process and PostgreSQL have about the same time: by a wrong one, what is to stay would expire."""
    skew = abs((await lifecycle.now(context.database) - context.clock()).total_seconds())
    if skew > LARGEST_SKEW_SECONDS:
        log.error("clocks differ, so nothing expires", seconds=skew)
    return skew <= LARGEST_SKEW_SECONDS


async def work_through(context: Context) -> int:
    """Every rule of every bucket, once: how many objects, versions, markers and uploads went."""
    gone, after = 0, lifecycle.NO_BUCKET
    while page := await lifecycle.list_buckets(context.database, after, PAGE):
        for bucket_id, rules in page:
            after = bucket_id
            for rule in rules:
                if rule.enabled:
                    gone += await apply(context, bucket_id, rule)
    return gone


async def apply(context: Context, bucket_id: str, rule: LifecycleRule) -> int:
    gone = 0
    if rule.expire_days is not None or (rule.expire_date is not None and rule.expire_date <= context.clock()):
        gone += await expire_current(context, bucket_id, rule)
    if rule.noncurrent_days is not None or rule.expire_lone_markers or rule.expire_days is not None:
        gone += await remove_old(context, bucket_id, rule)
    if rule.abort_days is not None:
        gone += await end_uploads(context, bucket_id, rule, rule.abort_days)
    if gone:
        log.info("a lifecycle rule removed", bucket_id=bucket_id, rule=rule.rule_id, removed=gone)
    return gone


async def expire_current(context: Context, bucket_id: str, rule: LifecycleRule) -> int:
    """Without versioning the objects go; with it, a delete marker hides each."""
    gone, after, now = 0, "", context.clock()
    while page := await lifecycle.scan_current(context.database, bucket_id, rule.filter.prefix, after, PAGE):
        after = page[-1].key
        due = [candidate for candidate in page if expires_current(rule, candidate, now)]
        gone += await delete_all(context, bucket_id, due, lifecycle.still_current, named=False)
    return gone


async def remove_old(context: Context, bucket_id: str, rule: LifecycleRule) -> int:
    gone, after, now = 0, ("", lifecycle.LAST_SEQ), context.clock()
    while page := await lifecycle.scan_versions(context.database, bucket_id, rule.filter.prefix, after, PAGE):
        after = page[-1].key, page[-1].seq
        due = [candidate for candidate in page if removes(rule, candidate, now)]
        gone += await delete_all(context, bucket_id, due, lifecycle.still_old, named=True)
    return gone


async def delete_all(context: Context, bucket_id: str, due: Sequence[Candidate], choose: Choose, *, named: bool) -> int:
    """``named``: these versions for good; otherwise as a DELETE of the key does. How many went."""
    gone = 0
    for start in range(0, len(due), BATCH):
        batch = due[start : start + BATCH]
        async with context.database.transaction() as session:
            homes = await deletions.lock_keys(session, [(bucket_id, candidate.key) for candidate in batch])
            left = await choose(session, bucket_id, batch)
            answers = await delete_held(context, session, [_deletion(bucket_id, it, named=named) for it in left], homes)
        gone += sum(isinstance(answer, Deleted) for answer in answers)
    EXPIRED.labels("version" if named else "object").inc(gone)
    return gone


def _deletion(bucket_id: str, candidate: Candidate, *, named: bool) -> Delete:
    version_id = (NULL if candidate.is_null else candidate.version_id) if named else None
    return Delete(bucket_id=bucket_id, key=candidate.key, version_id=version_id)


async def end_uploads(context: Context, bucket_id: str, rule: LifecycleRule, days: int) -> int:
    gone, before = 0, old_before(context.clock(), days)
    while ids := await lifecycle.list_old_uploads(context.database, bucket_id, rule.filter.prefix, before, PAGE):
        try:
            await intents.end(
                context.database, [(bucket_id, upload_id) for upload_id in ids], context.settings.removal_grace_seconds
            )
        except RequestError:  # the bucket went meanwhile
            break
        gone += len(ids)
    EXPIRED.labels("upload").inc(gone)
    return gone
