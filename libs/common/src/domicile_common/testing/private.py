"""Servers of a test's own, which it may kill: the run's servers are everybody's."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from domicile_local.servers import ports
from domicile_local.servers.kinds import own_backend
from domicile_local.servers.postgres import Postgres
from domicile_local.servers.rabbitmq import RabbitMQ, RabbitPorts
from domicile_local.servers.reach import DEFAULT_BACKENDS, BackendKind, backend_kind, fresh_backend
from domicile_local.servers.s3 import S3Server

Server = TypeVar("Server", Postgres, RabbitMQ, S3Server)


@contextmanager
def _running(server: Server, folder: Path) -> Iterator[Server]:
    """Its ``kill``, ``start`` and ``wait_ready`` are the test's to use; it keeps its data in between."""
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_backend(folder: Path, backend_id: str, country: str, kind: BackendKind | None = None) -> Iterator[S3Server]:
    """``kind``: as the run's own backends, when not given."""
    backend = fresh_backend(backend_id, country, kind or backend_kind(os.environ) or DEFAULT_BACKENDS)
    with _running(own_backend(folder / "backend", backend), folder) as server:
        yield server


@contextmanager
def private_postgres(folder: Path) -> Iterator[Postgres]:
    with _running(Postgres(folder / "postgres", ports.take(), secrets.token_hex(16), durable=False), folder) as server:
        yield server


@contextmanager
def private_rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    numbers = RabbitPorts(ports.take(), ports.take(), ports.take(), ports.take())
    with _running(RabbitMQ(folder / "rabbitmq", numbers, secrets.token_hex(16)), folder) as server:
        yield server
