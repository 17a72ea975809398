"""Publisher, consumer and listener on a real RabbitMQ."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import aio_pika
import httpx
import msgspec
import pytest
import uvloop

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import Consumer, HandBack, InvalidationListener, park
from domicile_common.amqp.publisher import Message, Publisher
from domicile_common.amqp.topology import (
    DELIVERY_LIMIT,
    INVALIDATE,
    JOBS,
    REASON_HEADER,
    TRACE_HEADER,
    definitions,
    parking_queue,
    topology,
    work_queue,
)
from domicile_common.errors import ConfigurationError, Unavailable, Unroutable
from domicile_common.events import Invalidation, Job

pytestmark = pytest.mark.servers

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PATIENCE = 30
ATTEMPTS = 10


def job_message(number: int = 0, backend_id: str = "fi", trace: str = TRACE) -> Message:
    body = msgspec.json.encode(Job("b" * 32, f"{number:032x}", backend_id))
    return Message(exchange=JOBS, routing_key=backend_id, body=body, trace=trace)


class Management:
    """RabbitMQ's HTTP API, for what a test's virtual host really holds."""

    def __init__(self, url: str, amqp_url: str) -> None:
        self.vhost = amqp_url.rpartition("/")[2]
        self.client = httpx.AsyncClient(base_url=f"{url.rstrip('/')}/api/", timeout=PATIENCE)

    async def close_connections(self) -> int:
        """Closes every connection of the virtual host, as an operator can: how many."""
        connections = (await self.client.get(f"vhosts/{self.vhost}/connections")).json()
        for connection in connections:
            await self.client.delete(f"connections/{connection['name']}")
        return len(connections)

    async def delete_queue(self, name: str) -> None:
        (await self.client.delete(f"queues/{self.vhost}/{name}")).raise_for_status()

    async def delete_exchange(self, name: str) -> None:
        (await self.client.delete(f"exchanges/{self.vhost}/{name}")).raise_for_status()


@pytest.fixture
async def management(rabbitmq_management, rabbitmq_url):
    management = Management(rabbitmq_management, rabbitmq_url)
    yield management
    await management.client.aclose()


@pytest.fixture
async def broker(rabbitmq_url):
    broker = Broker(rabbitmq_url, "test")
    await broker.declare(topology(["fi"]))
    yield broker
    await broker.close()


@pytest.fixture
async def publisher(broker):
    publisher = Publisher(broker)
    yield publisher
    await publisher.close()


async def eventually(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - a server's state has no event to wait for
            await asyncio.sleep(0.05)


def test_a_broker_that_goes_while_it_is_greeted_is_away():
    """On the services' event loop aiormq then raises what is no error of AMQP, nor of a connection."""

    async def connect(port: int) -> None:
        with pytest.raises(Unavailable):
            await Broker(f"amqp://guest:guest@127.0.0.1:{port}/", "test").channel()

    def hang_up(listener: socket.socket) -> None:
        for _ in range(ATTEMPTS):
            listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        listener.settimeout(PATIENCE)
        hanging_up = pool.submit(hang_up, listener)
        for _ in range(ATTEMPTS):
            uvloop.run(connect(listener.getsockname()[1]))
        hanging_up.result()


async def take(broker: Broker, queue: str):
    """The next message of a queue, as plain AMQP shows it."""
    channel = await broker.channel()
    try:
        found = None

        async def arrived() -> bool:
            nonlocal found
            found = await (await channel.get_queue(queue, ensure=False)).get(fail=False)
            return found is not None

        await eventually(arrived)
        await found.ack()
        return found
    finally:
        await channel.close()


async def depth(broker: Broker, queue: str) -> int:
    channel = await broker.channel()
    declared = await channel.get_queue(queue)
    await channel.close()
    return declared.declaration_result.message_count


class Running:
    """A consumer in a task; ``seen`` counts its jobs by version."""

    def __init__(self, broker, publisher, handle=None, *, prefetch: int = 4, drain_seconds: float = 5, **options: float) -> None:
        self.seen: Counter[str] = Counter()
        self.jobs: list[Job] = []
        self.arrived = asyncio.Event()
        self._handle = handle

        async def count(job: Job) -> None:
            self.seen[job.version_id] += 1
            self.jobs.append(job)
            self.arrived.set()
            if self._handle:
                await self._handle(job)

        self.consumer = Consumer(broker, publisher, "fi", count, prefetch=prefetch, drain_seconds=drain_seconds, **options)

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.consumer.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.consumer.stop()
        async with asyncio.timeout(PATIENCE):
            await self.task

    async def saw(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.seen) >= count

        await eventually(enough)


async def test_a_confirmed_message_arrives_with_its_trace(broker, publisher):
    await publisher.publish(job_message())
    message = await take(broker, work_queue("fi"))
    assert msgspec.json.decode(message.body, type=Job).backend_id == "fi"
    assert message.headers[TRACE_HEADER] == TRACE
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT


