"""What a change would have moved, told before it is made; and how far it has got."""

from __future__ import annotations

import pytest

from domicile_metadata.rearrange import step

pytestmark = pytest.mark.servers


@pytest.fixture
async def papers(admin) -> str:
    """Bucket id; two objects of 5 bytes in FI and DE, one that is only in the US, under a policy of two copies."""
    await admin.prepared(replica_count=2)
    bucket_id = await admin.bucket("papers")
    for key in ("a", "b"):
        await admin.version(bucket_id, key, fi="verified", de="verified")
    await admin.version(bucket_id, "c", us="verified")
    return bucket_id


async def preview(admin, **supposed):
    return await admin.call("POST", "/placement/preview", supposed)


def shares(preview, name: str) -> dict[str, tuple[int, int]]:
    return {share["backend_id"]: (share["objects"], share["bytes"]) for share in preview[name]}


async def test_a_lock(admin, papers):
    found = await preview(admin, tenant="acme", bucket="papers", policy={"region_lock": ["FI", "DE"]})
    assert (found["objects"], found["bytes"], found["changed_objects"], found["changed_bytes"]) == (3, 15, 1, 5)
    assert shares(found, "copies") == {"fi": (1, 5), "de": (1, 5)}
    assert shares(found, "egress") == {"us": (2, 10)}
    assert shares(found, "removals") == {"us": (1, 5)}
    assert (found["unreadable_objects"], found["unsatisfied"]) == (1, [])
    assert await admin.locks() == {"papers": (None, None)}
    assert await admin.compared() == {}
    assert (await admin.call("GET", "/policies/buckets/acme/papers"))["policy"] is None


async def test_more_copies_at_a_given_pace(admin, papers):
    found = await preview(
        admin, tenant="acme", bucket="papers", policy={"replica_count": 3}, bytes_per_second=2, copies_per_second=100
    )
    assert shares(found, "copies") == {"us": (2, 10), "de": (1, 5), "fi": (1, 5)}
    assert shares(found, "egress") == {"de": (2, 10), "us": (2, 10)}
    assert found["estimated_seconds"] == 5
    assert found["assumed"] == {"bytes_per_second": 2.0, "copies_per_second": 100.0}


@pytest.mark.parametrize("state, egress", [("draining", {"us": (2, 10)}), ("lost", {})])
async def test_a_backend_that_goes(admin, papers, state, egress):
    found = await preview(admin, backend="us", state=state)
    assert shares(found, "copies") == {"fi": (1, 5), "de": (1, 5)}
    assert shares(found, "egress") == egress
    assert shares(found, "removals") == {"us": (1, 5)}
    reasons = [reason["reason"] for reason in found["unsatisfied"]]
    assert reasons == ([] if egress else ["No copy can be read: us (verified)."])


async def test_what_cannot_be_satisfied_is_told_with_its_reason(admin, papers):
    await admin.call("PATCH", "/backends/us", {"state": "disabled"})
    found = await preview(admin, backend="de", state="draining")
    assert [(it["subjects"], it["rule"]) for it in found["unsatisfiable"]] == [
        (["the installation"], "replica_count"),
        (["acme/papers"], "replica_count"),
    ]
    few, unread = found["unsatisfied"]
    assert (few["tenant_id"], few["bucket"], few["objects"], few["bytes"]) == ("acme", "papers", 2, 10)
    assert few["reason"].startswith("2 replicas need as many backends")
    assert (unread["objects"], unread["reason"]) == (1, "No copy can be read: us (verified).")


