"""Changes of backends and of what is at them that meet: one waits for the other, and none of them is broken off because they wait in a circle."""

from __future__ import annotations

import asyncio

import pytest

from domicile_common.metadata_client.models import DeleteBucket
from domicile_common.metadata_client.rebuild import Found, RestoreVersions
from domicile_common.model import Digest, Facts, Version
from domicile_common.stamps import make_stamp
from domicile_metadata import rearrange
from domicile_metadata.domain.roles import Caller
from domicile_metadata.services import backends, policies
from domicile_metadata.services.backends import BackendChange
from domicile_metadata.services.policies import Level

pytestmark = pytest.mark.servers


async def until_waiting(metadata, count: int) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(20):
        while len(await metadata.sql(waiting)) < count:  # noqa: ASYNC110 -- only PostgreSQL can tell
            await asyncio.sleep(0.02)


async def meet(metadata, table: str, change, state: str) -> None:
    """A change of what is at backends is held up at this table, then a backend changes. Raises what any of the two raises."""
    async with metadata.database._pool.acquire() as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
        first = asyncio.create_task(change)
        await until_waiting(metadata, 1)
        second = asyncio.create_task(backends.change(metadata.context, "us", BackendChange(state=state, force=True)))
        await until_waiting(metadata, 2)
    await asyncio.gather(first, second)


def restoring(bucket) -> RestoreVersions:
    version = Version(bucket.bucket_id, "k", "1" * 32, bucket.created_at, Facts(), Digest(3, "0" * 32))
    stamp = make_stamp(version, tenant_id="acme", bucket=bucket.name, policy_version=1)
    blob = Found(f"k/{version.version_id}", stamp)
    return RestoreVersions(backend_id="us", namespace=bucket.namespaces["us"], blobs=(blob,))


async def test_a_bucket_that_is_removed(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    await meet(metadata, "intents", metadata.ask(DeleteBucket(tenant_id="acme", name=bucket.name)), "draining")
    assert await metadata.replicas(intent.version_id) == {"us": "deleting"}


async def test_a_policy_that_ends_writes(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    change = policies.put(metadata.context, Caller("operator"), Level("acme", bucket.name), b'{"region_lock": ["FI", "DE"]}')
    await meet(metadata, "intents", change, "draining")
    assert await metadata.replicas(intent.version_id) == {"us": "deleting"}


async def test_a_rebuild(metadata):
    bucket = await metadata.make_bucket()
    await meet(metadata, "versions", metadata.ask(restoring(bucket)), "draining")
    assert await metadata.replicas("1" * 32) == {"us": "stored"}


async def test_a_placement_that_is_compared(metadata):
    """Of a copy at the very backend that is lost; what was parked there is tried again."""
    bucket = await metadata.make_bucket()
    committed = await metadata.put(bucket, "k")
    await metadata.sql("UPDATE replicas SET parked_reason = 'x' WHERE backend_id = 'us'")
    await policies.put(metadata.context, Caller("operator"), Level("acme", bucket.name), b'{"replica_count": 3}')
    await metadata.sql("DELETE FROM namespaces WHERE backend_id = 'de'")
    await meet(metadata, "namespaces", rearrange.step(metadata.context), "lost")
    assert set(await metadata.replicas(committed.version.version_id)) == {"us", "fi", "de"}
