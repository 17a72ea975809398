"""PostgreSQL as the rest of storage sees it: named statements, transactions, and driver errors translated once.

Statements live in ``queries/*.sql`` (see ``core.sql`` for the form) and are called by name::

    rows = await database.fetch("locate_objects", bucket_ids, keys)
    async with database.transaction() as session:
        await session.execute("insert_bucket", bucket_id, ...)

Storage functions take a ``Statements``: the ``Database`` itself (each statement on any connection, in a transaction of its own) or the
session of a transaction. They raise only the ``DomicileError`` family; anything else is a bug.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from importlib import resources
from types import MappingProxyType, TracebackType
from typing import Any, Final

import asyncpg
import structlog
from prometheus_client import Gauge

from domicile_common.errors import ConfigurationError, DomicileError, PolicyRefused, RequestError, Unavailable

log = structlog.get_logger()

CONNECTIONS: Final = Gauge("domicile_database_connections", "Connections to PostgreSQL in the process's pool.", ["state"])

# A plan is made once per connection. Every statement has an index to go by, so that a plan made while a table was
# still small must not read the whole table when it has grown; and compiling (JIT) costs more than these short statements.
SESSION_SETTINGS: Final = {
    "application_name": "domicile-metadata",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
}
COMMAND_SECONDS: Final = 35.0
CONNECTION: Final[Mapping[str, Any]] = {
    "command_timeout": COMMAND_SECONDS,
    "statement_cache_size": 500,
    "max_cached_statement_lifetime": 0,
    "server_settings": SESSION_SETTINGS,
}
PATIENT: Final = {**CONNECTION, "command_timeout": None, "server_settings": {**SESSION_SETTINGS, "statement_timeout": "0"}}
ACQUIRE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 0.5


def load_queries() -> Mapping[str, str]:
    """Name → statement, from every ``queries/*.sql``."""
    queries: dict[str, str] = {}
    for file in sorted(resources.files(__package__).joinpath("queries").iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        _, *pieces = re.split(r"^-- name: *(\w+) *$", file.read_text("utf-8"), flags=re.MULTILINE)
        for name, statement in zip(pieces[::2], pieces[1::2], strict=True):
            if name in queries:
                raise ValueError(f"{file.name}: a statement named {name} exists already")
            queries[name] = statement.strip()
    return MappingProxyType(queries)


QUERIES: Final = load_queries()

# What a violated constraint means to whoever sent the request. A violation that is not listed is a bug, and stays one.
REFUSALS: Final[Mapping[str, Callable[[], DomicileError]]] = MappingProxyType(
    {
        "buckets_name_taken": lambda: RequestError("BucketAlreadyOwnedByYou", "You own a bucket of this name already."),
        "buckets_tenant_id_fkey": lambda: RequestError("AccessDenied", "The tenant does not exist."),
        "tasks_one_probe": lambda: RequestError("TaskExists", "A probe of this backend is under way, or paused."),
        "intents_bucket_id_fkey": lambda: RequestError("NoSuchBucket", "The bucket does not exist."),
        "adopted_namespaces_bucket_id_fkey": lambda: RequestError("NoSuchBucket", "The bucket does not exist."),
        "versions_bucket_id_fkey": lambda: RequestError("NoSuchBucket", "The bucket does not exist."),
        "parts_bucket_id_upload_id_fkey": lambda: RequestError("NoSuchUpload", "The upload does not exist."),
        "buckets_lock_needs_versioning": lambda: RequestError(
            "InvalidBucketState",
            "Object Lock and versioning go together: versioning cannot be off or suspended in a bucket with Object Lock.",
        ),
        "buckets_retention_is_possible": lambda: RequestError(
            "InvalidRetentionPeriod", "Default retention is 1 to 36500 days or 1 to 100 years."
        ),
        "versions_lock_is_whole": lambda: RequestError("InvalidRequest", "A retention has both a mode and a date."),
        "versions_locked": lambda: RequestError("AccessDenied", "Access Denied because object protected by object lock."),
        "replicas_inside_lock": lambda: PolicyRefused("residency", "A wanted backend lies outside the bucket's lock."),
    }
)

# The database is away, restarting, overloaded, or chose this transaction as the victim of a conflict.
PASSING: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,  # once it had let us in: the password is being changed
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,  # the server broke off at a moment when the client did not expect it
)


def translate(error: BaseException) -> DomicileError | None:
    """The driver's error in Domicile's words, or ``None`` when it is a bug (or not the driver's at all)."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        refusal = REFUSALS.get(error.constraint_name or "")
        return refusal() if refusal else None
    if isinstance(error, asyncpg.UntranslatableCharacterError | asyncpg.CharacterNotInRepertoireError):
        return RequestError("InvalidArgument", "A value holds a character that cannot be stored.")
    # A data error of the client library means wrong arguments; its other interface errors mean a connection or pool that is closed.
    if isinstance(error, PASSING) or (isinstance(error, asyncpg.InterfaceError) and not isinstance(error, asyncpg.DataError)):
        return Unavailable("the database is away")
    return None


class _Translation:
    """``with TRANSLATED:`` raises the translation of the driver's error in its place. A class, since it stands in every hot call."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None and (translated := translate(error)) is not None:
            raise translated from error


TRANSLATED: Final = _Translation()


class Statements:
    """Runs named statements on a pool or on one connection (asyncpg gives both the same methods)."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor

    async def fetch(self, name: str, *args: object) -> list[Any]:
        """All rows; columns by name or position."""
        with TRANSLATED:
            rows: list[Any] = await self._executor.fetch(QUERIES[name], *args)
            return rows

    async def row(self, name: str, *args: object) -> Any | None:
        """The first row, or ``None``."""
        with TRANSLATED:
            return await self._executor.fetchrow(QUERIES[name], *args)

    async def value(self, name: str, *args: object) -> Any:
        """The first column of the first row, or ``None``."""
        with TRANSLATED:
            return await self._executor.fetchval(QUERIES[name], *args)

    async def execute(self, name: str, *args: object) -> int:
        """How many rows the statement touched."""
        with TRANSLATED:
            status: str = await self._executor.execute(QUERIES[name], *args)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0


class Session(Statements):
    """One open transaction."""

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What fails inside is undone alone; the transaction goes on."""
        async with self._executor.transaction():
            yield


class Database(Statements):
    """The process's pool of connections."""

    def __init__(self, pool: asyncpg.Pool, last_step: Callable[[Session], Awaitable[None]] | None = None) -> None:
        super().__init__(pool)
        self._pool = pool
        self._last_step = last_step

    def ending_with(self, last_step: Callable[[Session], Awaitable[None]]) -> Database:
        """The same connections; each transaction that is about to commit runs ``last_step`` first."""
        return Database(self._pool, last_step)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Commits when the block ends, rolls back when it raises (read committed). The block's own errors stay as they are."""
        with TRANSLATED:
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        try:
            transaction = connection.transaction()
            with TRANSLATED:
                await transaction.start()
            try:
                session = Session(connection)
                yield session
                if self._last_step is not None:
                    await self._last_step(session)
            except BaseException:
                with suppress(Unavailable), TRANSLATED:  # a lost connection has rolled back already
                    await transaction.rollback()
                raise
            with TRANSLATED:
                await transaction.commit()
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set by every NOTIFY on ``channel`` and when the connection is lost (then listen anew).

        The listener holds one connection of the pool; clear the event before looking for work.
        """
        event = asyncio.Event()

        def wake(*_: object) -> None:
            event.set()

        with TRANSLATED:
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        try:
            connection.add_termination_listener(wake)
            with TRANSLATED:
                await connection.add_listener(channel, wake)
            yield event
        finally:
            with suppress(Unavailable), TRANSLATED:  # a lost connection has left the pool already
                connection.remove_termination_listener(wake)
                await connection.remove_listener(channel, wake)
            await self._pool.release(connection)

    def show_connections(self) -> None:
        """To Prometheus: this is the pool of the process."""
        CONNECTIONS.labels("idle").set_function(self._pool.get_idle_size)
        CONNECTIONS.labels("busy").set_function(lambda: self._pool.get_size() - self._pool.get_idle_size())

    async def use(self, url: str) -> None:
        """From now on connections are opened there; each one that is open goes on until its use ends."""
        self._pool.set_connect_args(url, **CONNECTION)
        await self._pool.expire_connections()

    async def close(self) -> None:
        """Waits for running statements, a few seconds at most."""
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()


async def _keep_session(_connection: object) -> None:
    """Statements leave nothing behind in a session, so the reset that asyncpg sends by default would be a wasted round trip."""


async def connect(url: str, *, size: int = 10, wait_seconds: float = 60.0, patient: bool = False) -> Database:
    """Opens the pool; while PostgreSQL is not there yet, tries again for ``wait_seconds``. ``patient``: statements may take for ever.

    Raises ``ConfigurationError`` when it refuses the user, the password or the database name, ``Unavailable`` when time is up.
    """
    deadline = asyncio.get_running_loop().time() + wait_seconds
    while True:
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=min(2, size),
                max_size=size,
                max_queries=1_000_000_000,
                **(PATIENT if patient else CONNECTION),
                reset=_keep_session,
            )
            return Database(pool)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise ConfigurationError(f"DATABASE_URL: PostgreSQL refuses it: {type(error).__name__}") from error
        except (ValueError, asyncpg.ClientConfigurationError) as error:
            raise ConfigurationError("DATABASE_URL: not a PostgreSQL address") from error
        except PASSING as error:
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("the database does not answer") from error
            log.warning("waiting for PostgreSQL", why=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
