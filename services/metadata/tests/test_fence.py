"""Workers with the same job, whose reports are late or come in another order than what they tell of (docs/adr/0049)."""

import msgspec
import pytest

from domicile_common.metadata_client.models import ChangeVersion, Delete, Locate, Report, Reported, Wanted
from domicile_common.metadata_client.scrub import Finding, ReportFindings
from domicile_metadata.domain.ids import uuid7

pytestmark = pytest.mark.servers

NOT_WRITABLE = ("UPDATE backends SET state = 'readonly' WHERE backend_id = 'fi'", "UPDATE buckets SET countries = '{US}'")


class World:
    """A version that is verified in ``us`` and wanted in ``fi``."""

    def __init__(self, metadata, version) -> None:
        self.metadata = metadata
        self.version = version

    async def begin(self, backend_id: str):
        """What a worker is told now."""
        about = {"bucket_id": self.version.bucket_id, "version_id": self.version.version_id}
        return await self.metadata.ask(Wanted(**about, backend_id=backend_id))

    async def end(self, work, outcome: str, **fields) -> Reported:
        report = Report(
            bucket_id=self.version.bucket_id,
            version_id=self.version.version_id,
            backend_id=work.target.backend_id,
            outcome=outcome,
            blob_key=work.target.blob_key,
            revision=work.revision,
            fence=work.fence,
            namespace=work.target.namespace,
            **fields,
        )
        return await self.metadata.ask(report)

    async def fail(self, work, error_class: str = "unavailable") -> Reported:
        return await self.end(work, "failed", error_class=error_class, unsure=True)

    async def row(self, backend_id: str):
        rows = await self.metadata.sql(
            "SELECT *, next_attempt_at - now() AS due_in FROM replicas WHERE version_id = $1 AND backend_id = $2",
            self.version.version_id,
            backend_id,
        )
        return rows[0] if rows else None

    async def state(self, backend_id: str) -> str | None:
        row = await self.row(backend_id)
        return row and row["state"]

    async def delete(self) -> None:
        await self.metadata.ask(Delete(bucket_id=self.version.bucket_id, key="k"))

    async def a_while_passes(self) -> None:
        await self.metadata.sql("UPDATE replicas SET changed_at = now() - interval '1 hour' WHERE looks = 1")


@pytest.fixture
async def world(metadata):
    return World(metadata, (await metadata.put(await metadata.make_bucket(), "k")).version)


async def test_what_was_verified_before_another_worker_may_have_spoilt_it_is_looked_at_again(world):
    one, other = await world.begin("fi"), await world.begin("fi")
    await world.fail(
        other
    )  # where a backend checks nothing, its bytes may have taken the place of those that ``one`` has verified
    await world.end(one, "verified")
    row = await world.row("fi")
    assert (row["state"], row["due_in"].total_seconds() <= 0) == ("wanted", True)
    again = await world.begin("fi")
    assert again.attempt == 1  # so it looks before it sends anything
    await world.end(again, "verified")
    assert await world.state("fi") == "verified"


async def test_what_was_verified_before_a_scrub_missed_it_is_not_believed(world):
    slow, work = await world.begin("fi"), await world.begin("fi")
    await world.end(work, "verified")
    about = {"bucket_id": world.version.bucket_id, "version_id": world.version.version_id}
    finding = Finding(kind="missing", blob=work.target, done="repair", **about)
    task = uuid7(world.metadata.context.clock(), world.metadata.context.entropy(10))
    await world.metadata.sql("INSERT INTO tasks (task_id, kind, parameters) VALUES ($1, 'scrub', '{}')", task)
    await world.metadata.ask(ReportFindings(task_id=task, findings=(finding,)))
    await world.end(slow, "verified")
    assert await world.state("fi") == "lost"
    await world.end(await world.begin("fi"), "verified")
    assert await world.state("fi") == "verified"


async def test_a_late_answer_is_no_reason_to_doubt_what_a_later_look_has_found(world):
    slow = await world.begin("fi")
    await world.fail(await world.begin("fi"))
    await world.end(await world.begin("fi"), "verified")
    await world.end(slow, "verified")
    assert await world.state("fi") == "verified"


async def test_a_removal_that_looked_before_a_copy_ended_is_done_again(world):
    """Else the blob would stay where the record says that nothing is, and be certified as erased."""
    copying, work = await world.begin("fi"), await world.begin("fi")
    await world.end(work, "verified")
    await world.delete()
    removing = await world.begin("fi")  # it finds that nothing is there; then the other copy comes to its end
    assert await world.end(copying, "verified") == Reported()
    await world.end(removing, "deleted")
    assert await world.state("fi") == "deleting"
    await world.end(await world.begin("fi"), "deleted")
    assert await world.state("fi") is None


async def test_a_first_look_that_is_told_late_is_no_second_one(world):
    await world.delete()
    slow, quick = await world.begin("fi"), await world.begin("fi")
    await world.end(quick, "deleted")
    await world.a_while_passes()
    await world.end(slow, "deleted")
    assert await world.state("fi") == "deleting"
    await world.end(await world.begin("fi"), "deleted")
    assert await world.state("fi") is None


