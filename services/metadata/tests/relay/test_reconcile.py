from __future__ import annotations

import asyncio
import dataclasses

import msgspec
import pytest

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import park
from domicile_common.amqp.publisher import Message, Publisher
from domicile_common.amqp.topology import PARKING, parking_queue, topology
from domicile_common.events import Job
from domicile_metadata import reconcile as reconciling
from domicile_metadata.leased import run_leased
from domicile_metadata.reconcile import Parking, reconcile, run_reconciler
from domicile_metadata.storage import leases
from domicile_metadata.storage.outbox import take

pytestmark = pytest.mark.servers

OVERDUE = 30.0
IDLE = {"fi": 0, "de": 0, "us": 0}  # messages that wait in backfill queues


async def owe(metadata, state: str = "wanted", *, due: str = "-1 second", age: str = "0", count: int = 1, **columns: str) -> None:
    """Replicas that are due and have been in their state for so long; ``columns`` are SQL expressions."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    await metadata.sql(
        f"""INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, next_attempt_at, changed_at, trace{names})
            SELECT (SELECT bucket_id FROM buckets), lpad(n::text, 32, '0')::uuid, 'de', 'ns', 'key', '{state}', now() + interval '{due}',
                   now() - interval '{age}', 'trace-' || n{values}
              FROM generate_series(1, {count}) AS n"""
    )


@pytest.fixture
async def bucket(metadata):
    return await metadata.make_bucket()


async def outbox(metadata) -> list[str]:
    """The versions that messages are about."""
    rows = await metadata.sql("SELECT payload ->> 'version_id' FROM outbox WHERE routing_key LIKE 'replicate.%' ORDER BY id")
    return [row[0] for row in rows]


async def due_in(metadata) -> float:
    (row,) = await metadata.sql("SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM replicas")
    return row[0]


@pytest.mark.parametrize("state", ["wanted", "lost", "deleting"])
async def test_what_is_owed_and_due_gets_a_message(metadata, bucket, state):
    await owe(metadata, state)
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 1
    (row,) = await metadata.sql("SELECT routing_key, payload FROM outbox WHERE routing_key <> 'invalidate'")
    assert row["routing_key"] == "replicate.de"
    assert f'"bucket_id": "{bucket.bucket_id}"' in row["payload"]
    assert f'"version_id": "{1:032}"' in row["payload"]
    assert '"trace": "trace-1"' in row["payload"]


async def test_a_missing_stamp_is_owed_as_well(metadata, bucket):
    await owe(metadata, "verified", stamped="false")
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 1


async def test_what_is_done_parked_or_not_due_gets_none(metadata, bucket):
    await owe(metadata, "verified")
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 0
    await metadata.sql("DELETE FROM replicas")
    await owe(metadata, parked_reason="'refused'")
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 0
    await metadata.sql("DELETE FROM replicas")
    await owe(metadata, due="1 minute")
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 0


async def test_an_enqueued_replica_is_left_alone_for_a_while(metadata, bucket):
    await owe(metadata)
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 1
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 0
    assert OVERDUE - 5 < await due_in(metadata) <= OVERDUE


@pytest.mark.parametrize("age, pause", [("10 seconds", 30), ("100 seconds", 100), ("2 days", 3600)])
async def test_an_old_debt_is_enqueued_ever_more_rarely(metadata, bucket, age, pause):
    await owe(metadata, age=age)
    await reconcile(metadata.database, OVERDUE, IDLE)
    assert pause - 5 < await due_in(metadata) < pause + 5


async def test_works_in_batches_oldest_first(metadata, bucket, monkeypatch):
    monkeypatch.setattr(reconciling, "BATCH", 10)
    await owe(metadata, count=25)
    await metadata.sql(
        "UPDATE replicas SET next_attempt_at = now() - interval '1 hour' WHERE version_id = lpad('25', 32, '0')::uuid"
    )
    assert [await reconcile(metadata.database, OVERDUE, IDLE) for _ in range(4)] == [10, 10, 5, 0]
    versions = await outbox(metadata)
    assert len(set(versions)) == len(versions) == 25
    assert f"{25:032}" in versions[:10]


async def test_an_empty_broker_loses_nothing_that_was_committed(metadata, bucket):
    """The first message is gone with the queue; the debt comes up again when it is overdue."""
    version = (await metadata.put(bucket, "a")).version
    await metadata.sql("DELETE FROM outbox")
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 0
    await metadata.sql("UPDATE replicas SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 1
    assert await outbox(metadata) == [version.version_id]


async def test_walks_only_what_is_owed(metadata, bucket):
    from domicile_metadata.storage.database import QUERIES

    await owe(metadata, "verified", count=3000)
    await metadata.sql("ANALYZE replicas")
    async with metadata.database._pool.acquire() as connection:
        await connection.execute("PREPARE due AS " + QUERIES["enqueue_due"])
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN EXECUTE due ('{de}', '{10}', 'backfill', 30)"))
        await connection.execute("DEALLOCATE due")
    assert "Index Scan using replicas_due" in plan
    assert "Index Cond: ((backend_id = room.backend_id) AND (" in plan
    assert "Seq Scan on replicas" not in plan


async def lanes(metadata) -> list[tuple[int, bool]]:
    """Of all jobs, in the order in which the relays take them: number of the version, and whether it is for the backfill queue."""
    rows = [row for row in await take(metadata.database, 100) if row.routing_key != "invalidate"]
    return [(int(msgspec.json.decode(row.body)["version_id"]), row.is_backfill) for row in rows]


async def test_fresh_copies_go_first_and_backfill_last(metadata, bucket, monkeypatch):
    monkeypatch.setattr(reconciling, "WINDOW", 5)
    await owe(metadata, count=9, is_backfill="n > 3")
    await metadata.sql("UPDATE replicas SET state = 'deleting' WHERE version_id > lpad('6', 32, '0')::uuid")
    await metadata.sql("UPDATE replicas SET next_attempt_at = now() WHERE version_id = lpad('6', 32, '0')::uuid")
    # What is fresh, then removals, then backfill as far as there is room.
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 3 + 5
    made = await lanes(metadata)
    assert sorted(made) == [(n, n > 3) for n in (1, 2, 3, 4, 5, 7, 8, 9)]
    assert not any(is_backfill for _, is_backfill in made[:3])
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 0  # what the relays have not moved yet counts as well
    await metadata.sql("DELETE FROM outbox WHERE is_backfill")
    assert await reconcile(metadata.database, OVERDUE, {"de": 5}) == 0
    assert await reconcile(metadata.database, OVERDUE, {}) == 0  # nobody knows how much waits there
    assert await reconcile(metadata.database, OVERDUE, {"de": 4}) == 1
    assert (6, True) in await lanes(metadata)


@pytest.mark.parametrize("change", ["paused = true", "state = 'disabled'"])
async def test_nothing_is_enqueued_for_a_backend_that_nobody_works_for(metadata, bucket, change):
    await owe(metadata, count=3, is_backfill="n = 1")
    await metadata.sql(f"UPDATE backends SET {change} WHERE backend_id = 'de'")
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 0
    await metadata.sql("UPDATE backends SET paused = false, state = 'active'")
    assert await reconcile(metadata.database, OVERDUE, IDLE) == 3


async def test_the_reconciler_runs(metadata, bucket):
    context = dataclasses.replace(
        metadata.context, settings=metadata.context.settings.model_copy(update={"reconcile_seconds": 0.05})
    )
    running = asyncio.create_task(run_reconciler(context))
    await owe(metadata)
    async with asyncio.timeout(20):
        while not await outbox(metadata):  # noqa: ASYNC110 - a server's state has no event to wait for
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not await metadata.sql("SELECT FROM leases")


async def test_the_parking_queues_tell_what_is_parked(metadata, bucket, rabbitmq_url):
    broker = Broker(rabbitmq_url, "test")
    publisher = Publisher(broker)
    await broker.declare(topology(["fi", "de", "us"]))

    async def holds(messages: int) -> None:
        """What was looked at and left returns a moment later."""
        async with asyncio.timeout(20):
            while (await broker.look(parking_queue("de"))).messages != messages:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

    await owe(metadata, count=3, parked_reason="'refused'")
    for number in (1, 2, 3, 3):
        await park(publisher, Job(bucket.bucket_id, f"{number:032}", "de", "trace"), "refused")
    await publisher.publish(Message(exchange=PARKING, routing_key="de", body=b"no job"))
    parking = Parking(metadata.database, broker)
    await holds(5)
    await parking.tidy()
    await holds(3 + 1)
    await metadata.sql("UPDATE replicas SET parked_reason = NULL WHERE version_id = lpad('2', 32, '0')::uuid")
    await parking.tidy()
    await holds(2 + 1)
    await metadata.sql("DELETE FROM replicas")
    await parking.tidy()
    await holds(1)  # what is no job stays, for a person to look at
    await publisher.close()
    await broker.close()


# --- leases ---


async def test_a_lease_has_one_holder(metadata):
    database = metadata.database
    assert await leases.take(database, "x", "one", 60)
    assert await leases.take(database, "x", "one", 60)
    assert not await leases.take(database, "x", "two", 60)
    await leases.release(database, "x", "two")
    assert not await leases.take(database, "x", "two", 60)
    await leases.release(database, "x", "one")
    assert await leases.take(database, "x", "two", 60)


async def test_a_dead_holder_loses_its_lease(metadata):
    assert await leases.take(metadata.database, "x", "one", -1)
    assert await leases.take(metadata.database, "x", "two", 60)
    assert not await leases.take(metadata.database, "x", "one", 60)


async def test_leased_work_runs_in_one_place(metadata):
    counts = [0, 0]
    enough = asyncio.Event()

    def step(index: int):
        async def run() -> bool:
            counts[index] += 1
            if sum(counts) == 20:
                enough.set()
            return False

        return run

    runs = [asyncio.create_task(run_leased(metadata.database, "x", lambda: 0.01, step(index))) for index in (0, 1)]
    async with asyncio.timeout(20):
        await enough.wait()
    for run in runs:
        run.cancel()
    await asyncio.gather(*runs, return_exceptions=True)
    assert 0 in counts
