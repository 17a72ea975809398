"""How to reach servers, whoever started them: plain values."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from domicile_local.servers import ports

Kind = Literal["postgres", "rabbitmq", "s3"]
COUNTRIES = {"fi": "FI", "de": "DE", "us": "US"}


@dataclass(frozen=True)
class S3Backend:
    """A real S3 endpoint and how to sign for it.

    ``backend_id``: slug. ``country``: ISO 3166-1 alpha-2. ``endpoint``: http://host:port. ``quirks``: see ``domicile_common.backends.quirks``.
    """

    backend_id: str
    country: str
    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    quirks: str = "seaweedfs"

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])


class Reach(msgspec.Struct, frozen=True):
    """How to reach the servers of one kind; only that kind's fields are set.

    ``postgres``: URL of the cluster's own database. ``amqp``: URL without a virtual host. ``management``: URL with credentials.
    """

    postgres: str = ""
    amqp: str = ""
    management: str = ""
    s3: tuple[S3Backend, ...] = ()


def fresh_backends() -> list[S3Backend]:
    """Three backends to be started on free ports, each with credentials of its own."""
    return [
        S3Backend(name, country, f"http://127.0.0.1:{ports.take()}", secrets.token_hex(10), secrets.token_hex(20))
        for name, country in COUNTRIES.items()
    ]
