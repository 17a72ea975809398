"""Brings the schema up to date: ``migrations/NNNN_pre|post_purpose.sql``, each once, in order, each in a transaction of its own.

But for those that begin with ``-- outside a transaction``, as ``CREATE INDEX CONCURRENTLY`` demands.

``pre`` migrations only add, so that the release before still runs on them: they are applied before new code starts. ``post``
migrations remove what no running code uses any more: they are applied when the old code is gone, and at the latest before the
next release's ``pre``. So a starting service applies everything up to the last ``pre``, and ``migrate`` applies everything.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from importlib import resources
from typing import Any, Final

import asyncpg
import structlog

from domicile_common.errors import ConfigurationError
from domicile_metadata.domain.migration import Migration, pending
from domicile_metadata.storage.database import TRANSLATED

log = structlog.get_logger()

LOCK: Final = 0x0D0_1C17E  # any number that every process of Domicile uses and nothing else does

POLL_SECONDS: Final = 0.2

CREATE_RECORD: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


def load_migrations() -> tuple[Migration, ...]:
    """All migrations in order."""
    migrations = []
    for file in resources.files("domicile_metadata").joinpath("migrations").iterdir():
        if re.fullmatch(r"\d{4}_(pre|post)_\w+\.sql", file.name):
            text = file.read_text("utf-8")
            migrations.append(Migration(file.name.removesuffix(".sql"), hashlib.sha256(text.encode()).hexdigest(), text))
    return tuple(sorted(migrations, key=lambda migration: migration.name))


async def migrate(url: str, *, trailing_post: bool) -> list[str]:
    """Applies what is due and answers its names. Several processes may call this at once: one works, the others wait.

    Raises ``ConfigurationError`` when an applied file was changed or is unknown to this release, ``Unavailable`` when PostgreSQL is away.
    """
    with TRANSLATED:
        connection = await asyncpg.connect(url, server_settings={"application_name": "domicile-migrate"})
        try:
            # Not by waiting for the lock: CREATE INDEX CONCURRENTLY waits for every statement that began before it.
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110 - as above
                await asyncio.sleep(POLL_SECONDS)
            await connection.execute(CREATE_RECORD)
            return await _apply(connection, trailing_post=trailing_post)
        finally:
            await connection.close()


async def _apply(connection: Any, *, trailing_post: bool) -> list[str]:
    applied = {row["name"]: row["checksum"] for row in await connection.fetch("SELECT name, checksum FROM schema_migrations")}
    try:
        due = pending(load_migrations(), applied, trailing_post=trailing_post)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    for migration in due:
        if migration.needs_transaction:
            async with connection.transaction():
                await connection.execute(migration.text)
                await _record(connection, migration)
        else:
            for statement in re.split(r";\n", migration.text.rstrip().removesuffix(";")):
                await connection.execute(statement)
            await _record(connection, migration)
        log.info("schema migrated", migration=migration.name)
    return [migration.name for migration in due]


async def _record(connection: Any, migration: Migration) -> None:
    await connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum)
