from __future__ import annotations

import pytest

from domicile_metadata.storage import lag, lag_history

pytestmark = pytest.mark.servers


@pytest.fixture
async def owing(admin):
    """Two buckets, one of which owes a copy in DE for longer than it promises."""
    await admin.prepared()
    for name, rpo in (("papers", 60), ("photos", 3600)):
        await admin.call("PUT", f"/policies/buckets/acme/{await admin.bucket(name) and name}", {"rpo_seconds": rpo})
    for name in ("papers", "photos"):
        bucket_id = await admin.sql.fetchval("SELECT bucket_id FROM buckets WHERE name = $1", name)
        await admin.version(bucket_id.hex, "k", fi="verified", de="wanted")
    await admin.sql.execute("UPDATE versions SET committed_at = now() - interval '10 minutes'")
    await admin.sql.execute("UPDATE replicas SET changed_at = now() - interval '10 minutes' WHERE state = 'wanted'")


async def test_it_tells_which_promises_are_kept(admin, owing):
    lag = await admin.call("GET", "/lag")
    assert [(it["owed"]["bucket"], it["kept"], it["owed"]["late"], it["owed"]["bytes"]) for it in lag["buckets"]] == [
        ("papers", False, 1, 5),
        ("photos", True, 0, 5),
    ]
    de = next(it for it in lag["backends"] if it["owed"]["backend_id"] == "de")
    assert (de["owed"]["copies"], de["owed"]["bytes"], de["owed"]["late"], de["recent"]["copies"]) == (2, 10, 1, 0)
    assert de["owed"]["oldest_seconds"] >= 600
    assert (await admin.call("GET", "/lag", limit=1))["truncated"]
    assert (await admin.call("GET", "/lag", tenant="zeta"))["buckets"] == []


async def test_a_bucket_tells_how_long_its_copies_took(admin, owing):
    await admin.sql.execute(
        "UPDATE replicas SET state = 'verified', changed_at = now() - interval '9 minutes' WHERE backend_id = 'de'"
    )
    [papers] = (await admin.call("GET", "/lag", tenant="acme", bucket="papers"))["buckets"]
    assert (papers["kept"], papers["owed"]["copies"], papers["owed"]["rpo_seconds"], papers["recent"]["copies"]) == (
        True,
        0,
        60,
        1,
    )
    assert papers["recent"]["p50_seconds"] == papers["recent"]["p99_seconds"] == pytest.approx(60, abs=1)


async def test_what_is_not_there_is_said_so(admin):
    await admin.refused(404, "NoSuchBucket", "GET", "/lag", tenant="acme", bucket="none")
    await admin.refused(400, "InvalidArgument", "GET", "/lag", bucket="papers")


async def test_what_was_owed_is_kept_by_the_minute(admin, owing):
    database = admin.context.database
    await lag_history.note(database, await lag.measure_backends(database))
    await admin.sql.execute("UPDATE replicas SET state = 'verified' WHERE backend_id = 'de'")
    await lag_history.note(database, await lag.measure_backends(database))
    await admin.sql.execute(
        """INSERT INTO lag_history
           SELECT date_trunc('minute', now()) - hours * interval '1 hour', 'de', hours, 0, 0, 0, 7, 0 FROM generate_series(1, 30) AS hours"""
    )
    history = await admin.call("GET", "/lag/history", hours=2)
    de = [it for it in history["samples"] if it["backend_id"] == "de"]
    assert history["step_seconds"] == 60
    assert [it["copies"] for it in de] == [1, 2]  # the worst of the minute
    assert (de[-1]["late"], de[-1]["bytes"], de[-1]["oldest_seconds"] >= 600) == (1, 10, True)
    longer = await admin.call("GET", "/lag/history", hours=800, backend="de")
    assert (longer["step_seconds"], max(it["copies"] for it in longer["samples"])) == (7200, 30)
    assert len(longer["samples"]) <= 17
    await lag_history.forget(database, 1)
    assert await admin.sql.fetchval("SELECT max(copies) FROM lag_history WHERE parked = 7") <= 24
    for bad in ({"hours": 0}, {"hours": "x"}, {"hours": 9601}, {"colour": "blue"}):
        await admin.refused(400, "InvalidArgument", "GET", "/lag/history", **bad)
