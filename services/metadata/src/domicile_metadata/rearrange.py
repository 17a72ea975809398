"""Compares versions with what their policies ask for, where something has changed: see ``services.rearrange``."""

from __future__ import annotations

from typing import Final

import structlog
from prometheus_client import Counter

from domicile_common.errors import PolicyRefused
from domicile_metadata.context import Context
from domicile_metadata.leased import run_leased
from domicile_metadata.services.rearrange import compare, end_outside
from domicile_metadata.storage import rearrange

log = structlog.get_logger()

BATCH: Final = 500

COMPARED: Final = Counter("domicile_rearranger_compared", "Versions that were compared with what their policy asks for.")
CHANGED: Final = Counter("domicile_rearranger_changed", "Versions that got or lost a wanted copy thereby.")


async def run_rearranger(context: Context) -> None:
    """Works until it is cancelled."""

    async def work() -> bool:
        try:
            return await step(context)
        except PolicyRefused as refused:
            log.warning("will compare again", why=refused.message)
            return False

    await run_leased(context.database, "rearrange", lambda: context.settings.rearrange_seconds, work)


async def step(context: Context) -> bool:
    """One batch: what is due, or else the next page of the oldest comparison. Whether there was any.

    A crash between the changes and the mark of how far they went means that a page is compared again. Raises ``PolicyRefused`` when a lock
    came between; then nothing was changed.
    """
    due = await rearrange.due(context.database, BATCH)
    if due:
        _count(len(due), await compare(context, due))
        return True
    bucket = await rearrange.find_open(context.database)
    if bucket is None or (bucket.is_new and not await end_outside(context, bucket.bucket_id)):
        return False
    page = await rearrange.list_ids(context.database, bucket.bucket_id, bucket.compared_to, BATCH)
    changed = await compare(context, page) if page else 0
    _count(len(page), changed)
    is_last = len(page) < BATCH
    await rearrange.advance(context.database, bucket, None if is_last else page[-1][1], len(page), changed)
    if is_last:
        log.info("compared a bucket with its policy", bucket_id=bucket.bucket_id)
    return True


def _count(compared: int, changed: int) -> None:
    COMPARED.inc(compared)
    CHANGED.inc(changed)
