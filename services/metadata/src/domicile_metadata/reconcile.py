"""Finds what is owed and due, and makes messages for it: losing every queue delays replication and loses nothing."""

from __future__ import annotations

from typing import Final

import structlog
from prometheus_client import Counter

from domicile_metadata.context import Context
from domicile_metadata.leased import run_leased
from domicile_metadata.storage import outbox, work
from domicile_metadata.storage.database import Database

log = structlog.get_logger()

BATCH: Final = 1000

ENQUEUED: Final = Counter("domicile_reconciler_enqueued", "Jobs that were due without a message under way.")


async def run_reconciler(context: Context) -> None:
    """Reconciles until it is cancelled."""
    settings = context.settings

    async def step() -> bool:
        return await reconcile(context.database, settings.overdue_seconds) == BATCH

    await run_leased(context.database, "reconcile", settings.reconcile_seconds, step)


async def reconcile(database: Database, overdue_seconds: float) -> int:
    """Makes a message for each replica that is owed and due, up to ``BATCH``: how many.

    ``overdue_seconds``: after how long a message without a report is made again.
    """
    async with database.transaction() as session:
        if lost := await work.due_at_lost(session, BATCH):
            await work.close(session, lost, confirmed=False)
            log.warning("gave up removals at lost backends", replicas=len(lost))
        made = await outbox.enqueue_overdue(session, BATCH, overdue_seconds)
    if made:
        ENQUEUED.inc(made)
        log.info("enqueued overdue replicas", replicas=made)
    return max(made, len(lost))
