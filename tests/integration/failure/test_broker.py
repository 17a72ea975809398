"""RabbitMQ is a hint: losing every queue, or the whole broker with its data, delays copies and loses none."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from domicile_common.testing.installation import Installation, until
from domicile_common.testing.private import private_rabbitmq
from domicile_local.servers import rabbitmq
from domicile_local.servers.rabbitmq import RabbitMQ

pytestmark = pytest.mark.servers

VHOST = "domicile"
KEYS = [f"k{number}" for number in range(10)]


@dataclass
class World:
    domicile: Installation
    broker: RabbitMQ
    folder: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory, open_installation):
    folder = tmp_path_factory.mktemp("broker")
    with private_rabbitmq(folder) as broker:
        rabbitmq.make_vhost(broker.management_url, VHOST)
        with open_installation(broker=(f"{broker.url}/{VHOST}", broker.management_url), OVERDUE_SECONDS="2") as domicile:
            yield World(domicile, broker, folder)


@pytest.fixture
def domicile(world):
    yield world.domicile
    world.domicile.mend()


def queues(broker: RabbitMQ) -> list[str]:
    """The durable ones; proxies and replicators have one of their own each beside them."""
    listed = rabbitmq.manage(broker.management_url, "GET", f"/queues/{VHOST}").json()
    return [queue["name"] for queue in listed if queue["durable"]]


def messages(broker: RabbitMQ, queue: str) -> int:
    """How many wait there; they go on waiting."""
    look = {"count": 1000, "ackmode": "reject_requeue_true", "encoding": "auto"}
    return len(rabbitmq.manage(broker.management_url, "POST", f"/queues/{VHOST}/{queue}/get", look).json())


def delete_queues(broker: RabbitMQ) -> None:
    for name in queues(broker):
        assert rabbitmq.manage(broker.management_url, "DELETE", f"/queues/{VHOST}/{quote(name, safe='')}").status_code == 204


def put_all(domicile, bucket: str) -> None:
    for key in KEYS:
        assert domicile.raw().send("PUT", f"/{bucket}/{key}", key.encode()).status == 200


def all_are_there(domicile, bucket: str) -> None:
    for key in KEYS:
        copies = domicile.verified(bucket, key, seconds=60)
        assert sorted(copies) == ["de", "fi"]
        assert all(domicile.read(copy) == key.encode() for copy in copies.values())


def test_the_queues_are_emptied_while_copies_are_owed(world, domicile, bucket):
    domicile.suite.services["replicator"].kill()
    put_all(domicile, bucket)
    until(lambda: domicile.sql("SELECT count(*) FROM outbox") == [(0,)], what="the broker has every message")
    assert messages(world.broker, "replicate.fi") == len(KEYS)
    delete_queues(world.broker)
    assert {domicile.replicas(bucket, key)["fi"]["state"] for key in KEYS} == {"wanted"}
    domicile.start("replicator")
    all_are_there(domicile, bucket)


def test_the_queues_are_deleted_under_a_working_replicator(world, domicile, bucket):
    put_all(domicile, bucket)
    delete_queues(world.broker)
    put_all(domicile, bucket)
    all_are_there(domicile, bucket)
    assert {"replicate.fi", "replicate.de"} <= set(queues(world.broker))


def test_the_broker_dies_and_comes_back_without_its_data(world, domicile, bucket):
    put_all(domicile, bucket)
    world.broker.kill()
    shutil.rmtree(world.folder / "rabbitmq" / "data")
    other = domicile.new_bucket()
    for service in ("proxy", "metadata", "replicator"):
        domicile.restart(service, wait=service != "replicator")
    put_all(domicile, other)  # without a broker, too
    for key in KEYS:
        assert domicile.raw().send("GET", f"/{other}/{key}").body == key.encode()
        assert domicile.raw().send("DELETE", f"/{bucket}/{key}").status == 204
    world.broker.start()
    world.broker.wait_ready()
    rabbitmq.make_vhost(world.broker.management_url, VHOST)
    all_are_there(domicile, other)
    domicile.idle(60)
    assert domicile.leftovers(bucket) == {}


def test_queues_that_the_broker_cannot_serve_any_more_are_made_anew(world, domicile, bucket):
    """A crash may cost a quorum queue its files. RabbitMQ lists it all the same, and throws out whoever consumes it."""
    put_all(domicile, bucket)
    domicile.idle()
    world.broker.kill()
    for files in (world.folder / "rabbitmq" / "data").glob("*/quorum/*/*/"):
        shutil.rmtree(files)
    world.broker.start()
    world.broker.wait_ready()
    for key in KEYS:
        assert domicile.raw().send("PUT", f"/{bucket}/again/{key}", key.encode()).status == 200
    for key in KEYS:  # after five refusals, up to 5 s apart, and up to 12 s until a trial
        copies = domicile.verified(bucket, f"again/{key}", seconds=90)
        assert all(domicile.read(copy) == key.encode() for copy in copies.values())
