"""The outbox on its way to a real RabbitMQ."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import InvalidationListener
from domicile_common.amqp.topology import JOBS, TRACE_HEADER, topology, work_queue
from domicile_common.errors import Unavailable
from domicile_common.events import Invalidation, Job
from domicile_metadata import relay
from domicile_metadata.relay import Relay

pytestmark = pytest.mark.servers

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PATIENCE = 30


@pytest.fixture
async def broker(rabbitmq_url):
    broker = Broker(rabbitmq_url, "test")
    yield broker
    await broker.close()


async def owe(metadata, count: int = 1, backend_id: str = "de") -> None:
    await metadata.sql(
        """INSERT INTO outbox (routing_key, payload)
           SELECT 'replicate.' || $2, jsonb_build_object('bucket_id', repeat('b', 32), 'version_id', lpad(n::text, 32, '0'),
                                                         'backend_id', $2::text, 'trace', $3::text)
             FROM generate_series(1, $1) AS n""",
        count,
        backend_id,
        TRACE,
    )


async def owed(metadata) -> int:
    (row,) = await metadata.sql("SELECT count(*) FROM outbox")
    return row[0]


async def drain(broker: Broker, backend_id: str = "de"):
    """Everything in a work queue."""
    channel = await broker.channel()
    queue = await channel.get_queue(work_queue(backend_id))
    messages = []
    while message := await queue.get(fail=False, no_ack=True):
        messages.append(message)
    await channel.close()
    return messages


async def eventually(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - a server's state has no event to wait for
            await asyncio.sleep(0.02)


async def test_moves_jobs_to_the_queue_of_their_backend(metadata, broker):
    await owe(metadata, 3)
    await owe(metadata, 2, "fi")
    mover = Relay(metadata.database, broker)
    await mover.declare()
    assert await mover.move() == 5
    assert await owed(metadata) == 0
    assert await mover.move() == 0
    messages = await drain(broker)
    assert [msgspec.json.decode(message.body, type=Job) for message in messages] == [
        Job("b" * 32, f"{number:032}", "de", TRACE) for number in (1, 2, 3)
    ]
    assert {message.headers[TRACE_HEADER] for message in messages} == {TRACE}
    assert messages[0].headers["x-domicile-job"] == f"{'b' * 32}/{1:032}/de"
    assert messages[0].timestamp is not None
    assert len(await drain(broker, "fi")) == 2


async def test_a_commit_reaches_the_queue(metadata, broker):
    bucket = await metadata.make_bucket()
    version = (await metadata.put(bucket, "a")).version
    mover = Relay(metadata.database, broker)
    await mover.move()
    found = [
        msgspec.json.decode(message.body, type=Job)
        for backend_id in ("fi", "de", "us")
        for message in await drain(broker, backend_id)
    ]
    assert [(job.bucket_id, job.version_id) for job in found] == [(bucket.bucket_id, version.version_id)]
    assert (await metadata.replicas(version.version_id))[found[0].backend_id] == "wanted"
    assert found[0].attempt == 0
    assert abs(datetime.fromisoformat(found[0].since) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_what_is_not_due_yet_waits(metadata, broker):
    await owe(metadata)
    await metadata.sql("UPDATE outbox SET available_at = now() + interval '1 hour'")
    assert await Relay(metadata.database, broker).move() == 0
    assert await owed(metadata) == 1


async def test_queues_that_are_missing_are_declared(metadata, broker):
    await broker.declare(topology(()))
    await owe(metadata)
    await Relay(metadata.database, broker).move()
    assert len(await drain(broker)) == 1


async def test_what_no_queue_takes_does_not_hold_up_the_others(metadata, broker):
    await owe(metadata, 2, "nowhere")
    await owe(metadata, 2)
    mover = Relay(metadata.database, broker)
    await mover.move()
    assert len(await drain(broker)) == 2
    assert await owed(metadata) == 2
    assert await mover.move() == 0  # put off
    await metadata.sql("UPDATE outbox SET available_at = now()")
    assert await mover.move() == 2


async def test_a_queue_that_takes_nothing_does_not_hold_up_the_others(metadata, broker, monkeypatch):
    """It is full here; one that has lost its files says nothing at all."""
    await broker.declare(topology(["de"]))
    channel = await broker.channel()
    full = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
    await (await channel.declare_queue(work_queue("fi"), durable=True, arguments=full)).bind(JOBS, "fi")
    monkeypatch.setattr(relay, "BATCH", 20)
    monkeypatch.setattr(relay, "TRIAL_PAUSE_SECONDS", 0.1)
    await owe(metadata, 100, "fi")
    await owe(metadata, 2)
    mover = Relay(metadata.database, broker)
    while await mover.move():
        pass
    assert len(await drain(broker)) == 2
    left = await owed(metadata)
    assert left > 0

    await broker.remove(work_queue("fi"))
    await broker.declare(topology(["fi"]))

    async def all_moved() -> bool:
        await mover.move()
        return await owed(metadata) == 0

    await eventually(all_moved)
    assert len(await drain(broker, "fi")) >= left


async def test_nothing_is_forgotten_while_the_broker_is_away(metadata, unused_port):
    await owe(metadata, 3)
    with pytest.raises(Unavailable):
        await Relay(metadata.database, Broker(f"amqp://nobody:nothing@127.0.0.1:{unused_port}/", "test")).move()
    assert await owed(metadata) == 3


async def test_dying_between_publishing_and_forgetting_publishes_again(metadata, broker, monkeypatch):
    class Died(BaseException):
        pass

    async def die(*_args) -> None:
        raise Died

    await owe(metadata, 3)
    with monkeypatch.context() as patch:
        patch.setattr(Relay, "mark", die)
        with pytest.raises(Died):
            await Relay(metadata.database, broker).move()
    assert await owed(metadata) == 3
    assert await Relay(metadata.database, broker).move() == 3
    assert len(await drain(broker)) == 6


async def test_relays_side_by_side_take_different_rows(metadata, broker, monkeypatch):
    monkeypatch.setattr(relay, "BATCH", 10)
    await owe(metadata, 40)
    movers = [Relay(metadata.database, broker) for _ in range(4)]
    await movers[0].declare()
    moved = [0]

    async def all_moved() -> bool:
        moved.extend(await asyncio.gather(*(mover.move() for mover in movers)))
        return sum(moved) == 40

    await eventually(all_moved)
    versions = [msgspec.json.decode(message.body, type=Job).version_id for message in await drain(broker)]
    assert len(versions) == len(set(versions)) == 40


async def test_invalidations_reach_every_listener_or_nobody(metadata, broker):
    mover = Relay(metadata.database, broker)
    await mover.declare()
    invalidation = Invalidation("bucket", "acme/photos")

    async def invalidate() -> None:
        payload = msgspec.json.encode(invalidation).decode()
        await metadata.sql("INSERT INTO outbox (routing_key, payload) VALUES ('invalidate', $1::text::jsonb)", payload)
        await mover.move()
        assert await owed(metadata) == 0

    await invalidate()
    heard, listening = [], asyncio.Event()
    listeners = [InvalidationListener(broker, heard.append, listening.set) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for listener in listeners:
            listening.clear()
            group.create_task(listener.run())
            async with asyncio.timeout(PATIENCE):
                await listening.wait()
        await invalidate()

        async def all_heard() -> bool:
            return heard == [invalidation] * 2

        await eventually(all_heard)
        for listener in listeners:
            listener.stop()


async def test_runs_when_notified_and_through_a_lost_broker(metadata, broker, monkeypatch):
    monkeypatch.setattr(relay, "POLL_SECONDS", 3600)
    failures = [Unavailable("lost")]
    publish = Relay.publish

    async def fail_once(self, rows):
        if rows and failures:
            raise failures.pop()
        return await publish(self, rows)

    monkeypatch.setattr(Relay, "publish", fail_once)
    running = asyncio.create_task(Relay(metadata.database, broker).run())

    async def listening() -> bool:
        return bool(
            await metadata.sql("SELECT FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()")
        )

    await eventually(listening)
    await owe(metadata)
    await metadata.sql("SELECT pg_notify('outbox', '')")

    async def moved() -> bool:
        return await owed(metadata) == 0

    await eventually(moved)
    assert not failures
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
