"""Every service is restarted, one process after the other, while clients work: none of them notices more than "try again"."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions
import pytest

from domicile_common.testing.background import Background, fault_proxies
from domicile_common.testing.installation import Installation, until
from domicile_common.testing.load import Load
from domicile_local.services import Service

pytestmark = pytest.mark.servers

NAMES = ("metadata", "proxy", "replicator")
PORTS = {"metadata": "METADATA_PORT", "proxy": "PROXY_PORT"}


class World:
    """Two of each service. ``balancers`` spread connections over those that are ready."""

    def __init__(self, domicile: Installation, copies: dict[str, list[Service]], balancers: Background) -> None:
        self.domicile = domicile
        self.copies = copies
        self.balancers = balancers
        self.settings = {"DOMICILE_METADATA_URL": self.url("metadata"), "STOP_NOTICE_SECONDS": "2"}

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.balancers.proxies[name].port}"

    def spread(self, name: str) -> None:
        """What a balancer does that asks /readyz."""
        if name in PORTS:
            ready = [int(it.wiring.values[PORTS[name]]) for it in self.copies[name] if it.alive and not it.fault()]
            self.balancers.proxies[name].lead_to(*ready)

    def kill(self, name: str, service: Service) -> None:
        service.kill()
        service.start(**self.settings)
        service.wait_ready()
        self.spread(name)

    def restart(self, name: str, service: Service) -> None:
        service.ask_to_stop()
        until(service.fault, what=f"{name} shows that it stops")
        self.spread(name)
        until(lambda: not service.alive, what=f"{name} has ended")
        assert "ended with exit code 0" in service.child.died()
        service.start(**self.settings)
        service.wait_ready()
        self.spread(name)


@pytest.fixture(scope="module")
def world(open_installation) -> Iterator[World]:
    with (
        open_installation(INTENT_SECONDS="5", OVERDUE_SECONDS="2") as domicile,
        domicile.another("metadata") as metadata,
        domicile.another("proxy") as proxy,
        domicile.another("replicator") as replicator,
    ):
        first, others = domicile.suite.services, {"metadata": metadata, "proxy": proxy, "replicator": replicator}
        copies = {name: [first[name], others[name]] for name in NAMES}
        with fault_proxies({name: int(first[name].wiring.values[port]) for name, port in PORTS.items()}) as balancers:
            made = World(domicile, copies, balancers)
            for name in NAMES:  # so that they ask metadata through the balancer
                made.spread(name)
                for service in copies[name]:
                    service.kill()
                    service.start(**made.settings)
                    service.wait_ready()
                made.spread(name)
            yield made


class KeptAlive:
    """A stock client that keeps its connections and repeats nothing. ``answers``: HTTP statuses; ``faults``: whatever else happened."""

    def __init__(self, world: World, bucket: str, name: str) -> None:
        self._s3 = world.domicile.fresh_client(world.domicile.keys["one"], retries={"total_max_attempts": 1})
        self._bucket = bucket
        self._name = name
        self._stop = threading.Event()
        self.answers: list[int] = []
        self.faults: list[Exception] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._work)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def ask(self, number: int) -> None:
        place = {"Bucket": self._bucket, "Key": f"{self._name}/{number % 10}"}
        try:
            self._s3.put_object(**place, Body=b"%d" % number)
            assert self._s3.get_object(**place)["Body"].read() == b"%d" % number
            self.answers.append(200)
        except botocore.exceptions.ClientError as error:
            self.answers.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
        except Exception as error:  # noqa: BLE001 - it is what the test is about
            self.faults.append(error)

    def _work(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self.ask(number)


def test_a_rolling_restart_of_everything_fails_no_request(world, monkeypatch):
    domicile = world.domicile
    bucket = domicile.new_bucket()
    monkeypatch.setattr(domicile.suite, "s3_endpoint", world.url("proxy"))
    kept = domicile.new_bucket()
    load, busy, idle = Load(domicile, bucket, world.url("proxy")), KeptAlive(world, kept, "busy"), KeptAlive(world, kept, "idle")
    idle.ask(0)
    with load.running(2), busy.running():
        for name in NAMES:
            for service in world.copies[name]:
                load.goes_on(5)
                world.restart(name, service)
                idle.ask(0)  # on the connection that it has kept meanwhile
        load.goes_on(5)
    assert {status for _, status in load.seen} <= {200, 204, 404, 503}
    assert busy.faults == idle.faults == []
    assert set(busy.answers) | set(idle.answers) <= {200, 503}
    put_off = [status for _, status in load.seen].count(503) + busy.answers.count(503)
    assert put_off <= len(load.seen) // 20  # a hitch, not an outage
    load.check()


def test_two_of_everything_are_killed_in_turn(world):
    load = Load(world.domicile, world.domicile.new_bucket(), world.url("proxy"))
    with load.running(2):
        for name in NAMES:
            for service in world.copies[name]:
                load.goes_on(3)
                world.kill(name, service)
        load.goes_on(3)
    assert {status for _, status in load.seen} <= {0, 200, 204, 404, 503}
    load.check()
