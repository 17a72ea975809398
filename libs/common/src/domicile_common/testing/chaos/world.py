"""An installation of which everything may break: two of each service, servers of its own, and links between them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from domicile_common.testing.chaos.schedule import BACKENDS
from domicile_common.testing.installation import Installation, installation, patiently
from domicile_common.testing.links import Link, Links
from domicile_local.servers import ports, postgres, rabbitmq
from domicile_local.servers.kinds import own_backend
from domicile_local.servers.postgres import Postgres
from domicile_local.servers.rabbitmq import RabbitMQ, RabbitPorts
from domicile_local.servers.reach import COUNTRIES, DEFAULT_BACKENDS, backend_kind, fresh_backend
from domicile_local.servers.s3 import S3Server
from domicile_local.services import NEEDS, Service

VHOST: Final = "domicile"
# Writes that nobody goes on with end within the run; the rest as in all tests.
SETTINGS: Final = {"INTENT_SECONDS": "6", "UPLOAD_SECONDS": "10", "OVERDUE_SECONDS": "3", "BACKEND_IDLE_SECONDS": "3"}
BUCKETS: Final = {"plain": "fi,de", "versioned": "fi,de", "roaming": "us,fi,de"}
"""The buckets that clients work on, and their locations; the last one's policy changes and takes its objects across countries."""


@dataclass
class World:
    """``servers``: those that are the run's own, by name. ``management``: URL of RabbitMQ's. ``buckets``: what each is called."""

    domicile: Installation
    servers: dict[str, S3Server | Postgres | RabbitMQ]
    services: dict[str, Service]
    links: dict[str, Link]
    management: str
    vhost: str
    buckets: dict[str, str]

    def manage(self, method: str, path: str) -> Any:
        return rabbitmq.manage(self.management, method, path)

    @property
    def parts(self) -> dict[str, Service | S3Server | Postgres | RabbitMQ]:
        return {**self.servers, **self.services}


@contextmanager
def world(folder: Path, *, broker: tuple[str, str] | None = None) -> Iterator[World]:
    """``broker``: AMQP URL with a virtual host, and that of the management API, of one that must not be broken; one of its own when not given."""
    with ExitStack() as stack:
        servers = _servers(folder, own_broker=broker is None)
        for server in servers.values():
            stack.callback(server.kill)
            server.start()
        for server in servers.values():
            server.wait_ready()
        amqp, management = broker or _broker_of(servers)
        record = _record_of(servers)
        targets = {name: servers[name].backend.port for name in BACKENDS}  # type: ignore[union-attr]
        targets |= {"postgres": urlsplit(record).port or 0, "rabbitmq": urlsplit(amqp).port or 0}
        links = stack.enter_context(_open_links(targets))
        domicile = stack.enter_context(
            installation(
                folder / "services",
                backends=[servers[name].backend for name in BACKENDS],  # type: ignore[union-attr]
                database=_through(record, links["postgres"]),
                broker=(_through(amqp, links["rabbitmq"]), management),
                links={name: links[name].port for name in BACKENDS},
                folder=None,
                tls=None,
                **SETTINGS,
            )
        )
        links |= stack.enter_context(_two_of_each(domicile))
        yield World(domicile, servers, domicile.suite.services, links, management, urlsplit(amqp).path[1:], _buckets(domicile))


def _servers(folder: Path, *, own_broker: bool) -> dict[str, S3Server | Postgres | RabbitMQ]:
    kind = backend_kind(os.environ) or DEFAULT_BACKENDS
    servers: dict[str, S3Server | Postgres | RabbitMQ] = {}
    if own_broker:
        numbers = RabbitPorts(ports.take(), ports.take(), ports.take(), ports.take())
        servers["rabbitmq"] = RabbitMQ(folder / "rabbitmq", numbers, secrets.token_hex(16))
    servers["postgres"] = Postgres(folder / "postgres", ports.take(), secrets.token_hex(16), durable=False)
    for name in BACKENDS:
        servers[name] = own_backend(folder / name, fresh_backend(name, COUNTRIES[name], kind))
    return servers


def _broker_of(servers: dict[str, S3Server | Postgres | RabbitMQ]) -> tuple[str, str]:
    broker = servers["rabbitmq"]
    assert isinstance(broker, RabbitMQ)
    rabbitmq.make_vhost(broker.management_url, VHOST)
    return f"{broker.url}/{VHOST}", broker.management_url


def _record_of(servers: dict[str, S3Server | Postgres | RabbitMQ]) -> str:
    record = servers["postgres"]
    assert isinstance(record, Postgres)
    postgres.make_database(record.url, "domicile")
    return postgres.with_database(record.url, "domicile")


@contextmanager
def _open_links(targets: dict[str, int]) -> Iterator[dict[str, Link]]:
    with Links({name: (ports.take(), port) for name, port in targets.items()}) as links:
        yield dict(links.by_name)


def _through(url: str, link: Link) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{link.port}")))


@contextmanager
def _two_of_each(domicile: Installation) -> Iterator[dict[str, Link]]:
    """A second process of each service; the second proxy and replicator ask the second metadata, all through links."""
    services = domicile.suite.services
    services.pop("discovery").kill()
    services["metadata-2"] = _copy(services["metadata"])
    services["metadata-2"].start()
    metadata = {name: int(urlsplit(services[name].health).port or 0) for name in ("metadata", "metadata-2")}
    with ExitStack() as stack:
        stack.callback(domicile.suite.kill)
        links = stack.enter_context(_open_links(metadata))
        for name in ("proxy", "replicator"):
            services[name].kill()
            services[f"{name}-2"] = _copy(services[name], DOMICILE_METADATA_URL=f"http://127.0.0.1:{links['metadata-2'].port}")
            services[name] = _rewired(services[name], {"DOMICILE_METADATA_URL": f"http://127.0.0.1:{links['metadata'].port}"})
            services[name].start()
            services[f"{name}-2"].start()
        for service in services.values():
            service.wait_ready()
        yield links


def _copy(service: Service, **values: str) -> Service:
    return _rewired(service, {name: str(ports.take()) for name in NEEDS[service.name] if name.endswith("_PORT")} | values)


def _rewired(service: Service, values: dict[str, str]) -> Service:
    return Service(service.name, replace(service.wiring, values={**service.wiring.values, **values}))


def _buckets(domicile: Installation) -> dict[str, str]:
    domicile.admin("PUT", "/policies/default", {"replica_count": 2, "write_quorum": 1})
    names = {}
    for bucket, location in BUCKETS.items():
        names[bucket] = domicile.new_bucket(location=location)
    domicile.client().put_bucket_versioning(Bucket=names["versioned"], VersioningConfiguration={"Status": "Enabled"})
    return names


def mend(world: World) -> None:
    """Everything runs and reaches everything else."""
    for link in world.links.values():
        link.heal()
    for part in world.parts.values():
        if not part.child.alive:
            part.start()
    for part in world.parts.values():
        part.wait_ready()
    patiently(lambda: world.domicile.admin("PATCH", "/backends/us", {"state": "active"}))
