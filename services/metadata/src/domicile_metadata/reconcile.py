"""Finds what is owed and due, and makes messages for it: losing every queue delays replication and loses nothing.

What writes owe is enqueued at once. Of the rest, removals first, only as much is enqueued as the workers of a backend will soon take: its
order stays the record's, and however much there is, a queue holds little of it (docs/adr/0017-lanes.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import structlog
from prometheus_client import Counter

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.parking import sift
from domicile_common.amqp.topology import backfill_queue, parking_queue
from domicile_common.errors import Unavailable
from domicile_common.events import Job
from domicile_metadata.context import Context
from domicile_metadata.leased import run_leased
from domicile_metadata.storage import jobs, outbox, work
from domicile_metadata.storage.database import Database

log = structlog.get_logger()

BATCH: Final = 1000
WINDOW: Final = (
    2000  # messages in a backfill queue: what workers take in a few seconds, so that they never wait for the reconciler
)

ENQUEUED: Final = Counter("domicile_reconciler_enqueued", "Jobs that were due without a message under way.")


async def run_reconciler(context: Context) -> None:
    """Reconciles until it is cancelled."""
    settings = context.settings
    broker = Broker(settings.broker_url, "domicile-reconciler", context.tls)

    parking = Parking(context.database, broker)

    async def step() -> bool:
        await parking.tidy()
        waiting = await backfill_waiting(context.database, broker)
        return await reconcile(context.database, settings.overdue_seconds, waiting) >= BATCH

    try:
        await run_leased(context.database, "reconcile", lambda: settings.reconcile_seconds, step)
    finally:
        await broker.close()


class Parking:
    """The parking queues tell what is parked: messages about what was replayed or dropped, or has been done since, are taken away."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._seen: dict[str, tuple[int, int]] = {}  # what was left: messages and parked replicas

    async def tidy(self) -> None:
        """Looks into a queue only when it holds more than is parked, and something has changed since the last look."""
        for backend_id, parked in (await jobs.count_parked(self._database)).items():
            try:
                messages = (await self._broker.look(parking_queue(backend_id))).messages
                if messages > parked and self._seen.get(backend_id) != (messages, parked):
                    removed = await sift(self._broker, backend_id, self._parked)
                    self._seen[backend_id] = (messages - removed, parked)
            except Unavailable as error:
                log.warning("leaves the parking queues as they are", why=str(error))
                return

    async def _parked(self, asked: Collection[Job]) -> set[Job]:
        found = await jobs.find_parked(self._database, [(job.bucket_id, job.version_id, job.backend_id) for job in asked])
        return {Job(*identity) for identity in found}


async def backfill_waiting(database: Database, broker: Broker) -> dict[str, int]:
    """Backend id → messages in its backfill queue; without those whose queue nobody can tell of."""
    waiting = {}
    for backend_id in await outbox.served_backend_ids(database):
        try:
            waiting[backend_id] = (await broker.look(backfill_queue(backend_id))).messages
        except Unavailable as error:
            log.warning("enqueues no backfill", why=str(error))
            break
    return waiting


async def reconcile(database: Database, overdue_seconds: float, waiting: Mapping[str, int]) -> int:
    """Makes a message for each replica that is owed and due, as far as there is room for it: how many.

    ``overdue_seconds``: after how long a message without a report is made again. ``waiting``: as of ``backfill_waiting``.
    """
    async with database.transaction() as session:
        if lost := await work.due_at_lost(session, BATCH):
            await work.close(session, lost, confirmed=False)
            log.warning("gave up removals at lost backends", replicas=len(lost))
        served = dict.fromkeys(await outbox.served_backend_ids(session), BATCH)
        made = (await outbox.enqueue_due(session, "fresh", served, overdue_seconds)).total()
        unrelayed = await outbox.unrelayed_backfill(session)
        room = {name: max(0, WINDOW - waiting[name] - unrelayed[name]) for name in served if name in waiting}
        for lane in outbox.UNHURRIED:
            enqueued = await outbox.enqueue_due(session, lane, room, overdue_seconds)
            made += enqueued.total()
            room = {name: size - enqueued[name] for name, size in room.items()}
    if made:
        ENQUEUED.inc(made)
        log.info("enqueued what is due", replicas=made)
    return max(made, len(lost))
