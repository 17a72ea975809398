import asyncio

import asyncpg
import msgspec
import pytest

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import (
    Abort,
    ChangeVersion,
    Delete,
    DeleteBucket,
    Locate,
    Report,
    Reported,
    Stored,
    Wanted,
)
from domicile_common.retry import SCHEDULES

pytestmark = pytest.mark.servers

MOST = SCHEDULES["mismatch"].attempts


@pytest.fixture
async def version(metadata):
    """A version that is verified in ``us`` and wanted in ``fi``."""
    bucket = await metadata.make_bucket()
    return (await metadata.put(bucket, "k")).version


def wanted(version, backend_id):
    return Wanted(bucket_id=version.bucket_id, version_id=version.version_id, backend_id=backend_id)


def report(version, backend_id, outcome, **fields):
    return Report(bucket_id=version.bucket_id, version_id=version.version_id, backend_id=backend_id, outcome=outcome, **fields)


async def replica(metadata, version, backend_id):
    rows = await metadata.sql(
        "SELECT *, next_attempt_at - now() AS due_in FROM replicas WHERE version_id = $1 AND backend_id = $2",
        version.version_id,
        backend_id,
    )
    return rows[0] if rows else None


async def test_a_copy_is_described_with_all_that_it_needs(metadata, version):
    work = await metadata.ask(wanted(version, "fi"))
    assert work.action == "copy"
    assert work.target.backend_id == "fi"
    assert [source.backend_id for source in work.sources] == ["us"]
    assert work.sources[0].blob_key == work.target.blob_key
    assert work.version == version
    assert (work.tenant_id, work.bucket, work.attempt, work.countries) == ("acme", "photos", 0, None)
    assert work.policy_version > 0


async def test_nothing_is_wanted_of_what_is_done_or_unknown(metadata, version):
    answers = await metadata.ask_all(
        wanted(version, "us"),
        wanted(version, "de"),
        Wanted(bucket_id="?", version_id="?", backend_id="fi"),
        wanted(version, "fi"),
        wanted(version, "fi"),
    )
    assert [work.action for work in answers] == ["none", "none", "none", "copy", "copy"]


async def test_each_verification_is_noted(metadata, version):
    assert (await replica(metadata, version, "us"))["verified_at"] is None  # not since it came into its state
    before = await replica(metadata, version, "us")
    await metadata.ask(report(version, "us", "verified"))
    first = await replica(metadata, version, "us")
    assert first["verified_at"] > first["changed_at"] == before["changed_at"]
    await metadata.ask_all(report(version, "us", "verified"), report(version, "us", "stamped"))
    second = await replica(metadata, version, "us")
    assert second["verified_at"] > first["verified_at"]
    await metadata.ask(report(version, "fi", "failed", error_class="unavailable", reason="away"))
    assert (await replica(metadata, version, "fi"))["verified_at"] is None


async def test_nothing_is_copied_to_where_it_must_not_be(metadata, version):
    await metadata.sql("UPDATE buckets SET countries = '{US}'")
    assert (await metadata.ask(wanted(version, "fi"))).action == "none"
    await metadata.sql("UPDATE buckets SET countries = '{US,FI}'")
    work = await metadata.ask(wanted(version, "fi"))
    assert (work.action, work.countries) == ("copy", ("US", "FI"))
    await metadata.sql("UPDATE backends SET state = 'readonly' WHERE backend_id = 'fi'")
    assert (await metadata.ask(wanted(version, "fi"))).action == "none"


async def test_sources_inside_the_lock_come_first(metadata, version):
    """One outside is a source as well: the copy inside is made so that it can be removed."""
    await metadata.sql(
        "INSERT INTO replicas SELECT bucket_id, version_id, 'de', 'n', blob_key, 'verified' FROM replicas WHERE state = 'wanted'"
    )
    await metadata.sql("UPDATE buckets SET countries = '{FI,DE}'")
    work = await metadata.ask(wanted(version, "fi"))
    assert (work.action, [source.backend_id for source in work.sources]) == ("copy", ["de", "us"])


