"""What is owed, measured: the figures, what they cost, and who shows them."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from prometheus_client import REGISTRY

from domicile_common.metadata_client.models import Report
from domicile_metadata.domain.lag import NOTHING, Recent, RecentCopies
from domicile_metadata.measure import run_measuring
from domicile_metadata.storage.database import QUERIES
from domicile_metadata.storage.lag import list_owing_buckets, measure_backends, measure_outbox


@pytest.fixture
async def bucket(metadata):
    return await metadata.make_bucket(location="FI,DE")


async def put(metadata, bucket, size: int, key: str = "k") -> str:
    """A version that is verified in FI and owed in DE."""
    intent = await metadata.begin(bucket, f"{key}/{size}", avoid=("de",))
    return (await metadata.ask(metadata.commit(intent, size=size))).version.version_id


def aged(seconds: int) -> str:
    return f"UPDATE replicas SET changed_at = now() - interval '{seconds} seconds'"


@pytest.mark.servers
async def test_what_is_owed_is_counted(metadata, bucket):
    versions = [await put(metadata, bucket, size) for size in (10, 200, 3000)]
    await metadata.sql(f"{aged(100)} WHERE version_id = '{versions[0]}'")
    await metadata.sql(
        f"UPDATE replicas SET attempt = 2, parked_reason = 'x' WHERE version_id = '{versions[1]}' AND backend_id = 'de'"
    )
    de, fi, us = await measure_backends(metadata.database)
    assert (de.copies, de.bytes, de.retried, de.parked, de.late, de.removals) == (3, 3210, 1, 1, 0, 0)
    assert 100 <= de.oldest_seconds < 200
    assert (fi.copies, fi.oldest_seconds, us.copies) == (0, 0, 0)
    await metadata.ask(Report(bucket_id=bucket.bucket_id, version_id=versions[0], backend_id="de", outcome="verified"))
    await metadata.sql("UPDATE replicas SET state = 'deleting' WHERE backend_id = 'fi'")
    de, fi, _ = await measure_backends(metadata.database)
    assert (de.copies, de.bytes, fi.removals) == (2, 3200, 3)
    recent = metadata.context.recent_copies.of("de")
    assert recent.copies == 1
    assert 100 <= recent.p50_seconds < 200
    outbox = await measure_outbox(metadata.database)
    assert outbox.messages == 4  # and the invalidation of the bucket


@pytest.mark.servers
async def test_a_copy_that_is_lost_is_owed_with_its_size(metadata, bucket):
    await put(metadata, bucket, 77)
    await metadata.sql("UPDATE replicas SET size = NULL WHERE backend_id = 'fi'")  # of a release before
    await metadata.sql("UPDATE replicas SET state = 'lost' WHERE backend_id = 'fi'")
    fi = (await measure_backends(metadata.database))[1]
    assert (fi.copies, fi.bytes) == (1, 77)


@pytest.mark.servers
@pytest.mark.parametrize(("levels", "late"), [({}, 0), ({"default": 50}, 1), ({"default": 50, "tenant": 1000}, 0), ({"default": 500, "tenant": 1000, "bucket": 50}, 1)])  # fmt: skip
async def test_the_innermost_promise_counts(metadata, bucket, levels, late):
    subjects = {"default": "", "tenant": "acme", "bucket": bucket.bucket_id}
    for level, seconds in levels.items():
        document = f'{{"replica_count": 2, "write_quorum": 1, "rpo_seconds": {seconds}, "region_lock": ["FI", "DE"]}}'
        await metadata.sql(
            "INSERT INTO policies (level, subject, document) VALUES ($1, $2, $3)", level, subjects[level], document
        )
    first, _ = await put(metadata, bucket, 1), await put(metadata, bucket, 2)
    await metadata.sql(f"{aged(100)} WHERE version_id = '{first}'")
    assert (await measure_backends(metadata.database))[0].late == late
    [owing] = await list_owing_buckets(metadata.database, None, None, 10)
    promised = [*levels.values()][-1] if levels else None
    assert (owing.tenant_id, owing.bucket, owing.copies, owing.bytes, owing.late, owing.rpo_seconds) == (
        "acme", "photos", 2, 3, late, promised,
    )  # fmt: skip


@pytest.mark.servers
async def test_only_indexes_of_what_is_owed_are_read(metadata, bucket):
    await put(metadata, bucket, 10)
    await metadata.sql(
        """INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state)
           SELECT bucket_id, gen_random_uuid(), 'fi', 'ns', 'k', 'verified' FROM buckets, generate_series(1, 5000)"""
    )
    async with metadata.database._pool.acquire() as connection:
        for table in ("replicas", "outbox"):
            await connection.execute(f"VACUUM ANALYZE {table}")
        for name in ("measure_backends", "measure_outbox"):
            plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN " + QUERIES[name]))
            assert "Seq Scan on replicas" not in plan, plan
            assert "Seq Scan on outbox" not in plan, plan
            if name == "measure_backends":
                for index in ("replicas_owed_copies", "replicas_owed_removals", "replicas_parked"):
                    assert f"Index Only Scan using {index}" in plan, plan
            else:
                assert "Index Only Scan using outbox_" in plan, plan


@pytest.mark.servers
async def test_only_the_one_that_holds_the_lease_shows_it(metadata, bucket):
    await put(metadata, bucket, 10)
    settings = metadata.context.settings.model_copy(update={"measure_seconds": 0.05})
    await metadata.sql("INSERT INTO leases VALUES ('measure', 'another', now() + interval '1 hour')")
    running = asyncio.create_task(run_measuring(dataclasses.replace(metadata.context, settings=settings)))
    try:
        await metadata.sql("SELECT 1")
        assert shown() is None
        await metadata.sql("DELETE FROM leases")
        async with asyncio.timeout(20):
            while shown() is None:  # noqa: ASYNC110 - a server's state has no event to wait for
                await asyncio.sleep(0.02)
        assert shown() == 1.0
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert shown() is None


def shown() -> float | None:
    return REGISTRY.get_sample_value("domicile_owed_copies", {"backend": "de"})


def test_quantiles_are_those_of_the_newest():
    recent = RecentCopies()
    assert recent.of("de") == NOTHING
    for second in range(2000):
        recent.note("de", float(second))
    assert recent.of("de") == Recent(1000, 1499.0, 1989.0)
    recent.note("fi", 3.0)
    assert recent.of("fi") == Recent(1, 3.0, 3.0)
