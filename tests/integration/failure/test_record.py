"""PostgreSQL dies and comes back under load: clients are told to try again, and nothing that was acknowledged is lost."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from domicile_common.testing.installation import Installation, until
from domicile_common.testing.load import Load
from domicile_common.testing.private import private_postgres
from domicile_local.servers import postgres
from domicile_local.servers.postgres import Postgres

pytestmark = pytest.mark.servers


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


def test_postgresql_is_killed_and_restarted_under_load(world, domicile, bucket):
    load = Load(domicile, bucket)
    with load.running():
        for _ in range(2):
            load.goes_on()
            world.record.kill()
            load.is_put_off()
            world.record.start()
            world.record.wait_ready()
        load.goes_on()
    assert {status for _, status in load.seen} <= {200, 204, 404, 503}
    load.check()


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