async def test_only_what_no_queue_takes_is_returned(broker, publisher):
    outcomes = await publisher.publish_all([job_message(1), job_message(2, "nowhere"), job_message(3)])
    assert outcomes[0] is None
    assert isinstance(outcomes[1], Unroutable)
    assert outcomes[2] is None
    assert await depth(broker, work_queue("fi")) == 2
    with pytest.raises(Unroutable):
        await publisher.publish(job_message(4, "nowhere"))


async def test_an_exchange_that_is_gone_is_no_success(publisher, management):
    await management.delete_exchange(JOBS)
    with pytest.raises(Unroutable):
        await publisher.publish(job_message())


async def test_a_fan_out_may_reach_nobody(publisher):
    await publisher.publish(Message(exchange=INVALIDATE, body=b"{}", mandatory=False))


async def test_a_queue_with_other_properties_is_the_operators_to_solve(broker, management):
    await management.delete_queue(work_queue("fi"))
    channel = await broker.channel()
    await channel.declare_queue(work_queue("fi"), durable=True)
    await channel.close()
    with pytest.raises(ConfigurationError):
        await broker.declare(topology(["fi"]))


async def test_an_absent_broker_is_unavailable(unused_port):
    publisher = Publisher(Broker(f"amqp://user:hidden@127.0.0.1:{unused_port}/", "test"))
    with pytest.raises(Unavailable) as caught:
        await publisher.publish(job_message())
    assert "hidden" not in str(caught.value)
    (failure,) = await publisher.publish_all([job_message()])
    assert isinstance(failure, Unavailable)


async def test_publishing_goes_on_after_a_lost_connection(broker, publisher, management):
    await publisher.publish(job_message(1))

    async def closed() -> bool:
        return await management.close_connections() > 0  # they appear in the statistics with some delay

    await eventually(closed)

    async def published() -> bool:
        return await publisher.publish_all([job_message(2)]) == [None]

    await eventually(published)


async def test_definitions_import_into_what_is_declared(broker, management, rabbitmq_url):
    """RabbitMQ refuses to declare what exists with other properties, so both forms of the topology are the same."""
    response = await management.client.post(f"definitions/{management.vhost}", json=definitions(["fi", "de"], management.vhost))
    response.raise_for_status()
    await broker.declare(topology(["fi", "de"]))


# --- consuming ---


async def test_jobs_are_acknowledged_when_they_are_handled(broker, publisher):
    assert await publisher.publish_all([job_message(number) for number in range(50)]) == [None] * 50
    async with Running(broker, publisher) as running:
        await running.saw(50)
    assert set(running.seen.values()) == {1}
    assert running.jobs[0].trace == TRACE  # from the header
    assert await depth(broker, work_queue("fi")) == 0


async def test_no_more_than_the_prefetch_is_in_hand(broker, publisher):
    in_hand = most = 0
    full = asyncio.Event()

    async def slow(_job) -> None:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        if in_hand == 3:
            full.set()
        await full.wait()
        await asyncio.sleep(0.01)
        in_hand -= 1

    await publisher.publish_all([job_message(number) for number in range(20)])
    async with Running(broker, publisher, slow, prefetch=3) as running:
        await running.saw(20)
    assert most == 3


async def test_what_is_no_job_is_parked_with_the_reason(broker, publisher):
    await publisher.publish(Message(exchange=JOBS, routing_key="fi", body=b'{"bucket_id": 7}', trace=TRACE))
    await publisher.publish(job_message(1))
    async with Running(broker, publisher) as running:
        await running.saw(1)
        message = await take(broker, parking_queue("fi"))
    assert message.body == b'{"bucket_id": 7}'
    assert "not a job" in message.headers[REASON_HEADER]
    assert message.headers[TRACE_HEADER] == TRACE
    assert await depth(broker, work_queue("fi")) == 0


async def test_a_handler_with_a_bug_does_not_spin(broker, publisher):
    async def fail(_job) -> None:
        raise ZeroDivisionError("with details that belong in the log")

    await publisher.publish(job_message(1))
    async with Running(broker, publisher, fail) as running:
        message = await take(broker, parking_queue("fi"))
    assert message.headers[REASON_HEADER] == "unexpected ZeroDivisionError"
    assert running.seen[f"{1:032x}"] == 1


async def test_stopping_finishes_what_is_in_hand(broker, publisher):
    finish = asyncio.Event()

    async def slow(_job) -> None:
        await finish.wait()

    await publisher.publish_all([job_message(number) for number in range(10)])
    async with Running(broker, publisher, slow, prefetch=2) as running:
        await running.saw(2)
        running.consumer.stop()
        finish.set()
    assert len(running.jobs) == 2

    async def handed_back() -> bool:  # a moment after the channel was closed
        return await depth(broker, work_queue("fi")) == 8

    await eventually(handed_back)


