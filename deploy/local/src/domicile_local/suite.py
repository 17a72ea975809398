"""A suite: the four services on given servers, registered and ready. The launcher runs one, and so do the integration tests."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from domicile_local import migrations
from domicile_local.admin import Admin
from domicile_local.register import register_backends, register_default_policy
from domicile_local.servers.reach import S3Backend
from domicile_local.services import NAMES, Service, Wiring, scheme


@dataclass(frozen=True)
class Infrastructure:
    """What a suite stands on. ``database_url``: an existing database. ``rabbitmq_url``: with its virtual host."""

    database_url: str = field(repr=False)
    rabbitmq_url: str = field(repr=False)
    rabbitmq_management_url: str = field(repr=False)
    backends: Sequence[S3Backend] = ()


class Suite:
    """``ports``: by setting name (PROXY_PORT, …). ``secrets``: by setting name, see ``settings.SECRETS``.

    ``tls``: how its ports are met, when it is told to speak TLS.
    """

    def __init__(
        self,
        infrastructure: Infrastructure,
        *,
        ports: Mapping[str, int],
        secrets: Mapping[str, str],
        logs: Path,
        passed_on: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.infrastructure = infrastructure
        self._tls = tls
        here = f"{scheme(tls)}://127.0.0.1"
        self.s3_endpoint = f"{here}:{ports['PROXY_PORT']}"
        self.metadata_url = f"{here}:{ports['METADATA_PORT']}"
        self.discovery_url = f"{here}:{ports['DISCOVERY_PORT']}"
        self.admin_key = secrets["ADMIN_API_KEY"]
        values = {
            **secrets,
            **{name: str(port) for name, port in ports.items()},
            "DATABASE_URL": infrastructure.database_url,
            "RABBITMQ_URL": infrastructure.rabbitmq_url,
            "DOMICILE_METADATA_URL": self.metadata_url,
            # Everything is on this machine, and so is whoever looks at it.
            "RELAY_ENDPOINTS": ",".join([self.s3_endpoint, *(backend.endpoint for backend in infrastructure.backends)]),
            "RELAY_FOR": "page",
        }
        logs.mkdir(parents=True, exist_ok=True)
        told = {"STOP_NOTICE_SECONDS": "0", **(passed_on or {})}  # nobody balances requests over several processes here
        self.services = {name: Service(name, Wiring(values, logs, told, tls)) for name in NAMES}

    def admin(self) -> Admin:
        return Admin(self.metadata_url, self.admin_key, self._tls)

    def start(self, *, migrate: bool = True) -> None:
        """Metadata first: the others ask it for backends as they start. ``migrate``: unless the database has the schema already."""
        if migrate:
            migrations.migrate(self.infrastructure.database_url)
        metadata = self.services["metadata"]
        metadata.start()
        metadata.wait_ready()
        with self.admin() as admin:
            register_backends(admin, self.infrastructure.backends)
            register_default_policy(admin)
        others = [self.services[name] for name in NAMES if name != "metadata"]
        for service in others:
            service.start()
        for service in others:
            service.wait_ready()

    def stop(self) -> None:
        """The doors first, the record last; discovery and replicator meanwhile."""
        doors = [service for service in reversed(self.services.values()) if service.name != "metadata"]
        for service in doors:
            service.ask_to_stop()
        for service in (*doors, self.services["metadata"]):
            service.stop()

    def kill(self) -> None:
        for service in self.services.values():
            service.kill()
