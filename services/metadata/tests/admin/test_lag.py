from __future__ import annotations

import pytest

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
