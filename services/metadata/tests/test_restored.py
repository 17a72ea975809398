"""A record in another database than the one it was served from."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from domicile_common.errors import ConfigurationError
from domicile_local.servers import postgres
from domicile_metadata.restored import accept, check_home
from domicile_metadata.storage.database import connect

pytestmark = pytest.mark.servers


@pytest.fixture
async def elsewhere(metadata, database, database_url, postgres_url):
    """A copy of a database that was served, with a write that was stored, one that is under way, and a copy that is on its way out."""
    await check_home(database)
    bucket = await metadata.make_bucket()
    await metadata.put(bucket, "stored")
    await metadata.begin(bucket, "under way")
    name = f"test_{secrets.token_hex(8)}"
    await database.close()
    source = database_url.rpartition("/")[2]
    await asyncio.to_thread(postgres.query, postgres_url, f"CREATE DATABASE {name} TEMPLATE {source}")
    copied = await connect(postgres.with_database(postgres_url, name), size=4)
    yield copied
    await copied.close()
    await asyncio.to_thread(postgres.query, postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def values(database, statement):
    async with database._pool.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(statement)]


async def test_a_record_that_was_never_elsewhere_is_served(database):
    await check_home(database)
    await check_home(database)


async def test_one_from_elsewhere_is_not_served_until_an_operator_says_what_it_is(elsewhere):
    with pytest.raises(ConfigurationError, match="python -m domicile_metadata restored"):
        await check_home(elsewhere)
    assert await accept(elsewhere, is_whole=True) == {}
    await check_home(elsewhere)
    assert await values(elsewhere, "SELECT count(*) FROM intents") == [(1,)], "all is believed"
    assert await values(elsewhere, "SELECT count(*) FROM tasks") == [(0,)]


async def test_a_restored_one_is_doubted_where_it_could_do_harm(elsewhere):
    async with elsewhere._pool.acquire() as connection:
        await connection.execute(
            "UPDATE replicas SET state = 'verified', verified_at = now(), stamped = true WHERE state = 'stored'"
        )
        await connection.execute("UPDATE replicas SET state = 'deleting' WHERE state = 'wanted'")
        await connection.execute(
            "INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state)"
            " SELECT bucket_id, gen_random_uuid(), backend_id, namespace, 'gone', 'deleting' FROM replicas WHERE state = 'verified'"
        )
    counts = await accept(elsewhere, is_whole=False)
    assert counts == {"forget_intents": 1, "forget_unwanted_copies": 1, "doubt_copies": 1, "cancel_tasks": 0, "forget_leases": 0}
    rows = await values(elsewhere, "SELECT state, blob_key = 'gone', verified_at FROM replicas ORDER BY state")
    assert rows == [("deleting", True, None), ("stored", False, None)], "what was deleted before the backup stays so"
    assert await values(elsewhere, "SELECT kind, state FROM tasks") == [("rebuild", "waiting")]
