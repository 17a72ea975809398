"""What tenants use is counted as it changes, and nobody gets past a quota, however many try at once."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Abort, CreateBucket, Delete, PutPart, PutVersioning, RegisterUpload
from domicile_common.model import Part
from domicile_metadata.domain.quotas import Room
from domicile_metadata.services import quotas as service
from domicile_metadata.storage import migrate as migrations
from domicile_metadata.storage import quotas
from domicile_metadata.storage.migrate import load_migrations, migrate
from domicile_metadata.storage.quotas import Limits

SERVERS = pytest.mark.servers


async def limit(metadata, **limits):
    await service.put(metadata.context, "acme", Limits(**limits))


async def used(metadata):
    usage = (await service.show(metadata.context, "acme")).usage
    return usage.bytes, usage.objects


async def put(metadata, bucket, key, size):
    return await metadata.ask(metadata.commit(await metadata.begin(bucket, key, size=size), size))


async def refused(asking):
    with pytest.raises(RequestError) as caught:
        await asking
    return caught.value.code


async def fold(metadata):
    async with metadata.database.transaction() as session:
        await quotas.fold(session)


@SERVERS
async def test_usage_follows_writes_overwrites_versions_and_deletions(metadata):
    bucket = await metadata.make_bucket()
    assert await used(metadata) == (0, 0)
    await put(metadata, bucket, "a", 5)
    await put(metadata, bucket, "b", 7)
    assert await used(metadata) == (12, 2)
    await put(metadata, bucket, "a", 1)
    assert await used(metadata) == (8, 2)
    await fold(metadata)
    assert await metadata.sql("SELECT * FROM usage_changes") == []
    assert await used(metadata) == (8, 2)
    await metadata.ask(PutVersioning(bucket_id=bucket.bucket_id, versioning="enabled"))
    made = await put(metadata, bucket, "a", 10)
    assert await used(metadata) == (18, 3)
    await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="a"))
    assert await used(metadata) == (18, 3)
    await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="a", version_id=made.version.version_id))
    assert await used(metadata) == (8, 2)
    await fold(metadata)
    assert await used(metadata) == (8, 2)


@SERVERS
async def test_parts_count_until_they_are_a_version_or_gone(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "a", upload=True)
    uploads = dict.fromkeys(intent.decision.write, "u")
    await metadata.ask(RegisterUpload(bucket_id=bucket.bucket_id, upload_id=intent.version_id, uploads=uploads))
    for number, size in ((1, 5), (2, 6), (2, 4)):
        part = Part(number=number, size=size, etag="e")
        await metadata.ask(PutPart(bucket_id=bucket.bucket_id, upload_id=intent.version_id, part=part))
    assert await used(metadata) == (9, 0)
    await limit(metadata, bytes=12)
    part = PutPart(bucket_id=bucket.bucket_id, upload_id=intent.version_id, part=Part(number=3, size=4, etag="e"))
    assert await refused(metadata.ask(part)) == "QuotaExceeded"
    assert await used(metadata) == (9, 0)
    await metadata.ask(Abort(bucket_id=bucket.bucket_id, version_id=intent.version_id))
    assert await used(metadata) == (0, 0)


@SERVERS
async def test_what_would_exceed_a_quota_is_refused_before_its_bytes_and_at_last_at_its_commit(metadata):
    bucket = await metadata.make_bucket()
    await limit(metadata, bytes=10, objects=2)
    await put(metadata, bucket, "a", 6)
    assert await refused(metadata.begin(bucket, "b", size=5)) == "QuotaExceeded"
    intent = await metadata.begin(bucket, "b", size=4)
    assert await refused(metadata.ask(metadata.commit(intent, 5))) == "QuotaExceeded"
    assert set((await metadata.replicas(intent.version_id)).values()) == {"deleting"}
    assert await used(metadata) == (6, 1)
    await put(metadata, bucket, "b", 4)
    assert await refused(metadata.begin(bucket, "c")) == "QuotaExceeded"
    # What is replaced counts no longer.
    await put(metadata, bucket, "a", 5)
    assert await refused(metadata.begin(bucket, "a", size=7)) == "QuotaExceeded"
    # Whoever is over a quota that was lowered may still use less.
    await limit(metadata, bytes=1)
    await put(metadata, bucket, "a", 2)
    await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="b"))
    assert await used(metadata) == (2, 1)
    await limit(metadata)
    await put(metadata, bucket, "c", 1000)


@SERVERS
async def test_commits_at_once_and_in_one_batch_stay_within_the_quota(metadata):
    bucket = await metadata.make_bucket()
    await limit(metadata, bytes=10)
    intents = [await metadata.begin(bucket, f"k{number}") for number in range(8)]
    together = [metadata.commit(intent) for intent in intents[:2]]
    answers = await asyncio.gather(
        metadata.ask_all(*together), *(metadata.ask_all(metadata.commit(intent)) for intent in intents[2:])
    )
    outcomes = [answer for answered in answers for answer in answered]
    refusals = [answer.code for answer in outcomes if isinstance(answer, RequestError)]
    assert (len(outcomes), refusals) == (8, ["QuotaExceeded"] * 5)
    assert await used(metadata) == (9, 3)


@SERVERS
async def test_no_more_buckets_are_made_than_allowed_however_many_at_once(metadata):
    await limit(metadata, buckets=2)
    answers = await asyncio.gather(*(metadata.ask_all(CreateBucket(tenant_id="acme", name=f"bucket-{n}")) for n in range(4)))
    assert sorted(answer.code for (answer,) in answers if isinstance(answer, RequestError)) == ["TooManyBuckets"] * 2


@SERVERS
async def test_anothers_quota_is_nobody_elses(metadata):
    bucket = await metadata.make_bucket()
    await service.put(metadata.context, "zeta", Limits(bytes=0, objects=0))
    await put(metadata, bucket, "a", 5)
    assert (await service.show(metadata.context, "zeta")).usage.bytes == 0


@SERVERS
async def test_what_was_there_before_is_counted_once(empty_database_url, monkeypatch):
    everything = load_migrations()
    monkeypatch.setattr(migrations, "load_migrations", lambda: tuple(it for it in everything if it.name < "0122"))
    await migrate(empty_database_url, trailing_post=True)
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        """INSERT INTO tenants (tenant_id, name, canonical_id) VALUES ('acme', 'Acme', 'x');
           INSERT INTO buckets (bucket_id, tenant_id, name, location) VALUES (gen_random_uuid(), 'acme', 'photos', '');
           INSERT INTO versions (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null, is_delete_marker)
           SELECT bucket_id, gen_random_uuid(), 'a', 5 * number, '', '', '{}', '{}', '{}', false, number = 3
             FROM buckets, generate_series(1, 3) AS number"""
    )
    monkeypatch.setattr(migrations, "load_migrations", lambda: everything)
    await migrate(empty_database_url, trailing_post=True)
    assert [tuple(row) for row in await connection.fetch("SELECT * FROM current_usage")] == [("acme", 15, 2)]
    await connection.execute("DELETE FROM versions WHERE size = 5")
    assert [tuple(row) for row in await connection.fetch("SELECT * FROM current_usage")] == [("acme", 10, 1)]
    await connection.close()


counts = st.integers(0, 100)
rooms = st.builds(Room, st.just("acme"), st.none() | counts, st.none() | counts, counts, counts)


@given(rooms, counts, st.integers(0, 1))
def test_only_who_adds_beyond_a_quota_is_refused(room, size, more):
    beyond = (room.bytes is not None and size > 0 and room.used_bytes + size > room.bytes) or (
        room.objects is not None and more > 0 and room.used_objects + more > room.objects
    )
    assert (room.objection(size, more) is not None) == beyond
