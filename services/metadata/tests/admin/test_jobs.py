from __future__ import annotations

import pytest

pytestmark = pytest.mark.servers

PARK = "UPDATE replicas SET parked_reason = 'mismatch: 3 of 5 bytes', attempt = 4 WHERE "


async def prepared_jobs(admin):
    """At ``de`` a copy (parked) and a removal are owed, at ``us`` a lost copy (parked)."""
    await admin.prepared()
    bucket_id = await admin.bucket("papers")
    one = await admin.version(bucket_id, "a", fi="verified", de="wanted", us="lost")
    other = await admin.version(bucket_id, "b", fi="verified", de="deleting")
    await admin.sql.execute(PARK + "state IN ('wanted', 'lost')")
    await admin.sql.execute("DELETE FROM outbox")
    return bucket_id, one, other


async def states(admin, version_id: str) -> dict[str, tuple[str, bool]]:
    rows = await admin.sql.fetch(
        "SELECT backend_id, state, parked_reason IS NOT NULL AS parked FROM replicas WHERE version_id = $1", version_id
    )
    return {row["backend_id"]: (row["state"], row["parked"]) for row in rows}


async def test_owed_and_parked_work_is_shown_by_backend(admin):
    bucket_id, one, other = await prepared_jobs(admin)
    owed = await admin.call("GET", "/jobs")
    assert owed["backlogs"] == [{"backend_id": "de", "owed": 1, "parked": 1}, {"backend_id": "us", "owed": 0, "parked": 1}]
    (job,) = owed["jobs"]
    assert (job["bucket_id"], job["version_id"], job["backend_id"], job["state"]) == (bucket_id, other, "de", "deleting")
    assert (job["tenant_id"], job["bucket"], job["key"], job["action"], job["lane"]) == (
        "acme",
        "papers",
        "b",
        "remove",
        "removal",
    )
    parked = await admin.call("GET", "/jobs", state="parked", backend="us")
    (job,) = parked["jobs"]
    assert (job["version_id"], job["attempt"], job["parked_reason"]) == (one, 4, "mismatch: 3 of 5 bytes")
    assert await admin.call("GET", f"/jobs/{bucket_id}/{one}/us") == job
    await admin.refused(404, "NoSuchJob", "GET", f"/jobs/{bucket_id}/{one}/fi")
    await admin.refused(404, "NoSuchJob", "GET", f"/jobs/x/{one}/fi")


async def test_a_stamp_that_is_owed_is_a_job_too(admin):
    await prepared_jobs(admin)
    await admin.sql.execute("UPDATE replicas SET stamped = false WHERE backend_id = 'fi'")
    assert {"backend_id": "fi", "owed": 2, "parked": 0} in (await admin.call("GET", "/jobs"))["backlogs"]
    assert len((await admin.call("GET", "/jobs", action="stamp"))["jobs"]) == 2


@pytest.mark.parametrize(
    "query, backends",
    [
        ({}, ["de", "de", "us"]),
        ({"backend": "de"}, ["de", "de"]),
        ({"action": "copy"}, ["de", "us"]),
        ({"error_class": "mismatch"}, ["us"]),
        ({"error_class": "refused"}, []),
        ({"tenant": "acme", "bucket": "papers"}, ["de", "de", "us"]),
        ({"tenant": "acme", "bucket": "others"}, []),
        ({"tenant": "globex"}, []),
    ],
    ids=str,
)
async def test_jobs_are_filtered_and_come_in_pages_oldest_first(admin, query, backends):
    await prepared_jobs(admin)
    failure = '[{"at": "2026-01-01T00:00:00Z", "error_class": "mismatch", "reason": "3 of 5 bytes"}]'
    await admin.sql.execute(
        "UPDATE replicas SET failures = $1, changed_at = now() - interval '1 day' WHERE backend_id = 'us'", failure
    )
    found, after = [], ""
    while True:
        page = await admin.call("GET", "/jobs", state="all", limit=1, after=after, **query)
        found += page["jobs"]
        if not (after := page["next"]):
            break
    assert sorted(job["backend_id"] for job in found) == backends
    assert [job["since"] for job in found] == sorted(job["since"] for job in found)
    if "us" in backends:
        assert found[0]["failures"] == [{"at": "2026-01-01T00:00:00Z", "error_class": "mismatch", "reason": "3 of 5 bytes"}]


