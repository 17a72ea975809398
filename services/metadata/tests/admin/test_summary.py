"""Where data lives, as it was counted; and what of it a tenant sees."""

from __future__ import annotations

import pytest

from domicile_metadata.count import REST, count_next
from domicile_metadata.storage import totals

pytestmark = pytest.mark.servers


@pytest.fixture
async def held(admin):
    """``papers`` and ``photos`` of acme, ``plans`` of zeta: seven copies at three backends."""
    await admin.prepared()
    await admin.call("POST", "/tenants", {"tenant_id": "zeta"}, 201)
    papers, photos = await admin.bucket("papers"), await admin.bucket("photos")
    plans = await admin.bucket("plans", tenant="zeta")
    for key in ("2025/a", "2025/b", "c"):
        await admin.version(papers, key, fi="verified", de="stored")
    await admin.version(photos, "p", fi="verified", de="wanted")
    await admin.version(plans, "q", us="verified")
    return papers


async def count_all(admin):
    while await count_next(admin.context, 3600):
        pass


def by_id(summary):
    return {it["backend_id"]: (it["copies"], it["verified"], it["bytes"]) for it in summary["backends"]}


async def test_copies_and_bytes_are_counted_by_backend_country_and_bucket(admin, held, monkeypatch):
    monkeypatch.setattr(totals, "PAGE", 2)
    before = await admin.call("GET", "/summary")
    assert (before["all"]["buckets"], before["all"]["uncounted"], by_id(before)["fi"]) == (3, 3, (0, 0, 0))
    await count_all(admin)
    summary = await admin.call("GET", "/summary")
    assert by_id(summary) == {"de": (3, 0, 15), "fi": (4, 4, 20), "us": (1, 1, 5)}
    assert {name: summary["all"][name] for name in ("buckets", "tenants", "versions", "bytes", "uncounted")} == {
        "buckets": 3, "tenants": 2, "versions": 5, "bytes": 25, "uncounted": 0,
    }  # fmt: skip
    assert summary["countries"][0] == {"country": "DE", "backends": ["de"], "copies": 3, "bytes": 15}
    assert by_id(await admin.call("GET", "/summary", tenant="acme"))["us"] == (0, 0, 0)
    papers = await admin.call("GET", "/buckets/acme/papers")
    assert (papers["versions"], papers["bytes"], papers["countries"]) == (3, 15, None)
    assert papers["backends"][1] == {"backend_id": "fi", "copies": 3, "verified": 3, "bytes": 15}


async def test_a_count_is_replaced_when_it_is_due_and_goes_with_its_bucket(admin, held):
    await count_all(admin)
    await admin.sql.execute("DELETE FROM replicas WHERE backend_id = 'de'")
    assert not await count_next(admin.context, 3600)
    assert by_id(await admin.call("GET", "/summary"))["de"] == (3, 0, 15)
    await admin.sql.execute("UPDATE bucket_counts SET counted_at = now() - interval '1 hour', seconds = 2 * 3600.0 / $1", REST)
    assert not await count_next(admin.context, 60)  # what took long is not counted again so soon
    await admin.sql.execute("UPDATE bucket_counts SET seconds = 0")
    assert await count_next(admin.context, 60)
    await count_all(admin)
    assert by_id(await admin.call("GET", "/summary"))["de"] == (0, 0, 0)
    await admin.sql.execute("DELETE FROM versions; DELETE FROM rearrangements; DELETE FROM buckets")
    assert (await admin.call("GET", "/summary"))["all"]["versions"] == 0


async def test_a_bucket_that_goes_while_it_is_counted_is_not_counted(admin, held):
    counted = await totals.count(admin.context.database, held)
    await admin.sql.execute("DELETE FROM versions; DELETE FROM rearrangements; DELETE FROM buckets")
    async with admin.context.database.transaction() as session:
        await totals.put(session, held, counted, 0.1)
    assert await admin.sql.fetchval("SELECT count(*) FROM bucket_totals") == 0


async def test_buckets_are_listed_page_by_page(admin, held):
    found, after = [], ""
    while True:
        page = await admin.call("GET", "/buckets", after=after, limit=2)
        found += [(it["tenant_id"], it["bucket"]) for it in page["buckets"]]
        if not (after := page["next"]):
            break
    assert found == [("acme", "papers"), ("acme", "photos"), ("zeta", "plans")]
    assert [it["bucket"] for it in (await admin.call("GET", "/buckets", tenant="zeta"))["buckets"]] == ["plans"]
    await admin.refused(404, "NoSuchBucket", "GET", "/buckets/acme/plans")