@pytest.mark.parametrize("outcome", ["verified", "failed"])
async def test_what_came_after_its_removal_was_confirmed_is_removed_by_the_record_too(world, outcome):
    """The worker takes it back by itself, but may fail in that, or die."""
    copying, work = await world.begin("fi"), await world.begin("fi")
    await world.end(work, "verified")
    await world.delete()
    await world.end(await world.begin("fi"), "deleted")
    assert await world.state("fi") is None
    assert await world.end(copying, outcome, unsure=outcome == "failed") == Reported(gone=True)
    row = await world.row("fi")
    assert (row["state"], row["looks"], row["blob_key"], row["key"]) == ("deleting", 2, work.target.blob_key, b"k")
    await world.end(await world.begin("fi"), "deleted")
    await world.a_while_passes()
    await world.end(await world.begin("fi"), "deleted")
    assert await world.state("fi") is None


async def test_nothing_is_removed_of_which_the_record_knows_no_removal(world):
    """It may have been restored from a backup that is older than the copy."""
    work = await world.begin("fi")
    await world.metadata.sql("DELETE FROM replicas WHERE backend_id = 'fi'")
    assert await world.end(work, "verified") == Reported(gone=True)
    assert await world.state("fi") is None


async def test_a_copy_that_fails_is_no_failure_of_the_removal(world):
    """It does not come sooner either: reads under way have their time. And what the copy has sent may still come."""
    copying, work = await world.begin("fi"), await world.begin("fi")
    await world.end(work, "verified")
    await world.delete()
    before = await world.row("fi")
    for _ in range(20):
        assert await world.fail(copying, "mismatch") == Reported()
    after = await world.row("fi")
    assert (after["attempt"], after["parked_reason"], after["looks"]) == (0, None, 2)
    assert abs(after["next_attempt_at"] - before["next_attempt_at"]).total_seconds() < 0.001


async def test_a_long_copy_is_told_when_nobody_wants_it_any_more(world):
    copying = await world.begin("fi")
    assert await world.end(copying, "working") == Reported()
    await world.end(await world.begin("fi"), "verified")  # somebody else was quicker
    assert await world.end(copying, "working") == Reported(stop=True)
    await world.delete()
    assert await world.end(copying, "working") == Reported(stop=True)
    await world.end(await world.begin("fi"), "deleted")
    assert await world.end(copying, "working") == Reported(gone=True, stop=True)


@pytest.mark.parametrize("change", NOT_WRITABLE)
async def test_a_long_copy_is_told_when_it_must_not_be_made_there_any_more(world, change):
    copying = await world.begin("fi")
    await world.metadata.sql(change)
    assert await world.end(copying, "working") == Reported(stop=True)
    assert await world.fail(copying) == Reported()
    assert await world.state("fi") == "wanted"


@pytest.mark.parametrize("change", NOT_WRITABLE)
async def test_what_is_doubted_where_nobody_may_write_is_read_on(world, change):
    """Nobody would look at it, so it would be lost to its readers, although it is most probably good."""
    slow, work = await world.begin("fi"), await world.begin("fi")
    await world.end(work, "verified")
    await world.metadata.sql(change)
    assert await world.fail(slow) == Reported()
    assert await world.state("fi") == "stored"


async def test_the_last_copy_does_not_go_when_the_new_one_is_doubted(world):
    """A copy was verified, so the old one goes; then it turns out that another worker may have spoilt it."""
    slow, work = await world.begin("fi"), await world.begin("fi")
    await world.end(work, "verified")
    await world.metadata.sql("UPDATE replicas SET state = 'deleting', next_attempt_at = now() WHERE backend_id = 'us'")
    assert (await world.begin("us")).action == "delete"
    await world.fail(slow)
    assert (await world.begin("us")).action == "none"
    again = await world.begin("fi")
    assert (again.action, [source.backend_id for source in again.sources]) == ("copy", ["us"])
    await world.end(again, "verified")
    assert (await world.begin("us")).action == "delete"
    assert [
        it.blob.backend_id for it in (await world.metadata.ask(Locate(bucket_id=again.version.bucket_id, key="k"))).replicas
    ] == ["fi"]


@pytest.mark.parametrize("outcome", ["stamped", "failed"])
async def test_whoever_was_slow_may_have_written_an_older_stamp_over_the_new_one(world, outcome):
    change = ChangeVersion(bucket_id=world.version.bucket_id, key="k", version_id=world.version.shown_id, tags={"a": "1"})
    await world.metadata.ask(change)
    slow = await world.begin("us")
    await world.metadata.ask(msgspec.structs.replace(change, tags={"a": "2"}))
    await world.end(await world.begin("us"), "stamped")
    assert (await world.begin("us")).action == "none"
    await world.end(slow, outcome)
    again = await world.begin("us")
    assert (again.action, again.version.facts.tags) == ("stamp", {"a": "2"})
    await world.end(again, "stamped")
    assert (await world.begin("us")).action == "none"
