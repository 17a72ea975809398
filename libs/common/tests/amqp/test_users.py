"""The users of the definitions file: what each service does works, and what it has no business with is refused, by a real RabbitMQ."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable

import httpx
import msgspec
import pytest
from aiormq.exceptions import ChannelAccessRefused

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import Consumer, InvalidationListener, park
from domicile_common.amqp.publisher import Message, Publisher
from domicile_common.amqp.topology import INVALIDATE, JOBS, PARKING, backfill_queue, parking_queue, topology, work_queue
from domicile_common.amqp.users import SALT_BYTES, USERS, password_hash, whole_definitions
from domicile_common.events import Invalidation, Job

PATIENCE = 30
JOB = Job("b" * 32, "0" * 32, "fi")


def test_a_password_hash_is_the_salt_and_the_digest_of_salt_and_password():
    """https://www.rabbitmq.com/docs/passwords#computing-password-hash"""
    salt = b"\x90\x8d\xc6\x0a"
    assert b64decode(password_hash("test12", salt)) == salt + hashlib.sha256(salt + b"test12").digest()


def test_every_queue_is_declared_by_metadata_and_replicator_alone():
    for queue in topology(["fi", "de-2"]).queues:
        may = {name for name, rights in USERS.items() if re.search(rights.configure, queue.name)}
        assert may == {"metadata", "replicator", "operator"}


@pytest.fixture
async def urls(rabbitmq_management, rabbitmq_url):
    """User → AMQP URL, of a RabbitMQ that has loaded the definitions."""
    host, vhost = rabbitmq_url.rpartition("@")[2].split("/")
    passwords = {user: secrets.token_hex(16) for user in USERS}
    hashes = {user: password_hash(password, secrets.token_bytes(SALT_BYTES)) for user, password in passwords.items()}
    async with httpx.AsyncClient(base_url=f"{rabbitmq_management.rstrip('/')}/api/", timeout=PATIENCE) as management:
        (await management.post("definitions", json=whole_definitions(["fi", "de"], vhost, hashes))).raise_for_status()
        yield {user: f"amqp://{user}:{password}@{host}/{vhost}" for user, password in passwords.items()}
        for user in USERS:
            await management.delete(f"users/{user}")


@pytest.fixture
async def broker_of(urls):
    brokers = {user: Broker(url, user) for user, url in urls.items()}
    yield brokers
    for broker in brokers.values():
        await broker.close()


async def within(awaitable: Awaitable[object]) -> None:
    async with asyncio.timeout(PATIENCE):
        await awaitable


@pytest.mark.servers
async def test_each_service_can_do_its_work(broker_of):
    """One job and one invalidation take their whole way, each step as the user of the service that does it."""
    metadata, replicator, proxy = broker_of["metadata"], broker_of["replicator"], broker_of["proxy"]
    await metadata.declare(topology(["fi", "de", "us"]))  # `us` is new: declared, not imported
    handled, forgotten, listening = asyncio.Event(), asyncio.Event(), asyncio.Event()
    parking = Publisher(replicator)

    async def handle(_job: Job) -> None:
        await park(parking, JOB, "as a test")
        handled.set()

    consumer = Consumer(replicator, parking, "fi", handle, prefetch=1, drain_seconds=1)
    listeners = [InvalidationListener(each, lambda _: forgotten.set(), listening.set) for each in (replicator, proxy)]
    async with asyncio.TaskGroup() as group:
        for each in (consumer, *listeners):
            group.create_task(each.run())
        await within(listening.wait())
        relay = Publisher(metadata)
        await relay.publish(Message(exchange=JOBS, routing_key="fi", body=msgspec.json.encode(JOB)))
        await within(handled.wait())
        body = msgspec.json.encode(Invalidation("bucket", "t/b"))
        await relay.publish(Message(exchange=INVALIDATE, body=body, mandatory=False))
        await within(forgotten.wait())
        for each in (consumer, *listeners):
            each.stop()
    await relay.close()
    await parking.close()


def consumes(queue: str) -> Callable[[Broker], Awaitable[object]]:
    async def act(broker: Broker) -> None:
        channel = await (await broker.channel()).get_underlay_channel()
        await channel.basic_consume(queue, lambda _: asyncio.sleep(0))

    return act


def publishes(exchange: str) -> Callable[[Broker], Awaitable[object]]:
    async def act(broker: Broker) -> None:
        channel = await (await broker.channel()).get_underlay_channel()
        await channel.basic_publish(b"{}", exchange=exchange, routing_key="fi", mandatory=True, timeout=PATIENCE)

    return act


def deletes(queue: str) -> Callable[[Broker], Awaitable[object]]:
    async def act(broker: Broker) -> None:
        await (await (await broker.channel()).get_underlay_channel()).queue_delete(queue)

    return act


REFUSED = [
    ("proxy", consumes(work_queue("fi"))),
    ("proxy", consumes(backfill_queue("fi"))),
    ("proxy", consumes(parking_queue("fi"))),
    ("proxy", publishes(JOBS)),
    ("proxy", publishes(INVALIDATE)),
    ("proxy", deletes(work_queue("fi"))),
    ("replicator", consumes(parking_queue("fi"))),
    ("replicator", publishes(JOBS)),
    ("keda", consumes(work_queue("fi"))),
    ("keda", publishes(PARKING)),
]


@pytest.mark.servers
async def test_what_a_service_has_no_business_with_is_refused(broker_of):
    for user, act in REFUSED:
        with pytest.raises(ChannelAccessRefused):
            await within(act(broker_of[user]))


@pytest.mark.servers
async def test_the_management_api_is_open_to_people_and_counts_for_the_scaler(urls, rabbitmq_management):
    vhost = urls["keda"].rpartition("/")[2]
    queue = f"/api/queues/{vhost}/{work_queue('fi')}"
    take = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    # RabbitMQ closes a connection whose body it refused to read: each request takes one of its own.
    async with httpx.AsyncClient(timeout=PATIENCE, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        for user, url in urls.items():
            login = httpx.URL(rabbitmq_management).copy_with(username=user, password=httpx.URL(url).password)
            counted = await client.get(login.copy_with(path=queue))
            taken = await client.post(login.copy_with(path=f"{queue}/get"), json=take)
            assert counted.is_success == (user in {"keda", "operator"})
            assert taken.is_success == (user == "operator")