async def test_a_backend_that_turns_out_to_be_elsewhere(admin, papers):
    await admin.call("PUT", "/policies/buckets/acme/papers", {"region_lock": ["FI", "DE"]})
    found = await preview(admin, backend="fi", country="SE", jurisdictions=["SE", "US"])
    assert [it["subjects"] for it in found["unsatisfiable"]] == [["acme/papers"]]
    assert shares(found, "removals") == {}, "what cannot be satisfied stays"
    assert [it["objects"] for it in found["unsatisfied"]] == [3]
    assert found["unreadable_objects"] == 1
    await admin.refused(400, "InvalidArgument", "POST", "/placement/preview", {"backend": "fi", "country": "se"})
    await admin.refused(400, "InvalidArgument", "POST", "/placement/preview", {"country": "SE"})


async def test_what_the_change_itself_would_be_refused_for(admin, papers):
    await admin.refused(409, "InvalidRequest", "POST", "/placement/preview", {"policy": {"replica_count": 4, "write_quorum": 1}})
    await admin.refused(400, "InvalidRequest", "POST", "/placement/preview", {"policy": {"region_lock": "FI"}})
    await admin.refused(404, "NoSuchBucket", "POST", "/placement/preview", {"tenant": "acme", "bucket": "x", "policy": {}})
    await admin.refused(404, "NoSuchBackend", "POST", "/placement/preview", {"backend": "x", "state": "lost"})
    await admin.refused(400, "InvalidArgument", "POST", "/placement/preview", {"backend": "fi"})
    await admin.refused(400, "InvalidArgument", "POST", "/placement/preview", {"bucket": "papers"})


async def test_many_pages_are_counted_together(admin, papers, monkeypatch):
    from domicile_metadata.storage import rearrangements

    monkeypatch.setattr(rearrangements, "PAGE", 1)
    assert (await preview(admin))["objects"] == 3


async def test_the_preview_is_what_happens(admin, papers):
    """Of everything that a change adds, the preview has told how much."""
    told = await preview(admin, policy={"replica_count": 3, "write_quorum": 1})
    await admin.call("PUT", "/policies/default", {"replica_count": 3, "write_quorum": 1})
    while await step(admin.context):
        pass
    rows = await admin.sql.fetch("SELECT backend_id, count(*) FROM replicas WHERE state = 'wanted' GROUP BY backend_id")
    assert {row[0]: row[1] for row in rows} == {name: objects for name, (objects, _) in shares(told, "copies").items()}


async def test_progress_shows_what_is_open_and_what_is_refused(admin, papers):
    await admin.call("PUT", "/policies/default", {"replica_count": 2, "write_quorum": 1, "region_lock": ["FI", "DE"]})
    (open_,) = (await admin.call("GET", "/placement/progress"))["rearrangements"]
    assert (open_["bucket"], open_["cause"], open_["finished_at"]) == ("papers", "the policy of the installation", None)
    while await step(admin.context):
        pass
    (waiting,) = (await admin.call("GET", "/placement/progress", tenant="acme", bucket="papers"))["rearrangements"]
    assert (waiting["compared"], waiting["changed"], waiting["waiting"], bool(waiting["finished_at"])) == (3, 1, 1, True)
    await admin.call("PATCH", "/backends/de", {"state": "draining", "force": True})
    while await step(admin.context):
        pass
    ((refusal),) = (await admin.call("GET", "/placement/progress"))["refusals"]
    assert (refusal["bucket"], refusal["objects"]) == ("papers", 3)
    assert await admin.call("GET", "/placement/progress", tenant="nobody") == {"rearrangements": [], "refusals": []}


async def test_versions_are_compared_again_when_asked_for(admin, papers):
    assert await admin.call("POST", "/placement/compare", {"tenant": "acme"}, 202) == {"buckets": 1}
    while await step(admin.context):
        pass
    assert (await admin.call("GET", "/placement/progress"))["rearrangements"] == []
    (done,) = (await admin.call("GET", "/placement/progress", all="yes"))["rearrangements"]
    assert (done["cause"], done["changed"]) == ("an operator's wish", 1)
    await admin.refused(404, "NoSuchBucket", "POST", "/placement/compare", {"tenant": "acme", "bucket": "x"})
