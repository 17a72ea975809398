"""PostgreSQL dies and comes back under load: clients are told to try again, and nothing that was acknowledged is lost."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from domicile_common.testing.installation import Installation, until
from domicile_common.testing.private import private_postgres
from domicile_local.servers import postgres
from domicile_local.servers.postgres import Postgres

pytestmark = pytest.mark.servers

WRITERS = 4


@dataclass
class World:
    domicile: Installation
    record: Postgres


@pytest.fixture(scope="module")
def world(tmp_path_factory, open_installation):
    with private_postgres(tmp_path_factory.mktemp("record")) as record:
        postgres.query(record.url, "CREATE DATABASE domicile")
        url = postgres.with_database(record.url, "domicile")
        with open_installation(database=url, INTENT_SECONDS="5", OVERDUE_SECONDS="2") as domicile:
            yield World(domicile, record)


@pytest.fixture
def domicile(world):
    return world.domicile


@dataclass
class Load:
    """Clients that write, read and overwrite keys of their own until they are stopped. ``acknowledged``: key → the last body with a 200."""

    domicile: Installation
    bucket: str
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    unsure: dict[str, set[bytes]] = field(default_factory=dict)
    statuses: list[tuple[str, int]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, writer: int) -> None:
        raw, numbers = self.domicile.raw(), random.Random(writer)
        step = 0
        while not self.stopped.is_set():
            step += 1
            key = f"w{writer}/{step % 7}"
            body = numbers.randbytes(numbers.choice([10, 1000, 100_000]))
            put = raw.send("PUT", f"/{self.bucket}/{key}", body)
            self.statuses.append(("PUT", put.status))
            if put.status == 200:
                self.acknowledged[key] = body
                self.unsure[key] = set()
            else:
                self.unsure.setdefault(key, set()).add(body)
            got = raw.send("GET", f"/{self.bucket}/{key}")
            self.statuses.append(("GET", got.status))
            if got.status == 200:
                assert got.body in {self.acknowledged.get(key), *self.unsure[key]}
            elif key in self.acknowledged:
                assert got.status == 503


def test_postgresql_is_killed_and_restarted_under_load(world, domicile, bucket):
    load = Load(domicile, bucket)
    with ThreadPoolExecutor(WRITERS) as pool:
        clients = [pool.submit(load.run, writer) for writer in range(WRITERS)]
        try:
            for _ in range(2):
                before = len(load.statuses)
                until(lambda before=before: load.statuses[before:].count(("PUT", 200)) > 40, what="writes succeed")
                world.record.kill()
                before = len(load.statuses)
                until(
                    lambda before=before: len(set(load.statuses[before:]) & {("PUT", 503), ("GET", 503)}) == 2,
                    what="clients are put off",
                )
                world.record.start()
                world.record.wait_ready()
            before = len(load.statuses)
            until(lambda: load.statuses[before:].count(("PUT", 200)) > 40, what="writes succeed again")
        finally:
            load.stopped.set()
    for client in clients:
        client.result()
    assert {status for _, status in load.statuses} <= {200, 404, 503}
    assert len(load.acknowledged) > WRITERS
    raw = domicile.raw()
    for key, body in load.acknowledged.items():
        assert raw.send("GET", f"/{bucket}/{key}").body in {body, *load.unsure[key]}
    assert set(raw.send("GET", f"/{bucket}").texts("Key")) >= load.acknowledged.keys()
    domicile.idle(60)
    for key in load.acknowledged:
        copies = domicile.verified(bucket, key)
        assert {domicile.read(copy) for copy in copies.values()} == {raw.send("GET", f"/{bucket}/{key}").body}
    for backend_id, blobs in domicile.leftovers(bucket).items():
        owned = {
            replica["blob_key"]
            for key in raw.send("GET", f"/{bucket}").texts("Key")
            if (replica := domicile.replicas(bucket, key)[backend_id])
        }
        assert {blob for blob in blobs if not blob.startswith(".domicile/")} == owned


def test_services_start_while_postgresql_is_away(world, domicile, bucket):
    """Whatever order things come up in: they wait for each other."""
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket}/k", b"1").status == 200
    world.record.kill()
    for name in ("proxy", "replicator"):
        domicile.suite.services[name].kill()
        domicile.suite.services[name].start()
    assert until(lambda: domicile.suite.services["proxy"].alive and domicile.suite.services["proxy"].fault())
    world.record.start()
    world.record.wait_ready()
    for service in domicile.suite.services.values():
        service.wait_ready()
    assert until(lambda: (got := raw.send("GET", f"/{bucket}/k")).status == 200 and got).body == b"1"