async def test_versions_are_browsed_with_their_copies(admin, held):
    where = {"tenant": "acme", "bucket": "papers", "delimiter": "/"}
    top = await admin.call("GET", "/objects", **where)
    assert (top["prefixes"], [it["key"] for it in top["versions"]], top["truncated"]) == (["2025/"], ["c"], False)
    (version,) = top["versions"]
    assert [(it["backend_id"], it["country"], it["state"]) for it in version["copies"]] == [("de", "DE", "stored"), ("fi", "FI", "verified")]  # fmt: skip
    assert (version["reason"], version["size"], version["copies"][1]["verified_at"][:2]) == ("because", 5, "20")
    first = await admin.call("GET", "/objects", limit=1, prefix="2025/", **where)
    after = {"after_key": first["after_key"], "after_version": first["after_version"]}
    second = await admin.call("GET", "/objects", limit=1, prefix="2025/", **where, **after)
    assert [page["versions"][0]["key"] for page in (first, second)] == ["2025/a", "2025/b"]
    assert (first["truncated"], second["truncated"], second["after_key"]) == (True, False, "")
    await admin.refused(404, "NoSuchBucket", "GET", "/objects", tenant="acme", bucket="plans")
    await admin.refused(400, "InvalidArgument", "GET", "/objects", tenant="acme", bucket="papers", nonsense="x")
    await admin.refused(400, "InvalidArgument", "GET", "/objects", tenant="acme")


async def test_a_tenant_sees_its_own_and_nothing_of_others(admin, held, sign_in):
    await count_all(admin)
    person = await sign_in("acme", "read")
    summary = await person.call("GET", "/summary")
    assert (summary["all"]["buckets"], summary["all"]["tenants"], [*by_id(summary)]) == (2, 1, ["de", "fi"])
    assert [it["country"] for it in summary["countries"]] == ["DE", "FI"]
    assert [it["bucket"] for it in (await person.call("GET", "/buckets"))["buckets"]] == ["papers", "photos"]
    assert (await person.call("GET", "/objects", bucket="papers"))["versions"][0]["key"] == "2025/a"
    lag = await person.call("GET", "/lag")
    assert (lag["outbox"], lag["backends"], [it["owed"]["bucket"] for it in lag["buckets"]]) == (None, [], ["photos"])
    assert {it["tenant_id"] for it in (await person.call("GET", "/credentials"))["credentials"]} == {"acme"}
    names = (await person.call("GET", "/namespaces/explain", bucket="papers"))["namespaces"]
    assert {(it["tenant_id"], it["recorded"]) for it in names} == {("acme", True)}
    assert (await person.call("GET", "/placement/progress"))["rearrangements"] == []
    for path in ("/policies/tenants/acme", "/policies/buckets/acme/papers", "/buckets/acme/papers"):
        assert await person.call("GET", path)


@pytest.mark.parametrize("tenant", ["zeta", "nobody"])
async def test_another_tenants_things_are_refused_whether_they_are_there_or_not(admin, held, sign_in, tenant):
    person = await sign_in("acme")
    for path in ("/summary", "/buckets", "/lag", "/credentials", "/placement/progress"):
        assert (await person.ask("GET", path, tenant=tenant)).json()["error"]["code"] == "NotAllowed"
    for path in ("/objects", "/namespaces/explain"):
        assert (await person.ask("GET", path, tenant=tenant, bucket="plans")).json()["error"]["code"] == "NotAllowed"
    for path in (
        f"/policies/tenants/{tenant}",
        f"/policies/buckets/{tenant}/plans",
        f"/buckets/{tenant}/plans",
        "/policies/default",
    ):
        assert (await person.ask("GET", path)).json()["error"]["code"] == "NotAllowed"
    for path in ("/policies/tenants/acme", "/policies/buckets/acme/papers"):
        assert (await person.ask("PUT", path, {"replica_count": 1})).status_code == 403
    zeta = (await admin.call("GET", "/namespaces/explain", tenant="zeta", bucket="plans"))["namespaces"][0]["namespace"]
    assert (await person.ask("GET", "/namespaces/explain", namespace=zeta)).status_code == 400
