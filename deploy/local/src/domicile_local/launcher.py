"""``make run``: everything up in order, in the foreground, and down in order."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from domicile_local.errors import SuiteError
from domicile_local.parts import Part, Servers
from domicile_local.register import register_tenant
from domicile_local.samples import add_samples
from domicile_local.servers import ports
from domicile_local.servers.process import Child
from domicile_local.services import Service
from domicile_local.settings import SECRETS, Settings
from domicile_local.state import State, backend_lines, locked, tenant_lines, write_run_env
from domicile_local.status import Status
from domicile_local.suite import Suite

TENANTS = {"demo": "DOMICILE", "alt": "DOMICILE_ALT"}  # tenant id → beginning of its names in run.env
LOOK_SECONDS = 2.0
LEAST_FREE_BYTES = 500_000_000  # RabbitMQ takes nothing below 100 MB, and the samples, logs and journals need some


class Launcher:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._state = State(settings.state)
        for name, value in settings.secrets.items():
            self._state.kept.secrets[name] = value
        self._servers = Servers(settings, self._state)
        layout = settings.layout
        self.suite = Suite(
            self._servers.infrastructure,
            ports={
                "PROXY_PORT": layout.port("the S3 endpoint"),
                "PROXY_ADMIN_PORT": layout.port("the proxy's health and metrics"),
                "METADATA_PORT": layout.port("metadata"),
                "REPLICATOR_PORT": layout.port("the replicator's health and metrics"),
                "DISCOVERY_PORT": layout.port("the discovery page"),
            },
            secrets={name: self._state.secret(name) for name in SECRETS},
            logs=settings.state / "logs",
            passed_on=settings.passed_on,
        )
        self.run_env: dict[str, str] = {}

    def up(self, say: Callable[[str], None]) -> None:
        """Returns when everything answers. Raises SuiteError with one clear sentence."""
        self._state.run_env.unlink(missing_ok=True)
        say("Starting PostgreSQL, RabbitMQ and the S3 backends")
        self._servers.start()
        self._servers.wait_ready()
        say("Starting the services")
        self.suite.start()
        with self.suite.admin() as admin:
            for tenant in TENANTS:
                register_tenant(admin, tenant, self._state.tenant_key(tenant))
        self.run_env = self._run_env()

    def announce(self) -> None:
        """From now on others find the suite, and ``make ready`` succeeds."""
        write_run_env(self._state.run_env, self.run_env)

    def add_samples(self, say: Callable[[str], None]) -> None:
        """Once, and never into what is somebody else's."""
        if self.settings.backends or self.settings.database_url or self._state.kept.has_samples:
            return
        say("Putting something in to be looked at")
        add_samples(self.run_env)
        self._state.kept.has_samples = True
        self._state.save()

    def down(self) -> None:
        """In order, and whatever has been started so far."""
        self.suite.stop()
        for server in reversed(self._servers.started):
            server.ask_to_stop()
        for server in reversed(self._servers.started):
            server.stop()

    def parts(self) -> list[Part]:
        shown = {"proxy": self.suite.s3_endpoint, "metadata": self.suite.metadata_url, "discovery": self.suite.discovery_url}
        services = [
            Part(name, shown.get(name, service.health), partial(_child_of, service), service.fault)
            for name, service in self.suite.services.items()
        ]
        return [*self._servers.parts(), *services]

    def check(self) -> None:
        """Before anything starts. Raises SuiteError when a port is taken, the disk is full, something is not installed, or does not answer."""
        for port, purpose in self._servers.own_ports().items():
            if not ports.is_free(port):
                raise SuiteError(
                    f"Port {port} (for {purpose}) is in use. Stop what uses it, or set DOMICILE_PORT to another first port."
                )
        if (free := shutil.disk_usage(self.settings.state).free) < LEAST_FREE_BYTES:
            raise SuiteError(
                f"{self.settings.state} has {free // 1_000_000} MB left; {LEAST_FREE_BYTES // 1_000_000} MB are needed. "
                "Make room, or set DOMICILE_STATE to a folder elsewhere."
            )
        self._servers.check()

    def _run_env(self) -> dict[str, str]:
        there = self._servers.infrastructure
        return {
            "DOMICILE_S3_ENDPOINT": self.suite.s3_endpoint,
            **tenant_lines({prefix: self._state.tenant_key(tenant) for tenant, prefix in TENANTS.items()}),
            "DOMICILE_METADATA_URL": self.suite.metadata_url,
            "ADMIN_API_KEY": self.suite.admin_key,
            "DOMICILE_PROXY_HEALTH_URL": self.suite.services["proxy"].health,
            "DOMICILE_REPLICATOR_HEALTH_URL": self.suite.services["replicator"].health,
            "DOMICILE_DISCOVERY_URL": self.suite.discovery_url,
            "RABBITMQ_URL": there.rabbitmq_url,
            "RABBITMQ_MANAGEMENT_URL": there.rabbitmq_management_url,
            "DATABASE_URL": there.database_url,
            **backend_lines(there.backends),
        }


def _child_of(service: Service) -> Child:
    return service.child


def watch(launcher: Launcher, status: Status) -> None:
    """Until a part of ours dies, which is a SuiteError, or a signal comes."""
    while True:
        parts = launcher.parts()
        for part in parts:
            child = part.child() if part.child else None
            if child and not child.alive:
                raise SuiteError(f"{child.died()}:\n{child.last_words()}")
        status.show(parts)
        time.sleep(LOOK_SECONDS)


@contextmanager
def running(settings: Settings, say: Callable[[str], None], *, samples: bool = False) -> Iterator[Launcher]:
    """A suite that is ready, and is stopped at the end, however that comes. ``samples``: with something in it to be looked at."""
    with locked(settings.state):
        launcher = Launcher(settings)
        launcher.check()
        try:
            launcher.up(say)
            if samples:
                launcher.add_samples(say)
            launcher.announce()
            yield launcher
        finally:
            say("Stopping")
            launcher.down()
