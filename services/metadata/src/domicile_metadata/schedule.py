"""Begins scrubs and probes when they are due, and closes findings that are over."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog
from prometheus_client import Gauge

from domicile_common.metadata_client.scrub import Scrub
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, uuid7
from domicile_metadata.leased import run_leased
from domicile_metadata.services import probes
from domicile_metadata.storage import scrub, tasks

log = structlog.get_logger()

FINDINGS: Final = Gauge("domicile_scrub_findings", "What scrubs have found and is not over yet.", ["kind"])


async def run_schedule(context: Context) -> None:
    """Works until it is cancelled."""

    async def work() -> bool:
        await step(context)
        return False

    await run_leased(context.database, "schedule", lambda: context.settings.schedule_seconds, work)


async def step(context: Context) -> None:
    settings = context.settings
    intervals = {"light": settings.scrub_light_seconds, "deep": settings.scrub_deep_seconds}
    for backend_id, depth in await scrub.due(context.database, {depth: every for depth, every in intervals.items() if every}):
        parameters = Scrub(backend_id=backend_id, depth="deep" if depth == "deep" else "light", older_than=intervals[depth] / 2)
        task_id = uuid7(context.clock(), context.entropy(RANDOM_BYTES))
        await tasks.insert(context.database, task_id, "scrub", msgspec.json.encode(parameters))
        log.info("a scrub is due", backend=backend_id, depth=depth)
    await probes.begin_due(context)
    FINDINGS.clear()
    for kind, count in (await scrub.settle(context.database)).items():
        FINDINGS.labels(kind).set(count)
