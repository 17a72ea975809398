"""How to reach servers, whoever started them: plain values."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import msgspec

from domicile_local.errors import SuiteError
from domicile_local.servers import ports

Kind = Literal["postgres", "rabbitmq", "s3"]
BackendKind = Literal["seaweedfs", "ceph", "rclone"]
DEFAULT_BACKENDS: BackendKind = "seaweedfs"
COUNTRIES = {"fi": "FI", "de": "DE", "us": "US"}
PORTS_EACH = 9  # of a backend of ours, in a row


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
    quirks: str = "generic"

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    @property
    def ports(self) -> range:
        """Those of a backend of ours; the first one is S3."""
        return range(self.port, self.port + PORTS_EACH)


class Reach(msgspec.Struct, frozen=True):
    """How to reach the servers of one kind; only that kind's fields are set.

    ``postgres``: URL of the cluster's own database. ``amqp``: URL without a virtual host. ``management``: URL with credentials.
    """

    postgres: str = ""
    amqp: str = ""
    management: str = ""
    s3: tuple[S3Backend, ...] = ()


def backend_kind(values: Mapping[str, str]) -> BackendKind | None:
    """What backends of ours are to be, by the setting BACKENDS; ``None`` when it is not set. Raises SuiteError when there is no such kind."""
    name = values.get("BACKENDS", "")
    kind = next((kind for kind in get_args(BackendKind) if kind == name), None)
    if name and kind is None:
        raise SuiteError(f"BACKENDS is one of {', '.join(get_args(BackendKind))}, not {name!r}.")
    return kind


def fresh_backend(backend_id: str, country: str, kind: BackendKind) -> S3Backend:
    """One to be started on free ports, with credentials of its own."""
    endpoint = f"http://127.0.0.1:{ports.take(PORTS_EACH)}"
    return S3Backend(backend_id, country, endpoint, secrets.token_hex(10), secrets.token_hex(20), quirks=kind)


def fresh_backends(kind: BackendKind) -> list[S3Backend]:
    return [fresh_backend(name, country, kind) for name, country in COUNTRIES.items()]