async def test_an_unverified_copy_that_came_to_lie_outside_the_lock_may_be_moved(metadata, version):
    """What was adopted is believed only when a copy of it was made; that its source lies outside meanwhile must not undo the copy."""
    await metadata.sql("UPDATE replicas SET state = 'stored' WHERE backend_id = 'us'")
    await metadata.sql("UPDATE buckets SET countries = '{FI,DE}'")
    assert await metadata.ask(report(version, "fi", "verified", source="us")) == Reported()
    assert await metadata.replicas(version.version_id) == {"us": "verified", "fi": "verified"}
    with pytest.raises(asyncpg.CheckViolationError, match="outside the lock"):
        await metadata.sql("UPDATE replicas SET state = 'lost' WHERE backend_id = 'us'")
    with pytest.raises(asyncpg.CheckViolationError, match="outside the lock"):
        await metadata.sql("UPDATE replicas SET backend_id = 'us' WHERE backend_id = 'fi'")


@pytest.mark.parametrize("state", ["disabled", "lost"])
async def test_nobody_reads_from_or_works_for_a_backend_out_of_service(metadata, version, state):
    await metadata.sql(f"UPDATE backends SET state = '{state}' WHERE backend_id = 'us'")
    assert (await metadata.ask(wanted(version, "fi"))).sources == ()
    assert (await metadata.ask(Locate(bucket_id=version.bucket_id, key="k"))).replicas == ()
    await metadata.ask(Delete(bucket_id=version.bucket_id, key="k"))
    assert (await metadata.ask(wanted(version, "us"))).action == "none"


async def test_a_report_about_another_blob_changes_nothing(metadata, version):
    """The replica was removed and wanted again while a copy of the first one was under way: its blob is to be taken back."""
    before = await replica(metadata, version, "fi")
    stale = f"k/{version.version_id}~r0a"
    assert await metadata.ask(report(version, "fi", "verified", blob_key=stale)) == Reported(gone=True)
    assert await metadata.ask(report(version, "fi", "deleted", blob_key=stale)) == Reported()
    assert (await replica(metadata, version, "fi"))["state"] == "wanted"
    assert await metadata.ask(report(version, "fi", "verified", blob_key=before["blob_key"])) == Reported()
    assert (await replica(metadata, version, "fi"))["state"] == "verified"


async def looked_once(metadata) -> None:
    """A while ago."""
    await metadata.sql("UPDATE replicas SET changed_at = now() - interval '1 hour' WHERE looks = 1")


async def test_what_may_have_a_writer_at_work_is_confirmed_twice(metadata, version):
    """A copy to ``fi`` may be under way; whoever makes it may finish after the removal, and die."""
    await metadata.ask(Delete(bucket_id=version.bucket_id, key="k"))
    await metadata.ask_all(report(version, "us", "deleted"), report(version, "fi", "deleted"))
    assert await replica(metadata, version, "us") is None
    left = await replica(metadata, version, "fi")
    assert (left["state"], left["attempt"]) == ("deleting", 0)
    assert 800 < left["due_in"].total_seconds() <= 900
    await metadata.ask(report(version, "fi", "deleted"))  # the same once more
    assert await replica(metadata, version, "fi") is not None
    await looked_once(metadata)
    assert (await metadata.ask(wanted(version, "fi"))).action == "delete"
    await metadata.ask(report(version, "fi", "deleted"))
    assert await replica(metadata, version, "fi") is None
    assert len(await metadata.sql("SELECT FROM removals")) == 2


async def test_so_is_a_blob_beside_which_a_stamp_may_be_under_way(metadata, version):
    await metadata.ask_all(report(version, "fi", "verified", stamped=True), report(version, "us", "verified", stamped=True))
    await metadata.sql("UPDATE replicas SET stamped = false, next_attempt_at = now() WHERE backend_id = 'us'")
    await metadata.ask(Delete(bucket_id=version.bucket_id, key="k"))
    assert {row["backend_id"]: row["looks"] for row in await metadata.sql("SELECT backend_id, looks FROM replicas")} == {
        "fi": 0,
        "us": 2,
    }


async def test_so_is_what_a_write_that_ended_may_have_left(metadata):
    intent = await metadata.begin(await metadata.make_bucket(), "a")
    await metadata.ask(Abort(bucket_id=intent.bucket_id, version_id=intent.version_id))
    assert {row["looks"] for row in await metadata.sql("SELECT looks FROM replicas")} == {2}