@pytest.mark.parametrize("handler_gives_up", [False, True])
async def test_what_cannot_be_finished_is_handed_back(broker, publisher, handler_gives_up):
    stopping = asyncio.Event()

    async def wait(_job) -> None:
        await stopping.wait()
        if handler_gives_up:
            raise HandBack
        await asyncio.Event().wait()

    await publisher.publish(job_message(1))
    async with Running(broker, publisher, wait, drain_seconds=30 if handler_gives_up else 0.1) as running:
        await running.saw(1)
        running.consumer.stop()
        stopping.set()
    message = await take(broker, work_queue("fi"))
    assert message.redelivered
    async with Running(broker, publisher) as running:
        await publisher.publish(job_message(2))
        await running.saw(1)


async def test_a_lost_connection_delivers_again_while_the_first_goes_on(broker, publisher, management):
    finish = asyncio.Event()
    finished = []

    async def slow(job) -> None:
        await finish.wait()
        finished.append(job)

    await publisher.publish(job_message(1))
    async with Running(broker, publisher, slow) as running:
        await running.saw(1)

        async def delivered_again() -> bool:
            await management.close_connections()
            return running.seen[f"{1:032x}"] > 1

        await eventually(delivered_again)
        finish.set()
    assert len(finished) == running.seen[f"{1:032x}"]  # none was broken off
    assert await depth(broker, work_queue("fi")) == 0


async def test_consuming_goes_on_after_the_queue_was_deleted(broker, publisher, management):
    await publisher.publish(job_message(1))
    async with Running(broker, publisher) as running:
        await running.saw(1)
        await management.delete_queue(work_queue("fi"))

        async def published() -> bool:
            return await publisher.publish_all([job_message(2)]) == [None]

        await eventually(published)  # the consumer has declared it again
        await running.saw(2)


async def test_a_deaf_subscription_is_made_anew(broker, publisher, monkeypatch):
    """RabbitMQ delivers, and nobody gets it: as after a queue was deleted and made again, but lost at our end of the channel."""
    opened = []
    open_channel = broker.channel

    async def channel(prefetch: int = 0):
        opened.append(await open_channel(prefetch))
        return opened[-1]

    await publisher.publish(job_message(1))
    async with Running(broker, publisher, quiet_seconds=1) as running:
        await running.saw(1)
        with monkeypatch.context() as patch:
            patch.setattr(broker, "channel", channel)

            async def anew() -> bool:
                return running.consumer.consuming and len(opened) > 1  # one to declare, one to consume

            await eventually(anew)
        (await opened[-1].get_underlay_channel()).consumers.clear()
        await publisher.publish(job_message(2))
        await running.saw(2)


async def test_a_job_that_kills_its_workers_is_parked_in_the_end(broker, publisher):
    await publisher.publish(job_message(1))
    for _ in range(DELIVERY_LIMIT + 1):
        channel = await broker.channel(1)
        queue = await channel.get_queue(work_queue("fi"), ensure=False)
        arrived = asyncio.Event()

        async def never_answer(_message, arrived=arrived) -> None:
            arrived.set()

        await queue.consume(never_answer)
        async with asyncio.timeout(PATIENCE):
            await arrived.wait()
        await channel.close()
    message = await take(broker, parking_queue("fi"))
    assert message.headers["x-first-death-reason"] == "delivery_limit"
    assert message.headers["x-first-death-queue"] == work_queue("fi")


async def test_parks_with_a_reason_of_bounded_length(broker, publisher):
    await park(publisher, Job("b" * 32, "0" * 32, "fi", TRACE, 3, "2026-01-01T00:00:00Z"), "x" * 10_000)
    message = await take(broker, parking_queue("fi"))
    expected = {
        "x-domicile-job": f"{'b' * 32}/{'0' * 32}/fi",
        "x-domicile-version": "0" * 32,
        "x-domicile-backend": "fi",
        "x-domicile-attempt": "3",
        "x-domicile-since": "2026-01-01T00:00:00Z",
        REASON_HEADER: "x" * 500,
        TRACE_HEADER: TRACE,
    }
    assert message.headers.items() >= expected.items()


# --- invalidations ---


async def test_listeners_hear_invalidations_and_when_they_may_have_missed_some(broker, publisher, management):
    heard, everything = [], 0

    def forget_everything() -> None:
        nonlocal everything
        everything += 1

    listeners = [InvalidationListener(broker, heard.append, forget_everything) for _ in range(2)]
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]

    async def connected() -> bool:
        return everything >= 2

    await eventually(connected)
    invalidation = Invalidation("backend", "fi")
    await publisher.publish(Message(exchange=INVALIDATE, body=msgspec.json.encode(invalidation), mandatory=False))
    await publisher.publish(Message(exchange=INVALIDATE, body=b"???", mandatory=False))

    async def all_heard() -> bool:
        return heard == [invalidation] * 2 and everything >= 4

    await eventually(all_heard)

    async def connected_again() -> bool:
        await management.close_connections()
        return everything >= 6

    await eventually(connected_again)
    for listener in listeners:
        listener.stop()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*tasks)
