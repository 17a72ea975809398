"""Taking jobs from a work queue, and hearing invalidations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ConnectionInternalError
from pamqp import commands as spec

from domicile_common.amqp.broker import BROKEN, Broker, quietly
from domicile_common.amqp.publisher import Message, Publisher
from domicile_common.amqp.topology import INVALIDATE, PARKING, REASON_HEADER, TRACE_HEADER, backfill_queue, topology, work_queue
from domicile_common.errors import Unavailable
from domicile_common.events import Invalidation, Job, job_headers
from domicile_common.loops import any_of, repeat, spread

log = structlog.get_logger()

LONGEST_REASON: Final = 500
REFUSALS: Final = 5
"""After so many failures of the broker in a row, a queue is made anew."""
QUIET_SECONDS: Final = 20.0
"""Half to all of it without a message, and a queue is subscribed to anew: long enough for ``repeat`` to come back at once."""
_JOB: Final = msgspec.json.Decoder(Job)
_INVALIDATION: Final = msgspec.json.Decoder(Invalidation)


class HandBack(Exception):
    """Raised by a handler that cannot go on because the process stops: the message goes back to its queue."""


async def park(publisher: Publisher, job: Job, reason: str) -> None:
    """Puts a job where an operator sees it, with the reason in its headers. Raises ``Unavailable``."""
    headers = job_headers(job) | _because(reason)
    body = msgspec.json.encode(job)
    await publisher.publish(Message(exchange=PARKING, routing_key=job.backend_id, body=body, trace=job.trace, headers=headers))


def _because(reason: str) -> dict[str, str]:
    return {REASON_HEADER: reason[:LONGEST_REASON]}


class Consumer:
    """Hands the jobs of one backend to ``handle``, at most ``prefetch`` at a time, and acknowledges each when ``handle`` returns.

    ``backfill``: of its second queue, which holds what need not be done at once.

    A message that is no job, or whose handling raises, is parked. Messages go back to the queue only when the process stops: whoever
    has to wait, waits inside ``handle`` with the message in hand, which costs no delivery count and stops the flow by itself; when
    the process stops, ``handle`` may raise ``HandBack``.

    A subscription that has been quiet for a while (``quiet_seconds``) is made anew, for it may be deaf: when a queue is deleted and made
    again before RabbitMQ (up to 3.13) has told its consumers, it moves them to the new queue in silence, sends them messages, and loses
    these inside. Nothing shows that: the consumer is listed, and the messages are unacknowledged until its channel closes.
    """

    def __init__(
        self,
        broker: Broker,
        publisher: Publisher,
        backend_id: str,
        handle: Callable[[Job], Awaitable[None]],
        *,
        prefetch: int,
        drain_seconds: float,
        backfill: bool = False,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._broker = broker
        self._publisher = publisher
        self._backend_id = backend_id
        self._queue = (backfill_queue if backfill else work_queue)(backend_id)
        self._handle = handle
        self._prefetch = prefetch
        self._drain_seconds = drain_seconds
        self._quiet_seconds = quiet_seconds
        self._heard = False  # something, since somebody last looked
        self._stopping = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._refusals = 0  # in a row
        self.consuming = False  # the broker sends what there is

    async def run(self) -> None:
        """Consumes, through losses of the broker, until ``stop``; cancelling it hands everything back at once."""
        try:
            await repeat(self._session, self._stopping, self._queue)
            await self._drain()
        finally:
            await self._hand_back()

    def stop(self) -> None:
        """Take no more; ``run`` returns when what is in hand is finished, or handed back after the drain time."""
        self._stopping.set()

    async def _session(self) -> None:
        """From connecting to losing the connection, the queue, or interest, or to hearing nothing for a while."""
        await self._broker.declare(topology((self._backend_id,)))
        channel = await self._broker.channel(self._prefetch)
        try:
            lost = await _loss(channel)
            raw = await channel.get_underlay_channel()  # a third of the cost of aio-pika's own messages
            consuming = await self._consume(raw)
            self.consuming = True
            await self._listen(lost)
            if not lost.is_set():
                await raw.basic_cancel(consuming.consumer_tag or "")
                await self._finish(lost)
                await self._drain()  # while the channel still takes answers
        except BROKEN as error:
            raise Unavailable(f"RabbitMQ is away: {type(error).__name__}") from error
        finally:
            self.consuming = False
            await quietly(channel.close())

    async def _consume(self, raw: UnderlayChannel) -> spec.Basic.ConsumeOk:
        """A quorum queue that a crash has cost its files is listed as if it were there, but whoever consumes it is thrown out, for ever.

        It is removed when that has happened some times in a row, and declared anew by the next session. What was in it is owed in PostgreSQL.
        Not at once: whoever shares the connection or the queue sees the same error, and removals in quick succession wear the broker out.
        """
        try:
            consuming = await raw.basic_consume(self._queue, self._receive, consumer_tag=self._broker.name)
        except ConnectionInternalError:
            self._refusals += 1
            if self._refusals < REFUSALS:
                raise
            self._refusals = 0
            log.error("the broker cannot serve a queue: it is made anew", queue=self._queue)  # noqa: TRY400 -- its text says no more
            await self._broker.remove(self._queue)
            raise
        self._refusals = 0
        return consuming

    async def _listen(self, lost: asyncio.Event) -> None:
        """Until the subscription is lost, the process stops, or nothing is in hand and nothing has come for a while."""
        heard = True
        while heard and not lost.is_set() and not self._stopping.is_set():
            self._heard = False
            await any_of(lost, self._stopping, seconds=spread(self._quiet_seconds))
            heard = self._heard or bool(self._running)

    async def _finish(self, lost: asyncio.Event) -> None:
        """What came while a quiet subscription was being cancelled takes as long as it takes, unless the process stops."""
        while self._running and not lost.is_set() and not self._stopping.is_set():
            await any_of(lost, self._stopping, seconds=1.0)

    async def _receive(self, message: DeliveredMessage) -> None:
        """Starts a task of our own: the channel cancels its callbacks when the connection is lost, and half a copy would be wasted."""
        if self._stopping.is_set():
            return  # it came while the broker was told to send no more, which gets it back when the channel closes
        self._heard = True
        task = asyncio.create_task(self._settle(message))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _settle(self, message: DeliveredMessage) -> None:
        done = False
        try:
            await self._process(message)
            done = True
        except (asyncio.CancelledError, HandBack):
            log.info("handed back a message", queue=self._queue)
        except Unavailable as error:
            log.warning("could not park a message", queue=self._queue, why=str(error))
        tag = message.delivery_tag or 0
        try:
            await (message.channel.basic_ack(tag, wait=False) if done else message.channel.basic_nack(tag, requeue=True))
        except BROKEN as error:  # no loss: it will be delivered again, and handling is idempotent
            log.debug("could not answer a message", why=type(error).__name__)

    async def _process(self, message: DeliveredMessage) -> None:
        """Raises ``Unavailable`` when the message has to be parked and cannot be."""
        trace = str((message.header.properties.headers or {}).get(TRACE_HEADER, ""))
        try:
            job = _JOB.decode(message.body)
        except msgspec.DecodeError as error:
            log.warning("parked a message that is no job", queue=self._queue, why=str(error))
            headers = _because(f"not a job: {error}")
            parked = Message(
                exchange=PARKING, routing_key=self._backend_id, body=message.body or b"", trace=trace, headers=headers
            )
            await self._publisher.publish(parked)
            return
        job = msgspec.structs.replace(job, trace=trace) if trace else job
        try:
            await self._handle(job)
        except HandBack:
            raise
        except Exception as error:  # a bug: an operator must see the message, and it must not come back at once
            log.exception("handling a job failed", queue=self._queue)
            await park(self._publisher, job, f"unexpected {type(error).__name__}")

    async def _drain(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=self._drain_seconds)
        await self._hand_back()

    async def _hand_back(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


class InvalidationListener:
    """Hears what to forget. ``forget_everything`` is called at each (re)connect and for a message that makes no sense: some may be missed."""

    def __init__(self, broker: Broker, forget: Callable[[Invalidation], None], forget_everything: Callable[[], None]) -> None:
        self._broker = broker
        self._forget = forget
        self._forget_everything = forget_everything
        self._stopping = asyncio.Event()
        self.listening = False

    async def run(self) -> None:
        """Listens, through losses of the broker, until ``stop``."""
        await repeat(self._session, self._stopping, INVALIDATE)

    def stop(self) -> None:
        self._stopping.set()

    async def _session(self) -> None:
        await self._broker.declare(topology(()))
        channel = await self._broker.channel()
        try:
            lost = await _loss(channel)
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(INVALIDATE)
            await queue.consume(self._receive, no_ack=True, consumer_tag=self._broker.name)
            self._forget_everything()
            self.listening = True
            await any_of(lost, self._stopping)
        except BROKEN as error:
            raise Unavailable(f"RabbitMQ is away: {type(error).__name__}") from error
        finally:
            self.listening = False
            await quietly(channel.close())

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        try:
            invalidation = _INVALIDATION.decode(message.body)
        except msgspec.DecodeError:
            self._forget_everything()
        else:
            self._forget(invalidation)


async def _loss(channel: AbstractChannel) -> asyncio.Event:
    """Set when the channel closes, and when the broker cancels its consumer because the queue is gone."""
    lost = asyncio.Event()

    def lose(*_: object) -> None:
        lost.set()

    channel.close_callbacks.add(lose)
    (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lose)
    return lost
