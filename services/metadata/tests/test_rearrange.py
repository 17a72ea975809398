"""What exists follows its policy and the backends, on a real record; workers are played by reports."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest

from domicile_common.errors import PolicyRefused, Unavailable
from domicile_common.metadata_client.models import Begin, Delete, Locate, Report, Wanted
from domicile_common.model import Facts
from domicile_common.retry import SCHEDULES
from domicile_metadata import rearrange as rearranging
from domicile_metadata.domain.roles import Caller
from domicile_metadata.rearrange import run_rearranger, step
from domicile_metadata.reconcile import reconcile
from domicile_metadata.services import backends, policies, rearrange
from domicile_metadata.services.backends import BackendChange
from domicile_metadata.services.policies import Level

pytestmark = pytest.mark.servers


class World:
    """A bucket of two copies (in the US and FI, which cost least) with all that an operator and the workers do to it."""

    def __init__(self, metadata, bucket) -> None:
        self.metadata = metadata
        self.bucket = bucket

    async def policy(self, **document) -> None:
        await policies.put(self.metadata.context, Caller("operator"), Level("acme", "photos"), json.dumps(document).encode())

    async def state(self, backend_id: str, state: str) -> None:
        await backends.change(self.metadata.context, backend_id, BackendChange(state, force=True))

    async def put(self, key: str, **facts):
        return (await self.metadata.put(self.bucket, key, facts=Facts(**facts))).version

    async def replicas(self, version) -> dict[str, str]:
        return await self.metadata.replicas(version.version_id)

    async def compare(self) -> None:
        """Until nobody has to look at anything."""
        async with asyncio.timeout(30):
            while await step(self.metadata.context):
                pass

    async def work(self) -> int:
        """Every job that is owed ends well: how many did something."""
        done = 0
        await self.metadata.sql("UPDATE replicas SET changed_at = now() - interval '1 hour' WHERE looks = 1")  # a while passes
        rows = await self.metadata.sql("SELECT * FROM replicas WHERE state IN ('wanted', 'lost', 'deleting') OR NOT stamped")
        for row in rows:
            about = {"bucket_id": row["bucket_id"].hex, "version_id": row["version_id"].hex, "backend_id": row["backend_id"]}
            work = await self.metadata.ask(Wanted(**about))
            if work.action == "none" or (work.action == "copy" and not work.sources):
                continue
            outcome = {"copy": "verified", "delete": "deleted", "stamp": "stamped"}[work.action]
            await self.metadata.ask(Report(**about, outcome=outcome, blob_key=work.target.blob_key))
            done += 1
        return done

    async def converge(self) -> None:
        async with asyncio.timeout(30):
            await self.compare()
            while await self.work():
                await self.compare()

    async def unsettled(self) -> list[str | None]:
        """Why each version that is not settled is not."""
        return [row["refusal"] for row in await self.metadata.sql("SELECT refusal FROM unsettled_versions")]

    async def readable(self, key: str) -> list[str]:
        located = await self.metadata.ask(Locate(bucket_id=self.bucket.bucket_id, key=key))
        return [replica.blob.backend_id for replica in located.replicas]


@pytest.fixture
async def world(metadata):
    return World(metadata, await metadata.make_bucket())


async def test_more_copies_are_added_and_fewer_removed(world):
    versions = [await world.put(f"k{i}") for i in range(3)]
    await world.converge()
    await world.policy(replica_count=3)
    await world.compare()
    assert [await world.replicas(version) for version in versions] == [{"us": "verified", "fi": "verified", "de": "wanted"}] * 3
    await world.converge()
    assert [await world.replicas(version) for version in versions] == [dict.fromkeys(("us", "fi", "de"), "verified")] * 3
    await world.policy(replica_count=1)
    await world.compare()
    assert [await world.replicas(version) for version in versions] == [{"us": "verified", "fi": "deleting", "de": "deleting"}] * 3
    await world.converge()
    assert [await world.replicas(version) for version in versions] == [{"us": "verified"}] * 3
    assert await world.unsettled() == []
    (decision,) = {row[0] for row in await world.metadata.sql("SELECT decision FROM versions")}
    assert json.loads(decision)["wanted"] == ["us"]
    assert "rearranged" in json.loads(decision)["reason"]


async def test_a_new_lock_moves_what_lies_outside(world):
    """Not readable there from that moment, copied from there all the same, and removed there only afterwards."""
    version = await world.put("k")
    await world.converge()
    await world.policy(region_lock=["FI", "DE"])
    assert await world.readable("k") == ["fi"]
    await world.compare()
    assert await world.replicas(version) == {"us": "verified", "fi": "verified", "de": "wanted"}
    assert await world.unsettled() == [None]
    await world.converge()
    assert await world.replicas(version) == {"fi": "verified", "de": "verified"}
    assert await world.unsettled() == []
    (removal,) = await world.metadata.sql("SELECT backend_id, key, is_confirmed FROM removals")
    assert tuple(removal) == ("us", b"k", True)


async def test_what_only_lies_outside_is_read_again_when_it_has_come_inside(world):
    await world.policy(replica_count=1)
    version = await world.put("k")
    await world.policy(region_lock=["DE"], replica_count=1)
    assert await world.readable("k") == []
    await world.converge()
    assert (await world.replicas(version), await world.readable("k")) == ({"de": "verified"}, ["de"])


async def test_a_copy_that_fails_keeps_the_one_that_it_replaces(world):
    version = await world.put("k")
    await world.converge()
    await world.policy(region_lock=["FI", "DE"])
    await world.compare()
    about = {"bucket_id": version.bucket_id, "version_id": version.version_id, "backend_id": "de"}
    for _ in range(SCHEDULES["mismatch"].attempts):
        await world.metadata.ask(Report(**about, outcome="failed", error_class="mismatch"))
    await world.compare()
    assert await world.replicas(version) == {"us": "verified", "fi": "verified", "de": "wanted"}
    await world.metadata.ask(Report(**about, outcome="verified", stamped=False))
    await world.compare()
    assert (await world.replicas(version))["us"] == "verified"
    await world.metadata.ask(Report(**about, outcome="stamped"))
    await world.compare()
    assert (await world.replicas(version))["us"] == "deleting"


async def test_a_draining_backend_is_left_by_everything(world):
    versions = [await world.put(f"k{i}") for i in range(3)]
    await world.converge()
    await world.state("us", "draining")
    assert await world.readable("k0") == ["us", "fi"]
    late = await world.put("late")
    await world.converge()
    for version in (*versions, late):
        assert await world.replicas(version) == {"fi": "verified", "de": "verified"}
    assert not await world.metadata.sql("SELECT FROM replicas WHERE backend_id = 'us'")


async def test_a_drain_that_is_called_off_leaves_things_as_they_were(world):
    version = await world.put("k")
    await world.converge()
    await world.state("us", "draining")
    await world.compare()
    await world.state("us", "active")
    await world.converge()
    assert await world.replicas(version) == {"us": "verified", "fi": "verified"}
    assert await world.unsettled() == []


async def test_what_a_lost_backend_held_is_made_anew_and_given_up_there(world):
    version, other = await world.put("k"), await world.put("other")
    await world.converge()
    await world.metadata.ask(Delete(bucket_id=world.bucket.bucket_id, key="other"))
    await world.metadata.sql(
        "UPDATE replicas SET parked_reason = 'away', next_attempt_at = NULL WHERE backend_id = 'us' AND state = 'deleting'"
    )
    await world.state("us", "lost")
    assert await world.readable("k") == ["fi"]
    await world.converge()
    assert await world.replicas(version) == {"us": "deleting", "fi": "verified", "de": "verified"}
    await world.metadata.sql("UPDATE replicas SET next_attempt_at = now() - interval '1 second'")
    await reconcile(world.metadata.database, 30, {"fi": 0, "de": 0, "us": 0})
    assert await world.replicas(version) == {"fi": "verified", "de": "verified"}
    assert await world.replicas(other) == {}
    rows = await world.metadata.sql("SELECT key, backend_id, is_confirmed FROM removals ORDER BY key, backend_id")
    assert [tuple(row) for row in rows] == [(b"k", "us", False), (b"other", "fi", True), (b"other", "us", False)]


async def test_the_only_copy_stays_on_record_when_its_backend_is_lost(world):
    """Nobody can tell whether it comes back; it is never forgotten."""
    await world.policy(replica_count=1)
    version = await world.put("k")
    await world.state("us", "lost")
    await world.converge()
    assert await world.replicas(version) == {"us": "verified", "fi": "wanted"}
    await world.state("us", "active")
    await world.converge()
    assert await world.replicas(version) == {"us": "verified"}
    assert await world.readable("k") == ["us"]


async def test_what_cannot_be_satisfied_says_why_and_is_tried_again_with_other_backends(world):
    version = await world.put("k")
    await world.converge()
    await world.policy(replica_count=2, region_lock=["FI", "DE"])
    await world.state("de", "draining")
    await world.converge()
    assert await world.replicas(version) == {"us": "verified", "fi": "verified"}
    (refusal,) = await world.unsettled()
    assert refusal.startswith("2 replicas need as many backends")
    await world.state("de", "active")
    await world.converge()
    assert await world.replicas(version) == {"fi": "verified", "de": "verified"}
    assert await world.unsettled() == []


async def test_an_object_that_asks_for_copies_keeps_to_them(world):
    one, both = await world.put("one", tags={"replica-count": "1"}), await world.put("both")
    await world.policy(replica_count=3)
    await world.converge()
    assert len(await world.replicas(both)) == 3
    assert await world.replicas(one) == {"us": "verified"}
    await world.state("us", "draining")
    await world.converge()
    assert await world.replicas(one) == {"fi": "verified"}


async def test_a_blob_that_comes_back_has_a_new_key(world):
    """Whatever may still be under way to remove the first one does not meet the second."""
    version = await world.put("k")
    await world.converge()
    await world.policy(region_lock=["FI", "DE"])
    await world.converge()
    await world.policy(region_lock=["US"], replica_count=1)
    await world.converge()
    ((blob,),) = await world.metadata.sql("SELECT blob_key FROM replicas WHERE backend_id = 'us'")
    assert blob.startswith(f"k/{version.version_id}~r")


async def test_a_blob_that_is_being_removed_comes_back_only_afterwards(world):
    version = await world.put("k")
    await world.converge()
    await world.policy(replica_count=1)
    await world.compare()
    assert await world.replicas(version) == {"us": "verified", "fi": "deleting"}
    await world.policy(replica_count=3)
    await world.compare()
    assert await world.replicas(version) == {"us": "verified", "fi": "deleting", "de": "wanted"}
    await world.converge()
    assert set((await world.replicas(version)).values()) == {"verified"}
    assert len(await world.replicas(version)) == 3


async def test_a_write_that_began_before_follows_when_it_is_committed(world):
    intent = await world.metadata.begin(world.bucket, "k")
    dead = await world.metadata.begin(world.bucket, "dead")
    await world.policy(replica_count=3)
    await world.compare()
    version = (await world.metadata.ask(world.metadata.commit(intent))).version
    await world.converge()
    assert set(await world.replicas(version)) == {"us", "fi", "de"}
    await world.metadata.sql("UPDATE unsettled_versions SET due_at = now()")
    await world.compare()
    ((waits,),) = await world.metadata.sql("SELECT due_at > now() FROM unsettled_versions WHERE version_id = $1", dead.version_id)
    assert waits
    await world.metadata.sql("DELETE FROM intents")
    await world.metadata.sql("UPDATE unsettled_versions SET due_at = now()")
    await world.compare()
    assert await world.unsettled() == []


async def test_a_write_to_where_it_must_not_go_any_more_is_tried_again_elsewhere(world):
    intent = await world.metadata.begin(world.bucket, "k")
    await world.policy(region_lock=["FI", "DE"])
    with pytest.raises(Unavailable):
        await world.metadata.ask(world.metadata.commit(intent))
    assert await world.metadata.replicas(intent.version_id) == {"us": "deleting"}
    assert (await world.metadata.ask(Begin(bucket_id=world.bucket.bucket_id, key="k"))).decision.write == ("fi",)


async def test_a_write_that_was_just_being_renewed_ends_as_well(world):
    intent = await world.metadata.begin(world.bucket, "k", upload=True)
    async with world.metadata.database.transaction() as renewing:
        await renewing.execute("renew_intents", [intent.bucket_id], [intent.version_id], 60, 3600)
        await world.policy(region_lock=["FI", "DE"])
        assert not await step(world.metadata.context), "it waits for the row"
    await world.compare()
    assert await world.metadata.sql("SELECT FROM intents") == []
    assert await world.metadata.replicas(intent.version_id) == {"us": "deleting"}


async def test_a_deleted_version_is_left_alone(world):
    version = await world.put("k")
    await world.converge()
    await world.policy(region_lock=["FI", "DE"])
    await world.compare()
    assert await world.unsettled() == [None]
    await world.metadata.ask(Delete(bucket_id=world.bucket.bucket_id, key="k"))
    await world.converge()
    assert await world.replicas(version) == {}
    assert await world.unsettled() == []


async def test_a_locked_version_moves_and_stays(metadata):
    bucket = await metadata.make_bucket()
    await metadata.sql(
        "UPDATE buckets SET versioning = 'enabled', object_lock = true, default_retention_mode = 'COMPLIANCE', default_retention_days = 1"
    )
    world = World(metadata, bucket)
    version = await world.put("k")
    await world.converge()
    await world.policy(region_lock=["FI", "DE"])
    await world.converge()
    assert await world.replicas(version) == {"fi": "verified", "de": "verified"}


async def test_pages_are_compared_once_and_a_crash_repeats_one(world, monkeypatch):
    monkeypatch.setattr(rearranging, "BATCH", 4)
    versions = [await world.put(f"k{i}") for i in range(10)]
    await world.converge()
    await world.policy(replica_count=3)
    seen = []
    compare = rearrange.compare

    async def crashing(context, references):
        changed = await compare(context, references)
        seen.append(len(references))
        if len(seen) == 2:
            raise Unavailable("killed before it is noted")
        return changed

    monkeypatch.setattr(rearranging, "compare", crashing)
    assert await step(world.metadata.context)
    with pytest.raises(Unavailable):
        await step(world.metadata.context)
    await world.compare()
    assert seen == [4, 4, 4, 2]
    assert all([len(await world.replicas(version)) == 3 for version in versions])
    ((compared, changed, finished),) = await world.metadata.sql(
        "SELECT compared, changed, finished_at IS NOT NULL FROM rearrangements"
    )
    assert (compared, changed, finished) == (10, 6, True)
    assert not await step(world.metadata.context)


async def test_a_change_in_the_middle_begins_anew(world, monkeypatch):
    monkeypatch.setattr(rearranging, "BATCH", 4)
    versions = [await world.put(f"k{i}") for i in range(10)]
    await world.converge()
    await world.policy(replica_count=3)
    await step(world.metadata.context)
    await world.policy(replica_count=1)
    await world.converge()
    assert [await world.replicas(version) for version in versions] == [{"us": "verified"}] * 10


async def test_a_version_that_somebody_is_changing_is_looked_at_later(world):
    version = await world.put("k")
    await world.converge()
    await world.policy(replica_count=3)
    async with world.metadata.database.transaction() as session:
        await session.fetch("hold_versions", [version.bucket_id], [version.version_id])
        await world.compare()
        assert "de" not in await world.replicas(version)
    await world.metadata.sql("UPDATE unsettled_versions SET due_at = now()")
    await world.compare()
    assert "de" in await world.replicas(version)


@pytest.mark.parametrize("end", ["replaced", "deleted"])
async def test_what_ends_while_a_copy_of_it_comes_to_be_owed_leaves_nothing_owed(world, monkeypatch, end):
    version = await world.put("k")
    await world.converge()
    await world.policy(replica_count=3)
    want, ending = rearrange.rearrange.want, []

    async def meanwhile(session, blobs):
        await want(session, blobs)
        delete = Delete(bucket_id=world.bucket.bucket_id, key="k")
        ending.append(asyncio.create_task(world.put("k") if end == "replaced" else world.metadata.ask(delete)))
        waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with asyncio.timeout(30):
            while not await world.metadata.sql(waiting):  # noqa: ASYNC110 - PostgreSQL tells nobody
                await asyncio.sleep(0.01)

    monkeypatch.setattr(rearrange.rearrange, "want", meanwhile)
    await step(world.metadata.context)
    await asyncio.gather(*ending)
    assert await world.replicas(version) == dict.fromkeys(("us", "fi", "de"), "deleting")


async def test_a_lock_that_comes_between_undoes_the_comparison(world, monkeypatch):
    version = await world.put("k")
    await world.converge()
    await world.policy(replica_count=3)
    hold = rearrange.rearrange.hold

    async def meanwhile(session, references):
        await world.metadata.sql("UPDATE buckets SET countries = '{FI,US}'")
        return await hold(session, references)

    monkeypatch.setattr(rearrange.rearrange, "hold", meanwhile)
    with pytest.raises(PolicyRefused):
        await step(world.metadata.context)
    assert "de" not in await world.replicas(version)


async def test_comparisons_reports_and_writes_at_once_never_wait_in_a_circle(world):
    versions = [await world.put(f"k{i}") for i in range(20)]
    await world.converge()
    for lock in (["FI", "DE"], ["US", "DE"], ["FI", "US"]):
        await world.policy(region_lock=lock)
        await asyncio.gather(world.compare(), world.work(), world.compare(), world.put("k3"), world.work(), world.put("new"))
        await world.converge()
        for version in versions[4:]:
            assert set(await world.replicas(version)) == {country.lower() for country in lock}


async def test_a_page_is_read_by_indexes_alone(world):
    from domicile_metadata.storage.database import QUERIES

    async with world.metadata.database._pool.acquire() as connection:
        for name, *arguments in (
            ("list_version_ids", "'{}'::uuid".format("0" * 32), "'{}'::uuid".format("0" * 32), "10"),
            ("read_copies", "ARRAY['{}'::uuid]".format("0" * 32), "ARRAY['{}'::uuid]".format("0" * 32)),
        ):
            statement = QUERIES[name]
            for number, argument in enumerate(arguments, 1):
                statement = statement.replace(f"${number}", argument)
            plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN " + statement))
            assert "Seq Scan" not in plan, plan


async def test_the_rearranger_runs(world):
    version = await world.put("k")
    settings = world.metadata.context.settings.model_copy(update={"rearrange_seconds": 0.05})
    running = asyncio.create_task(run_rearranger(dataclasses.replace(world.metadata.context, settings=settings)))
    await world.policy(replica_count=3)
    async with asyncio.timeout(20):
        while len(await world.replicas(version)) < 3:  # noqa: ASYNC110 - a server's state has no event to wait for
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
