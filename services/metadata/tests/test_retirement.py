"""Physical buckets of logical ones that are gone go out of use, and their names are never used again."""

from __future__ import annotations

import asyncio

import pytest

from domicile_common.metadata_client.models import Abort, CreateBucket, DeleteBucket, Locate, Report
from domicile_common.metadata_client.rebuild import FindHome, Found, RestoreBucket, RestoreVersions
from domicile_common.metadata_client.retirement import NoteRemoved, Retire
from domicile_common.metadata_client.scrub import CompareBlobs, Listed, ListNamespaces
from domicile_common.model import Digest, Facts, Version
from domicile_common.stamps import make_stamp
from domicile_metadata.services.names import physical_name
from domicile_metadata.services.placement import explain_names, explain_namespace
from domicile_metadata.storage import buckets, retirement

pytestmark = pytest.mark.servers

DELETION = DeleteBucket(tenant_id="acme", name="photos")


async def retire(metadata, namespace: str) -> bool:
    return (await metadata.ask(Retire(backend_id="fi", namespace=namespace))).is_free


async def scrubbed(metadata) -> dict[str, str]:
    """What a scrub goes through: physical bucket → bucket id."""
    return {it.namespace: it.bucket_id for it in (await metadata.ask(ListNamespaces(backend_id="fi"))).namespaces}


async def test_what_is_still_referred_to_stays_in_use(metadata):
    bucket = await metadata.make_bucket()
    name = bucket.namespaces["fi"]
    assert not await retire(metadata, name)
    assert not await retire(metadata, "somebody-elses")
    intent = await metadata.begin(bucket, "k")
    await metadata.sql("UPDATE intents SET decision = jsonb_set(decision, '{write}', '[\"fi\"]')")
    await metadata.ask(Abort(bucket_id=bucket.bucket_id, version_id=intent.version_id))
    await metadata.ask(DELETION)
    assert not await retire(metadata, name), "its blob may be there"
    about = {"bucket_id": bucket.bucket_id, "version_id": intent.version_id, "backend_id": "fi", "outcome": "deleted"}
    await metadata.ask(Report(**about))
    assert not await retire(metadata, name), "somebody may still be writing"
    await metadata.sql("UPDATE replicas SET changed_at = now() - interval '1 day'")
    await metadata.ask(Report(**about))
    assert await metadata.sql("SELECT FROM retired_namespaces") == []
    assert await retire(metadata, name)


async def test_a_name_that_is_out_of_use_is_never_used_again(metadata):
    first = await metadata.make_bucket()
    await metadata.ask(DELETION)
    assert all([await retire(metadata, first.namespaces["fi"]) for _ in range(2)])
    (shown,) = (await explain_names(metadata.context, "acme", "photos", "fi")).namespaces
    second = await metadata.make_bucket()
    assert second.namespaces["fi"] == shown.namespace != first.namespaces["fi"]
    assert shown.counter == 1
    assert {name: second.namespaces[name] for name in ("de", "us")} == {name: first.namespaces[name] for name in ("de", "us")}
    await metadata.ask(DELETION)
    assert await retire(metadata, second.namespaces["fi"])
    third = await metadata.make_bucket()
    names = {it.namespaces["fi"] for it in (first, second, third)}
    assert len(names) == 3
    assert await scrubbed(metadata) == dict.fromkeys(names, "") | {third.namespaces["fi"]: third.bucket_id}
    (was,) = (await explain_namespace(metadata.context, first.namespaces["fi"])).namespaces
    assert (was.bucket, was.counter, was.computed) == ("photos", 0, was.namespace)


async def test_one_that_was_removed_is_looked_at_for_a_week(metadata):
    bucket = await metadata.make_bucket()
    name = bucket.namespaces["fi"]
    await metadata.ask(DELETION)
    await metadata.ask(NoteRemoved(backend_id="fi", namespace=name))
    assert name in await scrubbed(metadata), "it was not out of use"
    await retire(metadata, name)
    await metadata.ask(NoteRemoved(backend_id="fi", namespace=name))
    assert name in await scrubbed(metadata)
    await metadata.sql("UPDATE retired_namespaces SET removed_at = removed_at - interval '8 days'")
    assert name not in await scrubbed(metadata)


async def until_waiting(metadata) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(20):
        while not await metadata.sql(waiting):  # noqa: ASYNC110 -- only PostgreSQL can tell
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("comes_about", [True, False])
async def test_a_bucket_that_is_just_being_made_keeps_its_name(metadata, comes_about):
    bucket = await metadata.make_bucket()
    await metadata.ask(DELETION)
    async with metadata.database._pool.acquire() as connection:
        making = connection.transaction()
        await making.start()
        await connection.execute("INSERT INTO buckets VALUES ($1, 'acme', 'photos', '')", "1" * 32)
        retiring = asyncio.create_task(retire(metadata, bucket.namespaces["fi"]))
        await until_waiting(metadata)
        await (making.commit if comes_about else making.rollback)()
    assert await retiring is not comes_about


