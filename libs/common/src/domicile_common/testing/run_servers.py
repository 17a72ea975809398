"""The servers of one test run: started by whoever needs them first, shared by all xdist workers, ended by the controlling process.

The controlling process makes a folder and names it in the environment, which workers inherit. A file lock a kind lets one of them
start the host process (``domicile_local.servers.hosting``), which watches the controlling process and cannot outlive it.
When a developer keeps servers up (``make servers``), those are used; every test has its own database, virtual host and names there.
"""

from __future__ import annotations

import fcntl
import functools
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from domicile_local import migrations
from domicile_local.errors import SuiteError
from domicile_local.servers import ports, postgres
from domicile_local.servers.reach import Kind, Reach, backend_kind

RUN = "DOMICILE_TEST_RUN"
KEPT = "DOMICILE_TEST_SERVERS"
SECONDS = 300.0


def open_run() -> None:
    """In the controlling process, before any worker starts."""
    folder = Path(tempfile.mkdtemp(prefix="domicile-test-"))
    os.environ[RUN] = f"{os.getpid()}:{folder}"


def close_run() -> None:
    """In the controlling process, also after Ctrl-C: ends the hosts, waits for them and removes every trace."""
    folder, _ = _run()
    for file in folder.glob("*.pid"):
        _end(int(file.read_text()))
    shutil.rmtree(folder, ignore_errors=True)
    del os.environ[RUN]


def _run() -> tuple[Path, int]:
    pid, _, folder = os.environ[RUN].partition(":")
    return Path(folder), int(pid)


def _end(pid: int, patience: float = 60) -> None:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(watched, signal.SIGTERM)
        select.select([watched], [], [], patience)
    finally:
        os.close(watched)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def database(name: str, template: str = "") -> Iterator[str]:
    """The URL of a new database on the run's server; it has the current schema and no rows, unless another ``template`` is named."""
    server = servers("postgres").reach.postgres
    postgres.query(server, f"CREATE DATABASE {name} TEMPLATE {template or _migrated()}")
    yield postgres.with_database(server, name)
    postgres.query(server, f"DROP DATABASE {name} WITH (FORCE)")


@functools.cache
def _migrated() -> str:
    """Name of a migrated database that others are copied from; made once for each state of the migrations."""
    place = servers("postgres")
    server, name = place.reach.postgres, f"template_{migrations.fingerprint()}"
    with locked(place.folder / "template.lock"):
        if not postgres.query(server, f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):  # noqa: S608 -- our own hex digits
            postgres.query(server, f"DROP DATABASE IF EXISTS {name}_new", f"CREATE DATABASE {name}_new")
            migrations.migrate(postgres.with_database(server, f"{name}_new"))
            postgres.query(server, f"ALTER DATABASE {name}_new RENAME TO {name}")
    return name


class Place(msgspec.Struct, frozen=True):
    """``folder``: shared by all who use these servers; for locks."""

    reach: Reach
    folder: Path


def servers(kind: Kind) -> Place:
    """The servers of a kind, started if need be."""
    kept = Path(os.environ.get(KEPT, ".domicile/test-servers")).absolute()
    if os.environ.get("INFRA") != "docker" and (reach := _read(kept / f"{kind}.json")) and _wanted(reach):
        return Place(reach, kept)
    folder, controller = _run()
    with locked(folder / f"{kind}.lock"):
        if not (folder / f"{kind}.pid").exists():
            _start(kind, folder, controller)
        return Place(_wait(kind, folder), folder)


def _read(file: Path) -> Reach | None:
    """What the host wrote, unless its servers are gone without it having noticed."""
    try:
        reach = msgspec.json.decode(file.read_bytes(), type=Reach)
    except FileNotFoundError:
        return None
    urls = [url for url in (reach.postgres, reach.amqp, *(backend.endpoint for backend in reach.s3)) if url]
    return reach if all(ports.answers(int(url.rpartition(":")[2].partition("/")[0])) for url in urls) else None


def _wanted(reach: Reach) -> bool:
    """Kept backends may be of another kind than this run is to have."""
    return all(backend.quirks == (backend_kind(os.environ) or backend.quirks) for backend in reach.s3)


def _start(kind: Kind, folder: Path, controller: int) -> None:
    """Detached, because whoever starts it may be a worker that ends before the others."""
    log = os.open(folder / f"{kind}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    argv = [sys.executable, "-m", "domicile_local.servers.hosting", kind, str(folder), str(controller)]
    pid = os.posix_spawn(
        sys.executable,
        argv,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
        setsid=True,
    )
    os.close(log)
    (folder / f"{kind}.pid").write_text(str(pid))


def _wait(kind: Kind, folder: Path) -> Reach:
    deadline = time.monotonic() + SECONDS
    while not (reach := _read(folder / f"{kind}.json")):
        failed = folder / f"{kind}.failed"
        if failed.exists():
            raise SuiteError(failed.read_text())
        if time.monotonic() > deadline:
            raise SuiteError(f"The {kind} servers of this run are not there: {(folder / f'{kind}.log').read_text()[-2000:]}")
        time.sleep(0.05)
    return reach
