"""Which port each part of a suite listens on, counted from the first one (``DOMICILE_PORT``); a suite needs 80. Pure."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_FIRST_PORT = 9000
PORTS = {
    "the S3 endpoint": 0,
    "the proxy's health and metrics": 1,
    "metadata": 10,
    "the replicator's health and metrics": 20,
    "the discovery page": 30,
    "PostgreSQL": 40,
    "RabbitMQ": 41,
    "RabbitMQ's management page": 42,
    "RabbitMQ's own Erlang": 43,
    "RabbitMQ's port mapper": 44,
}
BACKENDS = {"fi": 50, "de": 60, "us": 70}


@dataclass(frozen=True)
class Layout:
    first: int = DEFAULT_FIRST_PORT

    def port(self, purpose: str) -> int:
        return self.first + PORTS[purpose]

    def url(self, purpose: str) -> str:
        return f"http://127.0.0.1:{self.port(purpose)}"

    def backend_url(self, backend_id: str) -> str:
        """The others of its ``PORTS_EACH`` ports follow that of S3."""
        return f"http://127.0.0.1:{self.first + BACKENDS[backend_id]}"
