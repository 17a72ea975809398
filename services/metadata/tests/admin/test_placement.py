from __future__ import annotations

import pytest

from domicile_common.namespace import namespace_name

pytestmark = pytest.mark.servers


async def test_a_name_is_explained_in_both_directions(admin):
    await admin.prepared()
    await admin.bucket("analytics")
    explained = await admin.call("GET", "/namespaces/explain", tenant="acme", bucket="analytics", backend="fi")
    (row,) = explained["namespaces"]
    name = namespace_name(b"an example key, not one to use", "s3gw", "acme", "analytics", "fi", "acme-cloud", 0)
    assert row == {
        "tenant_id": "acme",
        "bucket": "analytics",
        "backend_id": "fi",
        "counter": 0,
        "namespace": name,
        "computed": name,
        "recorded": True,
    }
    assert await admin.call("GET", "/namespaces/explain", namespace=name) == explained
    everywhere = await admin.call("GET", "/namespaces/explain", tenant="acme", bucket="analytics")
    assert [row["backend_id"] for row in everywhere["namespaces"]] == ["de", "fi", "us"]


async def test_a_collision_shows_in_the_counter(admin):
    await admin.prepared()
    await admin.bucket("other")
    taken = namespace_name(b"an example key, not one to use", "s3gw", "acme", "analytics", "fi", "acme-cloud", 0)
    await admin.sql.execute("UPDATE namespaces SET namespace = $1 WHERE backend_id = 'fi'", taken)
    await admin.bucket("analytics")
    (row,) = (await admin.call("GET", "/namespaces/explain", tenant="acme", bucket="analytics", backend="fi"))["namespaces"]
    assert row["counter"] == 1
    assert row["namespace"] == row["computed"] != taken


async def test_a_bucket_that_is_not_there_yet_is_explained_all_the_same(admin):
    await admin.prepared()
    (row,) = (await admin.call("GET", "/namespaces/explain", tenant="acme", bucket="future", backend="fi"))["namespaces"]
    assert not row["recorded"]
    await admin.bucket("future")
    (made,) = (await admin.call("GET", "/namespaces/explain", tenant="acme", bucket="future", backend="fi"))["namespaces"]
    assert made == row | {"recorded": True}


async def test_what_cannot_be_explained(admin):
    await admin.prepared()
    await admin.refused(400, "InvalidArgument", "GET", "/namespaces/explain")
    await admin.refused(400, "InvalidArgument", "GET", "/namespaces/explain", tenant="acme")
    await admin.refused(404, "NoSuchTenant", "GET", "/namespaces/explain", tenant="nobody", bucket="b")
    await admin.refused(404, "NoSuchBackend", "GET", "/namespaces/explain", tenant="acme", bucket="b", backend="mars")
    await admin.refused(404, "NoSuchNamespace", "GET", "/namespaces/explain", namespace="s3gw-0-x")


async def test_an_object_is_found_wherever_it_is(admin):
    await admin.prepared()
    bucket_id = await admin.bucket("papers")
    await admin.version(bucket_id, "a/ö %2F+", us="verified")
    version_id = await admin.version(bucket_id, "a/ö %2F+", fi="verified", de="wanted")
    await admin.sql.execute("UPDATE replicas SET parked_reason = 'refused', attempt = 8 WHERE backend_id = 'de'")
    shown = await admin.call("GET", "/placement", tenant="acme", bucket="papers", key="a/ö %2F+")
    assert shown["version"]["version_id"] == version_id
    assert shown["version"]["decision"]["reason"] == "because"
    german, finnish = shown["replicas"]
    assert (finnish["backend_id"], finnish["country"], finnish["state"]) == ("fi", "FI", "verified")
    assert (german["state"], german["parked_reason"], german["attempt"]) == ("wanted", "refused", 8)
    assert finnish["since"].endswith("Z")
    assert finnish["blob_key"] == f"a/ö %2F+/{version_id}"


@pytest.mark.parametrize(
    "query", [{"tenant": "nobody"}, {"bucket": "nothing"}, {"key": "nothing"}, {"tenant": "globex"}], ids=str
)
async def test_an_object_that_is_not_there_is_404(admin, query):
    await admin.prepared()
    await admin.call("POST", "/tenants", {"tenant_id": "globex"}, 201)
    await admin.version(await admin.bucket("papers"), "a", fi="verified")
    await admin.refused(404, "NoSuchKey", "GET", "/placement", **{"tenant": "acme", "bucket": "papers", "key": "a"} | query)
