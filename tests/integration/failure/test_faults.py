"""A fault proxy between every pair of parts: whatever it does, clients are told the truth, and everything converges when it stops.

Wrong bytes are tried where somebody checks them: bodies of clients and backends, and what metadata says. RabbitMQ's and PostgreSQL's protocols
leave that to TLS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from domicile_common.testing.background import Background, fault_proxies
from domicile_common.testing.fault_proxy import Fault
from domicile_common.testing.installation import Installation, until
from domicile_common.testing.load import Load

pytestmark = pytest.mark.servers

SLOW, CUT_ANSWER, CUT_REQUEST = Fault(delay=0.05), Fault(cut_down=300), Fault(cut_up=300)
FAILING, FULL = Fault(answer=500), Fault(answer=503)
STREAM = (SLOW, CUT_ANSWER, CUT_REQUEST)
HTTP = (*STREAM, FAILING, FULL, Fault(corrupt_down=200), Fault(corrupt_up=200))
PAIRS = {
    "client-proxy": (*STREAM, Fault(corrupt_up=700)),
    "proxy-metadata": HTTP,
    "replicator-metadata": HTTP,
    "services-backend": (*HTTP, Fault(cut_up=60_000), Fault(corrupt_up=60_000), Fault(corrupt_down=60_000)),
    "metadata-postgresql": STREAM,
    "metadata-rabbitmq": STREAM,
    "proxy-rabbitmq": STREAM,
    "replicator-rabbitmq": STREAM,
}


@pytest.fixture(scope="module")
def world(open_installation, backends) -> Iterator[tuple[Installation, Mapping[str, Background]]]:
    """Each way between two parts leads through a proxy of its own: pair → where that runs."""
    real = {backend.backend_id: backend for backend in backends}
    with (
        fault_proxies({"services-backend": real["de"].port}) as to_backend,
        open_installation(
            backends=[real["fi"], real["de"]],
            links={"de": to_backend.proxies["services-backend"].port},
            INTENT_SECONDS="5",
            OVERDUE_SECONDS="2",
            BACKEND_IDLE_SECONDS="5",
        ) as domicile,
    ):
        values = domicile.suite.services["metadata"].wiring.values
        to_rabbitmq = {f"{name}-rabbitmq": port(values["RABBITMQ_URL"]) for name in ("proxy", "metadata", "replicator")}
        to_metadata = {f"{name}-metadata": int(values["METADATA_PORT"]) for name in ("proxy", "replicator")}
        others = {"client-proxy": int(values["PROXY_PORT"]), "metadata-postgresql": port(values["DATABASE_URL"])}
        with fault_proxies({**to_rabbitmq, **to_metadata, **others}) as proxies:

            def through(name: str, url: str) -> str:
                return url.replace(f":{port(url)}", f":{proxies.proxies[name].port}")

            for name in ("metadata", "proxy", "replicator"):
                settings = {"RABBITMQ_URL": through(f"{name}-rabbitmq", values["RABBITMQ_URL"])}
                if name == "metadata":
                    settings["DATABASE_URL"] = through("metadata-postgresql", values["DATABASE_URL"])
                else:
                    settings["DOMICILE_METADATA_URL"] = through(f"{name}-metadata", values["DOMICILE_METADATA_URL"])
                domicile.restart(name, **settings)
            yield domicile, {**dict.fromkeys(proxies.proxies, proxies), **dict.fromkeys(to_backend.proxies, to_backend)}


def port(url: str) -> int:
    found = urlsplit(url).port
    assert found is not None
    return found


@pytest.mark.parametrize("pair", PAIRS)
def test_nothing_is_lost_between(world, pair):
    domicile, ways = world
    proxies = ways[pair]
    proxy = proxies.proxies[pair]
    endpoint = f"http://127.0.0.1:{proxy.port}" if pair == "client-proxy" else ""
    load = Load(domicile, domicile.new_bucket(), endpoint)
    with load.running(3):
        load.goes_on(3)
        for fault in PAIRS[pair]:
            asked, passed = len(load.seen), (proxy.up, proxy.down, proxy.connections)
            proxies.set(pair, fault)
            if pair == "proxy-rabbitmq":
                domicile.register("fi")  # there is little else that proxies have to be told
            until(lambda asked=asked: len(load.seen) >= asked + 6, 60, f"clients are answered during {fault}")
            until(lambda passed=passed: (proxy.up, proxy.down, proxy.connections) != passed, 60, f"{fault} has been met")
            proxies.set(pair, Fault())
            load.goes_on(2, 90)
    own = {0, 400, 403} if pair == "client-proxy" else set()
    assert {status for _, status in load.seen} <= {200, 204, 404, 503} | own
    load.check()
