"""Counts what each backend holds, bucket by bucket, so that nobody has to when it is asked for (docs/adr/0029-totals-are-counted.md)."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from domicile_metadata.context import Context
from domicile_metadata.leased import run_leased
from domicile_metadata.storage import totals

REST: Final = 19  # times as long as counting took: at most a twentieth of one connection's time goes into it


async def run_counting(context: Context) -> None:
    """Counts until it is cancelled."""

    def every() -> float:
        return context.settings.measure_seconds

    async def step() -> bool:
        began = time.monotonic()
        found = await count_next(context, every())
        await asyncio.sleep(REST * (time.monotonic() - began) if found else 0)
        return found

    await run_leased(context.database, "count", every, step)


async def count_next(context: Context, every_seconds: float) -> bool:
    """Counts the bucket that has been waiting for longest, and whether there was one."""
    bucket_id = await totals.find_due(context.database, every_seconds, REST)
    if bucket_id is None:
        return False
    began = time.monotonic()
    counted = await totals.count(context.database, bucket_id)
    async with context.database.transaction() as session:
        await totals.put(session, bucket_id, counted, time.monotonic() - began)
    return True