async def test_every_removal_is_noted(metadata, version):
    await metadata.ask(report(version, "fi", "verified"))
    await metadata.ask(Delete(bucket_id=version.bucket_id, key="k"))
    await metadata.ask(DeleteBucket(tenant_id="acme", name="photos"))
    for _ in range(2):
        await metadata.ask_all(report(version, "fi", "deleted"), report(version, "us", "deleted"))
    rows = await metadata.sql("SELECT * FROM removals ORDER BY backend_id")
    assert [(row["backend_id"], row["country"], row["is_confirmed"]) for row in rows] == [("fi", "FI", True), ("us", "US", True)]
    for row in rows:
        assert (row["tenant_id"], row["bucket"], row["key"], row["version_id"].hex) == (
            "acme",
            "photos",
            b"k",
            version.version_id,
        )
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await metadata.sql("UPDATE removals SET is_confirmed = false")


async def test_a_verified_copy_is_done_with(metadata, version):
    for _ in range(2):
        assert await metadata.ask(report(version, "fi", "verified", etag="e")) == Reported()
        row = await replica(metadata, version, "fi")
        assert (row["state"], row["attempt"], row["next_attempt_at"], row["parked_reason"]) == ("verified", 0, None, None)
    assert (await metadata.ask(wanted(version, "fi"))).action == "none"


async def test_a_copy_without_a_whole_stamp_owes_one(metadata, version):
    await metadata.ask(report(version, "fi", "verified", stamped=False))
    assert (await replica(metadata, version, "fi"))["due_in"].total_seconds() <= 0
    assert (await metadata.ask(wanted(version, "fi"))).action == "stamp"
    await metadata.ask(report(version, "fi", "stamped"))
    assert (await metadata.ask(wanted(version, "fi"))).action == "none"
    assert (await replica(metadata, version, "fi"))["next_attempt_at"] is None


async def test_whoever_writes_a_stamp_while_it_changes_owes_another(metadata, version):
    """Before the change a copy (fi) and a sidecar (us) were begun."""
    change = ChangeVersion(bucket_id=version.bucket_id, key="k", version_id=version.shown_id, tags={"a": "1"})
    await metadata.ask(change)
    begun = {backend_id: await metadata.ask(wanted(version, backend_id)) for backend_id in ("fi", "us")}
    assert [work.action for work in begun.values()] == ["copy", "stamp"]
    await metadata.ask(msgspec.structs.replace(change, tags={"a": "2"}))
    await metadata.ask(report(version, "fi", "verified", revision=begun["fi"].revision))
    await metadata.ask(report(version, "us", "stamped", revision=begun["us"].revision))
    for backend_id in ("fi", "us"):
        work = await metadata.ask(wanted(version, backend_id))
        assert (work.action, work.version.facts.tags) == ("stamp", {"a": "2"})
        await metadata.ask(report(version, backend_id, "stamped", revision=work.revision))
        assert (await metadata.ask(wanted(version, backend_id))).action == "none"


async def test_a_stamp_is_wanted_of_what_was_stored_without(metadata):
    intent = await metadata.begin(await metadata.make_bucket(), "k")
    committed = await metadata.ask(metadata.commit(intent, stored=(Stored("us", "e", stamped=False),)))
    work = await metadata.ask(wanted(committed.version, "us"))
    assert work.action == "stamp"
    assert work.version == committed.version


async def test_failures_wait_longer_and_longer_and_then_park(metadata, version):
    reported = []
    for attempt in range(1, MOST + 1):
        reported.append(await metadata.ask(report(version, "fi", "failed", error_class="mismatch", reason="other bytes")))
        assert (await replica(metadata, version, "fi"))["attempt"] == attempt
    assert [answer.parked for answer in reported] == [False] * (MOST - 1) + [True]
    row = await replica(metadata, version, "fi")
    assert row["parked_reason"] == "mismatch: other bytes"
    assert row["next_attempt_at"] is None
    work = await metadata.ask(wanted(version, "fi"))  # an operator replays it
    assert (work.action, work.attempt) == ("copy", MOST)
    await metadata.ask(report(version, "fi", "verified"))
    row = await replica(metadata, version, "fi")
    assert (row["state"], row["parked_reason"], row["attempt"]) == ("verified", None, 0)


async def test_a_failure_of_what_is_not_owed_changes_nothing(metadata, version):
    before = await replica(metadata, version, "us")
    assert await metadata.ask(report(version, "us", "failed", error_class="mismatch")) == Reported()
    after = await replica(metadata, version, "us")
    assert dict(before.items()) == dict(after.items())


async def test_a_copy_that_another_worker_may_have_spoilt_is_doubted(metadata, version):
    await metadata.ask(report(version, "fi", "verified"))
    await metadata.ask(report(version, "fi", "failed", error_class="unavailable", unsure=True))
    assert (await replica(metadata, version, "fi"))["state"] == "lost"
    work = await metadata.ask(wanted(version, "fi"))
    assert (work.action, work.suspect) == ("copy", True)
    await metadata.ask(report(version, "fi", "verified"))
    assert (await replica(metadata, version, "fi"))["state"] == "verified"


