import asyncio

import asyncpg
import pytest

from domicile_common.errors import ConfigurationError, RequestError, Unavailable
from domicile_metadata.storage.database import QUERIES, REFUSALS, connect

pytestmark = pytest.mark.servers


async def test_every_statement_can_be_prepared(database):
    """Names, types and columns fit the schema; a statement that nobody tests elsewhere fails here."""
    async with database._pool.acquire() as connection:
        for name, statement in QUERIES.items():
            try:
                await connection.prepare(statement)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{name}: {error}")


async def test_every_refusal_is_of_a_constraint_that_exists(database):
    async with database._pool.acquire() as connection:
        rows = await connection.fetch(
            """SELECT conname FROM pg_constraint UNION SELECT tgname FROM pg_trigger
               UNION SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indisunique"""
        )
    assert set(REFUSALS) <= {row["conname"] for row in rows}


async def insert_and_raise(database, error):
    async with database.transaction() as session:
        await session.execute("insert_invalidation", "{}")
        raise error


async def count_outbox(database) -> int:
    async with database._pool.acquire() as connection:
        return await connection.fetchval("SELECT count(*) FROM outbox")


@pytest.mark.parametrize("error", [ConnectionError("mine"), RequestError("NoSuchKey"), asyncio.CancelledError()])
async def test_a_transaction_is_all_or_nothing_and_keeps_the_callers_error(database, error):
    with pytest.raises(type(error)) as raised:
        await insert_and_raise(database, error)
    assert raised.value is error
    assert await count_outbox(database) == 0


async def test_a_savepoint_is_undone_alone(database):
    async def fail_inside(session):
        async with session.savepoint():
            await session.execute("insert_invalidation", "{}")
            raise ZeroDivisionError

    async with database.transaction() as session:
        await session.execute("insert_invalidation", "{}")
        with pytest.raises(ZeroDivisionError):
            await fail_inside(session)
    assert await count_outbox(database) == 1


async def cut_own_connection(database):
    async with database.transaction() as session:
        async with database._pool.acquire() as other:
            pid = await session._executor.fetchval("SELECT pg_backend_pid()")
            await other.fetchval("SELECT pg_terminate_backend($1)", pid)
        await session.value("ping")


async def test_a_connection_that_is_cut_is_unavailable_and_the_next_one_works(database):
    with pytest.raises(Unavailable):
        await cut_own_connection(database)
    assert await database.value("ping") == 1


async def test_a_listener_hears_notifications_and_the_end_of_its_connection(database):
    async with database.listening("outbox") as notified:
        await database.execute("notify", "outbox", "")
        await asyncio.wait_for(notified.wait(), 30)
        notified.clear()
        async with database._pool.acquire() as other:
            await other.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
            )
        await asyncio.wait_for(notified.wait(), 30)


async def test_a_start_waits_for_postgresql_and_says_what_is_wrong(database_url, unused_port):
    with pytest.raises(Unavailable):
        await connect(f"postgresql://127.0.0.1:{unused_port}/x", wait_seconds=0.1)
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        await connect(database_url + "_not", wait_seconds=0.1)
