"""Servers for tests: one host process a kind starts them on free ports, tells how to reach them, and ends with the test run.

``python -m domicile_local.servers.hosting KIND FOLDER PID`` writes ``FOLDER/KIND.json`` (0600) once the servers of that kind are ready, or
``FOLDER/KIND.failed`` with the reason, and stops them and removes their data on TERM or as soon as process PID is gone, however it ended.
With INFRA=docker in the environment they come from containers; BACKENDS there says what the S3 backends are (``reach``).
"""

from __future__ import annotations

import os
import secrets
import select
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import get_args

import msgspec

from domicile_local.errors import SuiteError
from domicile_local.servers import ports
from domicile_local.servers.kinds import own_backend
from domicile_local.servers.postgres import Postgres
from domicile_local.servers.process import private_folder, write_private
from domicile_local.servers.rabbitmq import RabbitMQ, RabbitPorts
from domicile_local.servers.reach import DEFAULT_BACKENDS, Kind, Reach, backend_kind, fresh_backends
from domicile_local.servers.s3 import S3Server


@contextmanager
def own_servers(kind: Kind, folder: Path) -> Iterator[Reach]:
    """Real servers as child processes."""
    password = secrets.token_hex(16)
    servers: list[Postgres | RabbitMQ | S3Server]
    if kind == "postgres":
        postgres = Postgres(folder / "postgres", ports.take(), password, durable=False)
        servers, reach = [postgres], Reach(postgres=postgres.url)
    elif kind == "rabbitmq":
        rabbit = RabbitMQ(folder / "rabbitmq", RabbitPorts(ports.take(), ports.take(), ports.take(), ports.take()), password)
        servers, reach = [rabbit], Reach(amqp=rabbit.url, management=rabbit.management_url)
    else:
        backends = fresh_backends(backend_kind(os.environ) or DEFAULT_BACKENDS)
        servers = [own_backend(folder / f"backend-{each.backend_id}", each) for each in backends]
        reach = Reach(s3=tuple(backends))
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.kill)  # nothing is kept, so nothing needs to end in order
            server.start()
        for server in servers:
            server.wait_ready()
        yield reach


def host(kind: Kind, folder: Path, watched: int) -> None:
    gone = os.pidfd_open(watched)
    (folder / f"{kind}.failed").unlink(missing_ok=True)
    data = private_folder(folder / f"{kind}-data")
    servers = own_servers
    if os.environ.get("INFRA") == "docker":
        from domicile_local.servers import containers  # noqa: PLC0415 -- slow to import, and needless without it

        servers = containers.servers
    try:
        with servers(kind, data) as reach:
            write_private(folder / f"{kind}.json", msgspec.json.encode(reach).decode())
            select.select([gone], [], [])  # TERM breaks out of it
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except SuiteError as error:
        write_private(folder / f"{kind}.failed", str(error))
    finally:
        (folder / f"{kind}.json").unlink(missing_ok=True)
        shutil.rmtree(data, ignore_errors=True)


def _end(*_: object) -> None:
    """Ends the wait; a second TERM, or Ctrl-C, does not interrupt the clean-up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the test run, which ends us
    signal.signal(signal.SIGTERM, _end)
    name, place, pid = sys.argv[1:]
    host(next(kind for kind in get_args(Kind) if kind == name), Path(place).resolve(), int(pid))