async def test_a_long_copy_is_not_overdue(metadata, version):
    await metadata.sql("UPDATE replicas SET next_attempt_at = now() WHERE backend_id = 'fi'")
    await metadata.ask(report(version, "fi", "working"))
    assert (await replica(metadata, version, "fi"))["due_in"].total_seconds() > 20


async def test_removed_blobs_leave_no_row(metadata, version):
    await metadata.ask(report(version, "fi", "verified"))
    assert await metadata.ask(report(version, "fi", "deleted")) == Reported()  # nobody asked for it
    assert await replica(metadata, version, "fi") is not None
    await metadata.ask(Delete(bucket_id=version.bucket_id, key="k"))
    await metadata.ask(DeleteBucket(tenant_id="acme", name="photos"))  # removals outlive their bucket
    for backend_id in ("us", "fi"):
        work = await metadata.ask(wanted(version, backend_id))
        assert (work.action, work.version, work.target.backend_id) == ("delete", None, backend_id)
        assert work.target.blob_key
        for _ in range(2):
            assert await metadata.ask(report(version, backend_id, "deleted")) == Reported()
            assert await replica(metadata, version, backend_id) is None
        assert (await metadata.ask(wanted(version, backend_id))).action == "none"


async def test_a_late_copy_does_not_revive_what_is_being_removed(metadata, version):
    await metadata.ask(Delete(bucket_id=version.bucket_id, key="k"))
    assert await metadata.ask(report(version, "fi", "verified")) == Reported()
    assert (await replica(metadata, version, "fi"))["state"] == "deleting"
    await metadata.ask(report(version, "fi", "deleted"))
    await looked_once(metadata)
    await metadata.ask(report(version, "fi", "deleted"))
    for outcome in ("verified", "working", "failed"):
        assert await metadata.ask(report(version, "fi", outcome)) == Reported(gone=True, stop=outcome == "working")


async def test_a_copy_outside_the_lock_is_not_believed_and_holds_nobody_up(metadata, version):
    await metadata.sql("UPDATE buckets SET countries = '{US}'")
    answers = await metadata.ask_all(report(version, "fi", "verified"), report(version, "us", "verified"))
    assert isinstance(answers[0], RequestError)
    assert answers[1] == Reported()
    assert (await replica(metadata, version, "fi"))["state"] == "wanted"


async def test_reports_and_overwrites_at_once_never_wait_in_a_circle(metadata):
    bucket = await metadata.make_bucket()
    versions = [(await metadata.put(bucket, f"k{i}")).version for i in range(10)]
    reports = [report(version, backend_id, "verified") for version in versions for backend_id in ("fi", "us")]
    intents = [await metadata.begin(bucket, f"k{i}") for i in range(10)]
    commits = [metadata.commit(intent) for intent in intents]
    answers = await asyncio.gather(
        *(metadata.ask_all(*order) for order in (reports, reports[::-1], commits, reports[7:] + reports[:7], reports))
    )
    assert not [answer for batch in answers for answer in batch if isinstance(answer, Exception)]
    for version in versions:
        assert set((await metadata.replicas(version.version_id)).values()) == {"deleting"}


async def test_failures_are_kept_until_the_work_is_done(metadata, version):
    async def failures():
        return msgspec.json.decode((await replica(metadata, version, "fi"))["failures"] or "[]")

    for number in range(12):
        await metadata.ask(report(version, "fi", "failed", error_class="unavailable", reason=f"no answer {number}"))
    kept = await failures()
    assert [failure["reason"] for failure in kept] == [f"no answer {number}" for number in range(2, 12)]
    assert all(failure["error_class"] == "unavailable" and failure["at"] < failure["next_attempt_at"] for failure in kept)
    await metadata.ask(report(version, "fi", "working"))
    assert await failures() == kept
    for _ in range(20):
        await metadata.ask(report(version, "fi", "failed", error_class="mismatch", reason="3 of 5 bytes"))
    assert (await failures())[-1]["next_attempt_at"] is None  # parked
    await metadata.ask(report(version, "fi", "verified", stamped=False))
    assert len(await failures()) == 10  # its stamp is still owed
    await metadata.ask(report(version, "fi", "stamped"))
    assert await failures() == []
