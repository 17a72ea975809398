"""Ends intents that were never committed, so that the bytes they may have left at a backend are removed; and adds up what tenants use."""

from __future__ import annotations

from typing import Final

import structlog
from prometheus_client import Counter

from domicile_metadata.context import Context
from domicile_metadata.leased import run_leased
from domicile_metadata.storage import expired, quotas
from domicile_metadata.storage.database import Database

log = structlog.get_logger()

BATCH: Final = 200

SWEPT: Final = Counter("domicile_sweeper_intents", "Intents that ended past their deadline.")


async def run_sweeper(context: Context) -> None:
    """Sweeps until it is cancelled."""

    async def step() -> bool:
        async with context.database.transaction() as session:
            await quotas.fold(session)
        return await sweep(context.database) == BATCH

    await run_leased(context.database, "sweep", lambda: context.settings.sweep_seconds, step)


async def sweep(database: Database) -> int:
    """Ends intents past their deadline, up to ``BATCH``: how many. The reconciler enqueues the removals that this owes."""
    async with database.transaction() as session:
        ended = await expired.end(session, BATCH)
    if ended:
        SWEPT.inc(ended)
        log.info("swept intents past their deadline", intents=ended)
    return ended
