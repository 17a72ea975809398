"""Everything that ``make run`` runs, as rows of one table: our own servers, or existing ones, and the services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from domicile_local.errors import SuiteError
from domicile_local.layout import BACKENDS, PORTS, Layout
from domicile_local.servers import ports, postgres, rabbitmq
from domicile_local.servers.kinds import own_backend
from domicile_local.servers.postgres import Postgres
from domicile_local.servers.process import Child
from domicile_local.servers.rabbitmq import RabbitMQ, RabbitPorts
from domicile_local.servers.reach import COUNTRIES, BackendKind, S3Backend
from domicile_local.servers.s3 import S3Server
from domicile_local.settings import Settings
from domicile_local.state import State
from domicile_local.suite import Infrastructure
from domicile_local.trust import public_authorities

DATABASE = "domicile"
VHOST = "domicile"


@dataclass(frozen=True)
class Part:
    """One line of the status. ``child``: ``None`` when it is not ours. ``fault``: why it does not answer; empty when it does."""

    name: str
    address: str
    child: Callable[[], Child] | None
    fault: Callable[[], str]


def port_fault(port: int) -> str:
    return "" if ports.answers(port) else "does not answer"


class Servers:
    """PostgreSQL, RabbitMQ and the backends: those that ``settings`` names, and our own for the rest."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        layout, folder = settings.layout, settings.state
        self._postgres = Postgres(folder / "postgres", layout.port("PostgreSQL"), state.secret("POSTGRES_PASSWORD"))
        numbers = RabbitPorts(
            amqp=layout.port("RabbitMQ"),
            management=layout.port("RabbitMQ's management page"),
            dist=layout.port("RabbitMQ's own Erlang"),
            epmd=layout.port("RabbitMQ's port mapper"),
        )
        self._rabbitmq = RabbitMQ(folder / "rabbitmq", numbers, state.secret("RABBITMQ_PASSWORD"))
        existing = {backend.backend_id: backend for backend in settings.backends if not _is_ours(backend.endpoint, layout)}
        kind = state.backend_kind(settings.backend_kind)
        self._own_backends = {
            name: own_backend(folder / f"backend-{name}", _backend_of_ours(name, kind, layout, state))
            for name in BACKENDS
            if name not in existing
        }
        self.own_postgres = not settings.database_url or _is_ours(settings.database_url, layout)
        self.own_rabbitmq = not settings.rabbitmq_url or _is_ours(settings.rabbitmq_url, layout)
        self.infrastructure = Infrastructure(
            database_url=postgres.with_database(self._postgres.url, DATABASE)
            if self.own_postgres
            else settings.database_url or "",
            rabbitmq_url=f"{self._rabbitmq.url}/{VHOST}" if self.own_rabbitmq else settings.rabbitmq_url or "",
            rabbitmq_management_url=self._rabbitmq.management_url
            if self.own_rabbitmq
            else settings.rabbitmq_management_url or "",
            backends=(*(server.backend for server in self._own_backends.values()), *existing.values()),
        )

    @property
    def started(self) -> list[Postgres | RabbitMQ | S3Server]:
        """Ours, in the order they start."""
        own: list[Postgres | RabbitMQ | S3Server] = list(self._own_backends.values())
        return [*([self._postgres] if self.own_postgres else []), *([self._rabbitmq] if self.own_rabbitmq else []), *own]

    def start(self) -> None:
        for server in self.started:
            server.start()

    def wait_ready(self) -> None:
        for server in self.started:
            server.wait_ready()
        if self.own_postgres:
            postgres.make_database(self._postgres.url, DATABASE)
        if self.own_rabbitmq:
            rabbitmq.make_vhost(self.infrastructure.rabbitmq_management_url, VHOST)

    def check(self) -> None:
        """Raises SuiteError when one of ours is not installed, or one that ``settings`` names does not answer."""
        own: list[RabbitMQ | S3Server] = [*([self._rabbitmq] if self.own_rabbitmq else []), *self._own_backends.values()]
        for server in own:
            server.check()
        if not self.own_postgres:
            postgres.query(self.infrastructure.database_url, "SELECT 1")
        if not self.own_rabbitmq and not rabbitmq.answers(self.infrastructure.rabbitmq_management_url):
            raise SuiteError(
                "RABBITMQ_MANAGEMENT_URL is set, but RabbitMQ's management API does not answer there with these credentials."
            )
        for backend in self.infrastructure.backends:
            if backend.backend_id not in self._own_backends and (fault := http_fault(backend.endpoint)):
                raise SuiteError(f"Backend {backend.backend_id} is set, but does not answer at {backend.endpoint}: {fault}.")

    def parts(self) -> list[Part]:
        layout, there = self._settings.layout, self.infrastructure
        database, broker = layout.port("PostgreSQL"), layout.port("RabbitMQ")
        return [
            Part("PostgreSQL", f"127.0.0.1:{database}", lambda: self._postgres.child, lambda: port_fault(database))
            if self.own_postgres
            else Part(
                "PostgreSQL", postgres.without_password(there.database_url), None, lambda: database_fault(there.database_url)
            ),
            Part("RabbitMQ", layout.url("RabbitMQ's management page"), lambda: self._rabbitmq.child, lambda: port_fault(broker))
            if self.own_rabbitmq
            else Part(
                "RabbitMQ", _plain(there.rabbitmq_management_url), None, lambda: rabbitmq_fault(there.rabbitmq_management_url)
            ),
            *(self._backend_part(backend) for backend in there.backends),
        ]

    def _backend_part(self, backend: S3Backend) -> Part:
        name = f"backend {backend.backend_id} ({backend.country})"
        server = self._own_backends.get(backend.backend_id)
        return Part(name, backend.endpoint, (lambda: server.child) if server else None, lambda: http_fault(backend.endpoint))

    def own_ports(self) -> dict[int, str]:
        """Ports that must be free before we start → what for."""
        layout = self._settings.layout
        purposes = [
            name
            for name in PORTS
            if (name != "PostgreSQL" or self.own_postgres) and (not name.startswith("RabbitMQ") or self.own_rabbitmq)
        ]
        taken = {layout.port(name): name for name in purposes}
        return taken | {port: f"backend {name}" for name, own in self._own_backends.items() for port in own.backend.ports}


def _backend_of_ours(name: str, kind: BackendKind, layout: Layout, state: State) -> S3Backend:
    key = state.backend_key(name)
    return S3Backend(name, COUNTRIES[name], layout.backend_url(name), key.access_key, key.secret_key, quirks=kind)


def _is_ours(url: str, layout: Layout) -> bool:
    """A shell that has read our run.env hands our own addresses back to us."""
    parts = urlsplit(url)
    return parts.hostname == "127.0.0.1" and layout.first + min(PORTS.values()) <= (parts.port or 0) <= layout.first + max(
        BACKENDS.values()
    )


def _plain(url: str) -> str:
    return str(httpx.URL(url).copy_with(username=None, password=None))


def http_fault(url: str) -> str:
    """Any HTTP answer will do: a backend refuses an unsigned request, and that shows it is there."""
    try:
        httpx.get(url, timeout=5, trust_env=False, verify=public_authorities())
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    return ""


def database_fault(url: str) -> str:
    return "" if postgres.answers(url) else "does not answer"


def rabbitmq_fault(management_url: str) -> str:
    return "" if rabbitmq.answers(management_url) else "does not answer"
