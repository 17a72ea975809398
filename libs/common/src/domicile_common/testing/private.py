"""Servers of a test's own, which it may kill: the run's servers are everybody's."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from domicile_local.servers import ports
from domicile_local.servers.hosting import s3_ports
from domicile_local.servers.postgres import Postgres
from domicile_local.servers.rabbitmq import RabbitMQ, RabbitPorts
from domicile_local.servers.reach import S3Backend
from domicile_local.servers.seaweedfs import SeaweedFS

Server = TypeVar("Server", Postgres, RabbitMQ, SeaweedFS)


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
def private_backend(folder: Path, backend_id: str, country: str) -> Iterator[SeaweedFS]:
    backend = S3Backend(backend_id, country, f"http://127.0.0.1:{ports.take()}", secrets.token_hex(10), secrets.token_hex(20))
    with _running(SeaweedFS(folder / "backend", backend, s3_ports(backend)), folder) as server:
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