async def test_whoever_makes_a_bucket_meanwhile_gets_another_name(metadata):
    bucket = await metadata.make_bucket()
    await metadata.ask(DELETION)
    async with metadata.database._pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE retired_namespaces IN SHARE MODE")  # the retirement stops before its last step
        retiring = asyncio.create_task(retire(metadata, bucket.namespaces["fi"]))
        await until_waiting(metadata)
        making = asyncio.create_task(metadata.ask(CreateBucket(tenant_id="acme", name="photos")))
        done, _ = await asyncio.wait([making], timeout=0.5)
        assert not done
    assert await retiring
    assert (await making).namespaces["fi"] != bucket.namespaces["fi"]


async def test_a_name_that_is_proposed_while_it_goes_out_of_use_is_not_used(metadata):
    """Two transactions at once: whoever proposes it waits for the other one, and saw nothing of it before."""
    bucket = await metadata.make_bucket()
    await metadata.ask(DELETION)
    name = bucket.namespaces["fi"]
    async with metadata.database.transaction() as retiring:
        await retirement.retire(retiring, "fi", name)
        proposing = asyncio.create_task(buckets.propose_namespaces(metadata.database, "acme", "photos", {"fi": name}, 0))
        await until_waiting(metadata)
    assert "fi" not in await proposing
    assert "fi" in await buckets.propose_namespaces(metadata.database, "acme", "photos", {"fi": "another"}, 1)


async def test_a_physical_bucket_in_which_a_rebuild_found_copies_stays_until_they_are_gone(metadata):
    """It has one of a later name beside it, which is in use: the record comes from a backup, say, from before that."""
    bucket = await metadata.make_bucket()
    asked = {"backend_id": "fi", "tenant_id": "acme", "bucket": "photos"}
    first, later = (physical_name(metadata.context, "acme", "photos", ("fi", "nord"), counter) for counter in (0, 7))
    assert bucket.namespaces["fi"] == first
    counters = {"counters": {"fi": 7}, "earlier": {"fi": (3, 0)}}
    request = RestoreBucket(tenant_id="acme", bucket="photos", backends=("fi", "de"), **counters)
    for _ in range(2):
        assert (await metadata.ask(request)).reason == ""
    found = {it.backend_id: it.namespace for it in (await explain_names(metadata.context, "acme", "photos", "fi")).namespaces}
    assert found == {"fi": later}
    assert (await metadata.ask(FindHome(namespace=first, **asked))).reason == ""
    version = Version(bucket.bucket_id, "k", "1" * 32, bucket.created_at, Facts(), Digest(3, "0" * 32))
    stamp = make_stamp(version, tenant_id="acme", bucket="photos", policy_version=1)
    blobs = (Found(f"k/{version.version_id}", stamp),)
    assert (await metadata.ask(RestoreVersions(backend_id="fi", namespace=first, blobs=blobs))).refused == {}
    located = await metadata.ask(Locate(bucket_id=bucket.bucket_id, key="k"))
    assert [it.blob.namespace for it in located.replicas] == [first]
    listed = (Listed(f"k/{version.version_id}", 3), Listed(f"l/{'2' * 32}", 3))
    compared = await metadata.ask(CompareBlobs(task_id="1" * 32, backend_id="fi", namespace=first, blobs=listed))
    assert [it.key for it in compared.strangers] == [f"l/{'2' * 32}"], "the other one is known"
    assert not await retire(metadata, first)
    assert (await scrubbed(metadata))[later] == bucket.bucket_id
    await metadata.sql("DELETE FROM versions")
    await metadata.sql("DELETE FROM objects")
    await metadata.ask(DELETION)
    assert not await retire(metadata, first), "its blob may be there"
    await metadata.sql("DELETE FROM replicas")
    assert await retire(metadata, first)
    assert "out of use" in (await metadata.ask(FindHome(namespace=first, **asked))).reason
    assert (await metadata.ask(FindHome(namespace=later, **asked))).reason == ""


async def test_a_rebuild_finds_the_name_that_was_in_use(metadata):
    """The record comes from a backup of before."""
    bucket = await metadata.make_bucket()
    await metadata.ask(DELETION)
    await retire(metadata, bucket.namespaces["fi"])
    second = (await metadata.make_bucket()).namespaces
    await metadata.ask(DELETION)
    await metadata.sql("DELETE FROM namespaces WHERE backend_id = 'de'")
    await metadata.sql("UPDATE namespaces SET counter = 0, namespace = $1 WHERE backend_id = 'fi'", bucket.namespaces["fi"])
    await metadata.sql("DELETE FROM retired_namespaces")
    asked = {"backend_id": "fi", "tenant_id": "acme", "bucket": "photos"}
    assert (await metadata.ask(FindHome(namespace=bucket.namespaces["fi"], **asked))).counter == 0
    found = await metadata.ask(FindHome(namespace=second["fi"], **asked))
    assert (found.reason, found.counter) == ("", 1)
    request = RestoreBucket(tenant_id="acme", bucket="photos", backends=("fi", "de"), counters={"fi": 1, "de": 0})
    for _ in range(2):
        assert (await metadata.ask(request)).reason == ""
    rows = await metadata.sql("SELECT backend_id, namespace FROM namespaces")
    assert {row[0]: row[1] for row in rows} == second