@pytest.mark.parametrize(
    "query",
    [{"state": "lost"}, {"action": "x"}, {"bucket": "papers"}, {"after": "x"}, {"version_id": "x"}, {"odd": "1"}],
    ids=str,
)
async def test_queries_that_cannot_be(admin, query):
    await admin.refused(400, "InvalidArgument", "GET", "/jobs", **query)


async def test_parked_work_is_replayed(admin):
    _, one, _ = await prepared_jobs(admin)
    assert await admin.call("POST", "/jobs/replay", {"backend_id": "us"}) == {"replayed": 1}
    replica = await admin.sql.fetchrow(
        "SELECT attempt, parked_reason, next_attempt_at <= now() AS due FROM replicas WHERE backend_id = 'us'"
    )
    assert tuple(replica) == (0, None, True)
    assert await admin.call("POST", "/jobs/replay", {"action": "remove"}) == {"replayed": 0}
    assert await admin.call("POST", "/jobs/replay", {"version_id": one}) == {"replayed": 1}
    assert await admin.call("POST", "/jobs/replay") == {"replayed": 0}


async def test_a_replay_is_bounded(admin):
    await prepared_jobs(admin)
    assert await admin.call("POST", "/jobs/replay", {"limit": 1}) == {"replayed": 1}
    await admin.refused(400, "InvalidArgument", "POST", "/jobs/replay", {"limit": 0})


async def test_a_dropped_copy_becomes_a_removal_of_what_may_be_there(admin):
    _, one, _ = await prepared_jobs(admin)
    assert await admin.call("POST", "/jobs/drop", {"backend_id": "de", "reason": "it is closed"}) == {"dropped": 1, "kept": []}
    assert await states(admin, one) == {"fi": ("verified", False), "de": ("deleting", False), "us": ("lost", True)}
    (drop,) = (await admin.call("GET", "/jobs/drops"))["drops"]
    assert (drop["action"], drop["reason"], drop["parked_reason"]) == ("copy", "it is closed", "mismatch: 3 of 5 bytes")
    assert (drop["tenant_id"], drop["bucket"], drop["key"], drop["version_id"]) == ("acme", "papers", "a", one)
    assert (await admin.call("GET", "/jobs/drops", tenant="globex"))["drops"] == []
    with pytest.raises(Exception, match="append-only"):
        await admin.sql.execute("DELETE FROM dropped_jobs")


async def test_the_last_good_copy_is_never_dropped(admin):
    _, one, _ = await prepared_jobs(admin)
    await admin.sql.execute(PARK + "state = 'wanted'")
    await admin.sql.execute(
        "UPDATE replicas SET state = 'lost', parked_reason = 'gone' WHERE backend_id = 'fi' AND version_id = $1", one
    )
    answer = await admin.call("POST", "/jobs/drop", {"reason": "tired of it"})
    assert answer["dropped"] == 0
    assert {(kept["version_id"], kept["backend_id"]) for kept in answer["kept"]} == {(one, "fi"), (one, "de"), (one, "us")}
    assert set((await states(admin, one)).values()) == {("lost", True), ("wanted", True)}


async def test_a_dropped_removal_leaves_its_blob(admin):
    _, _, other = await prepared_jobs(admin)
    await admin.sql.execute(PARK + "state = 'deleting'")
    assert (await admin.call("POST", "/jobs/drop", {"action": "remove", "reason": "cannot be reached"}))["dropped"] == 1
    assert await states(admin, other) == {"fi": ("verified", False)}
    assert await admin.sql.fetchval("SELECT count(*) FROM removals") == 0
    (drop,) = (await admin.call("GET", "/jobs/drops"))["drops"]
    assert (drop["action"], drop["backend_id"]) == ("remove", "de")


async def test_stamps_and_what_is_not_parked_are_not_dropped(admin):
    await prepared_jobs(admin)
    await admin.sql.execute("UPDATE replicas SET parked_reason = NULL")
    assert await admin.call("POST", "/jobs/drop", {"reason": "x"}) == {"dropped": 0, "kept": []}
    await admin.sql.execute("UPDATE replicas SET stamped = false, parked_reason = 'refused' WHERE backend_id = 'fi'")
    answer = await admin.call("POST", "/jobs/drop", {"reason": "x"})
    assert (answer["dropped"], len(answer["kept"])) == (0, 2)
    await admin.refused(400, "InvalidArgument", "POST", "/jobs/drop", {"backend_id": "fi"})
    await admin.refused(400, "InvalidArgument", "POST", "/jobs/drop", {"reason": "", "backend_id": "fi"})
