"""The four services as processes of their own: what each is told, and how to start, watch, kill and stop it."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from domicile_local.errors import SuiteError
from domicile_local.servers.process import Child, Program
from domicile_local.trust import public_authorities

NAMES: Final = ("metadata", "proxy", "replicator", "discovery")  # in the order they start; they stop in the opposite one
# Each service is told only what it needs.
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "metadata": (
        "DATABASE_URL", "RABBITMQ_URL", "METADATA_PORT", "ADMIN_API_KEY", "DOMICILE_SERVICE_TOKEN", "TENANT_SECRET_PASSPHRASE", "NAMESPACE_KEY",
        "ERASURE_SIGNING_KEY",
    ),
    "proxy": (
        "RABBITMQ_URL", "PROXY_PORT", "PROXY_ADMIN_PORT", "DOMICILE_METADATA_URL", "DOMICILE_SERVICE_TOKEN", "TENANT_SECRET_PASSPHRASE",
    ),
    "replicator": ("RABBITMQ_URL", "REPLICATOR_PORT", "DOMICILE_METADATA_URL", "DOMICILE_SERVICE_TOKEN", "TENANT_SECRET_PASSPHRASE"),
    "discovery": ("DISCOVERY_PORT", "DOMICILE_METADATA_URL", "RELAY_ENDPOINTS", "RELAY_FOR"),
}  # fmt: skip
HEALTH_PORT: Final = {
    "metadata": "METADATA_PORT",
    "proxy": "PROXY_ADMIN_PORT",
    "replicator": "REPLICATOR_PORT",
    "discovery": "DISCOVERY_PORT",
}


@dataclass(frozen=True)
class Wiring:
    """``values``: by setting name, for whoever needs them. ``passed_on``: what every service gets beside that.

    ``tls``: how their ports are met, when they speak TLS.
    """

    values: Mapping[str, str] = field(repr=False)
    logs: Path
    passed_on: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None


class Service:
    """One service. ``wiring``: how it is told what it needs. ``health``: where /healthz, /readyz and /metrics answer."""

    def __init__(self, name: str, wiring: Wiring) -> None:
        self.name = name
        self.health = f"{scheme(wiring.tls)}://127.0.0.1:{wiring.values[HEALTH_PORT[name]]}"
        self.wiring = wiring
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        if self._child is None:
            raise SuiteError(f"{self.name} was not started")
        return self._child

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    def start(self, *, wrapper: Sequence[str] = (), **settings: str) -> None:
        """``wrapper``: a module and its arguments that runs the service in turn. ``settings``: for this start only."""
        environment = {name: self.wiring.values[name] for name in NEEDS[self.name]} | dict(self.wiring.passed_on) | settings
        self._child = Child(
            Program(
                name=self.name,
                argv=[sys.executable, "-m", *wrapper, f"domicile_{self.name}"],
                log=self.wiring.logs / f"{self.name}.log",
                cwd=self.wiring.logs,
                env=environment,
                patience=20,
            )
        )

    def wait_ready(self, seconds: float = 60) -> None:
        self.child.wait_until(lambda: not self.fault(), seconds)

    def fault(self) -> str:
        """Why it is not ready; empty when it is."""
        return readiness_fault(self.health, self.wiring.tls)

    def ask_to_stop(self) -> None:
        if self._child:
            self._child.ask_to_stop()

    def stop(self) -> None:
        """Lets requests and jobs in flight finish."""
        if self._child:
            self._child.stop()

    def kill(self) -> None:
        if self._child:
            self._child.kill()


def scheme(tls: ssl.SSLContext | None) -> str:
    return "http" if tls is None else "https"


def readiness_fault(health: str, tls: ssl.SSLContext | None = None) -> str:
    try:
        response = httpx.get(f"{health}/readyz", timeout=5, trust_env=False, verify=tls or public_authorities())
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    if response.is_success:
        return ""
    try:
        return f"waits for {', '.join(response.json()['failed'])}"
    except (ValueError, KeyError, TypeError):
        return f"answers {response.status_code}"
