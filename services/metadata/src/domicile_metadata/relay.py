"""Moves messages from the outbox to RabbitMQ. Any number of relays may run: each takes other rows.

A queue that takes nothing, while the broker answers, is set aside until it takes something, so that the messages of others pass.

A row is deleted in the transaction that locked it, after the broker has confirmed its message. A crash in between publishes it
again; consumers compare states, so that a second message does no harm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog
from prometheus_client import Counter

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.publisher import Message, Publisher
from domicile_common.amqp.topology import INVALIDATE, JOBS, backfill_key, topology
from domicile_common.errors import Unavailable, Unconfirmed, Unroutable
from domicile_common.events import Job, job_headers
from domicile_common.loops import repeat, set_within
from domicile_metadata.context import Context
from domicile_metadata.storage import outbox
from domicile_metadata.storage.database import Database, Session

log = structlog.get_logger()

BATCH: Final = 500
POLL_SECONDS: Final = 1.0  # a row may become due, or a notification be lost
LISTEN_SECONDS: Final = 60.0  # a listening connection that was lost in silence is replaced
POSTPONE_SECONDS: Final = 30.0
TRIAL_SECONDS: Final = 10.0  # for one message, to a queue that took nothing before
TRIAL_PAUSE_SECONDS: Final = 2.0

_JOB: Final = msgspec.json.Decoder(Job)

PUBLISHED: Final = Counter("domicile_outbox_published", "Messages that the broker has confirmed.")


async def run_relay(context: Context) -> None:
    """Relays until it is cancelled, through losses of PostgreSQL and RabbitMQ."""
    broker = Broker(context.settings.broker_url, "domicile-relay", context.tls)
    try:
        await Relay(context.database, broker).run()
    finally:
        await broker.close()


class Relay:
    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._publisher = Publisher(broker)
        self._aside: dict[outbox.Queue, asyncio.Task[None]] = {}

    async def run(self) -> None:
        async def session() -> None:
            await self.declare()
            while True:
                await self._listen()

        try:
            await repeat(session, asyncio.Event(), "relay")
        finally:
            for trial in self._aside.values():
                trial.cancel()

    async def declare(self) -> None:
        """Makes sure that every registered backend has its queues."""
        await self._broker.declare(topology(await outbox.backend_ids(self._database)))

    async def move(self) -> int:
        """One batch from the outbox to the broker: how many rows. Raises ``Unavailable`` when the broker is away."""
        async with self._database.transaction() as session:
            rows = await self.take(session)
            outcomes = await self.publish(rows)
            await self.mark(session, rows, outcomes)
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, Unroutable | Unconfirmed):
                raise outcome
        await self._set_aside(
            {row.queue: row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, Unconfirmed)}
        )
        return len(rows)

    async def take(self, session: Session) -> list[outbox.Row]:
        """Step 1: lock what is due."""
        return await outbox.take(session, BATCH, self._aside)

    async def publish(self, rows: Sequence[outbox.Row]) -> list[Unavailable | None]:
        """Step 2: publish, and wait for the confirms. Where no queue takes a message, the queues are declared and it is tried once more."""
        outcomes = await self._publisher.publish_all([_message(row) for row in rows])
        returned = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Unroutable)]
        if returned:
            await self.declare()
            again = await self._publisher.publish_all([_message(rows[index]) for index in returned])
            for index, outcome in zip(returned, again, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def mark(self, session: Session, rows: Sequence[outbox.Row], outcomes: Sequence[Unavailable | None]) -> None:
        """Step 3: forget what the broker has confirmed."""
        confirmed = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
        returned = [row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, Unroutable)]
        if confirmed:
            await outbox.delete(session, confirmed)
            PUBLISHED.inc(len(confirmed))
        if returned:
            log.error("no queue takes a message", routing_keys=sorted({row.routing_key for row in returned}))
            await outbox.postpone(session, returned, POSTPONE_SECONDS)

    async def _set_aside(self, refused: Mapping[outbox.Queue, outbox.Row]) -> None:
        """Raises ``Unavailable`` when it is not the queues but the broker that does not answer."""
        if refused:
            await self._broker.ping()
            log.error("queues take no messages", queues=sorted(refused))
            for queue, row in refused.items():
                self._aside[queue] = asyncio.create_task(self._try(queue, _message(row)))

    async def _try(self, queue: outbox.Queue, message: Message) -> None:
        """Returns when the queue may be used again: it has taken this message, which stays owed, or it is not there, or the broker is away."""
        try:
            while isinstance((await self._publisher.publish_all([message], TRIAL_SECONDS))[0], Unconfirmed):  # noqa: ASYNC110 - only a confirm tells
                await asyncio.sleep(TRIAL_PAUSE_SECONDS)
            log.info("a queue is used again", queue=queue)
        finally:
            del self._aside[queue]

    async def _listen(self) -> None:
        until = time.monotonic() + LISTEN_SECONDS
        async with self._database.listening(outbox.NOTIFY_CHANNEL) as notified:
            while time.monotonic() < until:
                notified.clear()
                if not await self.move():
                    await set_within(notified, POLL_SECONDS)


def _message(row: outbox.Row) -> Message:
    kind, _, backend_id = row.routing_key.partition(".")
    if kind == "replicate":
        key = backfill_key(backend_id) if row.is_backfill else backend_id
        headers = job_headers(_JOB.decode(row.body))
        return Message(exchange=JOBS, routing_key=key, body=row.body, trace=row.trace, headers=headers)
    return Message(exchange=INVALIDATE, body=row.body, trace=row.trace, mandatory=False)
