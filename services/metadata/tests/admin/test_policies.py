from __future__ import annotations

import asyncio
import json

import pytest

from domicile_common.countries import GROUPS
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Begin, FindBucket
from domicile_metadata.services import buckets
from domicile_metadata.services.begin import begin

pytestmark = pytest.mark.servers

DEFAULT = {"replica_count": 1, "write_quorum": 1}
EU = list(GROUPS["EU"])


async def test_there_is_no_policy_until_an_operator_sets_one(admin):
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    for path in ("/policies/default", "/policies/tenants/acme"):
        view = await admin.call("GET", path)
        assert (view["policy"], view["version"], view["effective"]) == (None, 0, None)
        assert "default policy does not set replica_count" in view["refusal"]
    await admin.refused(409, "InvalidRequest", "PUT", "/policies/tenants/acme", {"region_lock": ["FI"]})


async def test_the_levels_merge_and_are_kept_as_given(admin):
    await admin.prepared(region_lock=["EU"], spread="country")
    await admin.call("PUT", "/policies/tenants/acme", {"region_lock": ["DE", "NORDICS"], "operator_lock": ["EU"]}, 409)
    await admin.call("PUT", "/policies/tenants/acme", {"region_lock": ["DE", "FI", "SE"], "operator_lock": ["EU"]})
    await admin.bucket("papers")
    view = await admin.call("PUT", "/policies/buckets/acme/papers", {"region_lock": ["SE", "FI"], "rpo_seconds": 60})
    assert view["policy"] == {"region_lock": ["SE", "FI"], "rpo_seconds": 60}
    assert view["effective"]["countries"] == ["SE", "FI"]
    assert view["effective"]["jurisdictions"] == EU
    assert (view["effective"]["spread"], view["effective"]["rpo_seconds"], view["refusal"]) == ("country", 60, None)
    assert await admin.call("GET", "/policies/buckets/acme/papers") == view
    assert (await admin.call("GET", "/policies/tenants/acme"))["effective"]["countries"] == ["DE", "FI", "SE"]
    found = await buckets.find(admin.context, FindBucket(tenant_id="acme", name="papers"))
    assert found.policy.countries == ("SE", "FI")
    assert found.policy.version == view["version"]


async def test_the_columns_that_postgresql_checks_follow_every_level(admin):
    await admin.prepared()
    await admin.bucket("anywhere")
    await admin.bucket("german", "de")
    assert await admin.locks() == {"anywhere": (None, None), "german": (["DE"], None)}
    await admin.call("PUT", "/policies/default", DEFAULT | {"operator_lock": ["EU"]})
    assert await admin.locks() == {"anywhere": (None, EU), "german": (["DE"], EU)}
    await admin.call("PUT", "/policies/tenants/acme", {"region_lock": ["FI", "DE"]})
    assert await admin.locks() == {"anywhere": (["FI", "DE"], EU), "german": (["DE"], EU)}
    await admin.call("PUT", "/policies/buckets/acme/anywhere", {"region_lock": ["FI"]})
    assert (await admin.locks())["anywhere"] == (["FI"], EU)
    await admin.call("PUT", "/policies/buckets/acme/anywhere", {})
    assert (await admin.locks())["anywhere"] == (["FI", "DE"], EU)


async def test_new_blobs_are_called_as_the_innermost_level_says(admin):
    await admin.prepared()
    before = await admin.bucket("before")
    await admin.call("PUT", "/policies/tenants/acme", {"layout": "opaque"})
    later = await admin.bucket("later")

    async def opaque() -> list[bool]:
        begun = await begin(admin.context, [Begin(bucket_id=bucket_id, key="jane doe") for bucket_id in (before, later)])
        return [intent.blobs[0].blob_key == intent.version_id for intent in begun]

    assert await opaque() == [True, True]
    await admin.call("PUT", "/policies/buckets/acme/later", {"layout": "readable"})
    assert await opaque() == [True, False]
    await admin.call("PUT", "/policies/tenants/acme", {})
    assert await opaque() == [False, False]


async def test_a_tenants_change_reaches_its_own_buckets_only(admin):
    await admin.prepared()
    await admin.call("POST", "/tenants", {"tenant_id": "globex"}, 201)
    await admin.bucket("one")
    await admin.bucket("other", tenant="globex")
    await admin.call("PUT", "/policies/tenants/acme", {"region_lock": ["FI"]})
    assert await admin.locks() == {"one": (["FI"], None), "other": (None, None)}


async def test_each_change_sends_word(admin):
    await admin.prepared()
    await admin.call("POST", "/tenants", {"tenant_id": "globex"}, 201)
    await admin.bucket("papers")
    await admin.invalidations()
    await admin.call("PUT", "/policies/default", DEFAULT)
    assert await admin.invalidations() == [("tenant", "acme"), ("tenant", "globex")]
    await admin.call("PUT", "/policies/tenants/acme", {})
    assert await admin.invalidations() == [("tenant", "acme")]
    await admin.call("PUT", "/policies/buckets/acme/papers", {})
    assert await admin.invalidations() == [("bucket", "acme/papers")]


@pytest.mark.parametrize(
    "document,code,named",
    [
        (b"{", "InvalidRequest", "JSON"),
        (b'{"replica_count": "1"}', "InvalidRequest", "replica_count"),
        (b'{"region_lock": ["UK"]}', "InvalidRequest", "UK"),
        (b'{"region_lock": ["dk1"]}', "InvalidRequest", "dk1"),
        (b'{"storage": {"kind": "erasure"}}', "InvalidRequest", "storage"),
        (b'{"encryption": {"mode": "client"}}', "InvalidRequest", "encryption"),
    ],
)
async def test_a_bad_document_is_400_at_every_level(admin, document, code, named):
    await admin.prepared()
    await admin.bucket("papers")
    for path in ("default", "tenants/acme", "buckets/acme/papers"):
        assert named in await admin.refused(400, code, "PUT", f"/policies/{path}", document)


@pytest.mark.parametrize(
    "document,named",
    [
        ({"region_lock": ["SE"]}, "region_lock"),
        ({"region_lock": ["FI"], "operator_lock": ["SE"]}, "operator_lock"),
        ({"replica_count": 4}, "4 replicas need as many backends"),
        ({"replica_count": 3, "region_lock": ["FI", "DE"]}, "3 replicas need as many backends"),
    ],
)
async def test_what_the_backends_cannot_satisfy_is_refused_at_once(admin, document, named):
    await admin.prepared()
    await admin.bucket("papers")
    before = await admin.locks()
    for path, body in (("default", DEFAULT | document), ("tenants/acme", document), ("buckets/acme/papers", document)):
        assert named in await admin.refused(409, "InvalidRequest", "PUT", f"/policies/{path}", body)
        view = await admin.call("GET", f"/policies/{path}")
        assert view["policy"] in (None, DEFAULT)
    assert await admin.locks() == before


async def test_the_default_must_say_how_many_copies(admin):
    await admin.prepared()
    await admin.refused(409, "InvalidRequest", "PUT", "/policies/default", {"region_lock": ["FI"]})


async def test_an_inner_level_cannot_loosen(admin):
    await admin.prepared(region_lock=["FI", "DE"])
    await admin.bucket("papers")
    assert "US" in await admin.refused(409, "InvalidRequest", "PUT", "/policies/tenants/acme", {"region_lock": ["US"]})
    await admin.call("PUT", "/policies/tenants/acme", {"region_lock": ["DE"]})
    message = await admin.refused(409, "InvalidRequest", "PUT", "/policies/buckets/acme/papers", {"region_lock": ["FI", "DE"]})
    assert message == "FI is outside the region_lock of the level above (DE)."


async def test_a_default_that_leaves_a_tenant_or_bucket_nothing_is_refused(admin):
    await admin.prepared()
    await admin.bucket("german", "de")
    message = await admin.refused(409, "InvalidRequest", "PUT", "/policies/default", DEFAULT | {"region_lock": ["FI"]})
    assert message.startswith("Bucket acme/german: region_lock")
    await admin.call("PUT", "/policies/tenants/acme", {"operator_lock": ["DE"]})
    message = await admin.refused(409, "InvalidRequest", "PUT", "/policies/default", DEFAULT | {"operator_lock": ["FI"]})
    assert message.startswith("Tenant acme: operator_lock")


async def test_a_bucket_that_is_broken_already_blocks_nobody(admin):
    await admin.prepared()
    await admin.bucket("german", "de")
    await admin.call("PATCH", "/backends/de", {"state": "disabled", "force": True})
    assert "No active backend" in (await admin.call("GET", "/policies/buckets/acme/german"))["refusal"]
    await admin.call("PUT", "/policies/default", DEFAULT | {"rpo_seconds": 60})


@pytest.mark.parametrize("path", ["default", "tenants/acme", "buckets/acme/papers"])
@pytest.mark.parametrize("lock", [{"region_lock": ["DE"]}, {"operator_lock": ["DE"]}])
async def test_a_lock_that_existing_replicas_break_has_them_compared(admin, path, lock):
    await admin.prepared()
    bucket_id = await admin.bucket("papers")
    await admin.version(bucket_id, "a", de="verified", fi="verified")
    await admin.call("PUT", f"/policies/{path}", DEFAULT | lock if path == "default" else lock)
    assert await admin.compared() == {"papers": False}


async def test_only_what_decides_about_places_has_versions_compared(admin):
    await admin.prepared()
    await admin.bucket("papers")
    await admin.bucket("letters")
    await admin.call("PUT", "/policies/default", DEFAULT | {"rpo_seconds": 60})
    assert await admin.compared() == {}
    await admin.call("PUT", "/policies/buckets/acme/papers", {"replica_count": 2})
    assert await admin.compared() == {"papers": False}


async def test_a_write_under_way_to_where_a_new_lock_does_not_allow_it_ends(admin):
    """Whatever it has written is removed; the others go on, and what becomes of them is compared."""
    await admin.prepared()
    bucket_id = await admin.bucket("papers")
    for backend_id in ("fi", "de"):
        await admin.intent(bucket_id, backend_id)
    await admin.call("PUT", "/policies/buckets/acme/papers", {"region_lock": ["DE"]})
    (left,) = await admin.sql.fetch("SELECT version_id, decision ->> 'wanted' AS wanted FROM intents")
    assert left["wanted"] == '["de"]'
    assert [row["version_id"] for row in await admin.sql.fetch("SELECT version_id FROM unsettled_versions")] == [
        left["version_id"]
    ]


async def test_a_lock_waits_for_a_commit_under_way_and_sees_its_replica(admin):
    await admin.prepared()
    bucket_id = await admin.bucket("papers")
    transaction = admin.sql.transaction()
    await transaction.start()
    await admin.version(bucket_id, "a", fi="stored")
    change = asyncio.create_task(admin.call("PUT", "/policies/buckets/acme/papers", {"region_lock": ["DE"]}))
    done, _ = await asyncio.wait([change], timeout=0.5)
    assert not done
    await transaction.commit()
    await change
    assert await admin.compared() == {"papers": False}


async def test_a_lock_waits_for_a_write_that_begins_and_ends_it(admin):
    await admin.prepared()
    bucket_id = await admin.bucket("papers")
    transaction = admin.sql.transaction()
    await transaction.start()
    await admin.intent(bucket_id, "fi")
    change = asyncio.create_task(admin.call("PUT", "/policies/buckets/acme/papers", {"region_lock": ["DE"]}))
    done, _ = await asyncio.wait([change], timeout=0.5)
    assert not done
    await transaction.commit()
    await change
    assert not await admin.sql.fetch("SELECT FROM intents")


async def test_a_bucket_made_during_a_change_of_policy_gets_the_new_lock(admin):
    await admin.prepared()
    transaction = admin.sql.transaction()
    await transaction.start()
    await admin.sql.execute("LOCK TABLE backends IN ACCESS EXCLUSIVE MODE")  # both stop where they read backends
    making = asyncio.create_task(admin.bucket("papers"))
    await admin.until_waiting(1)
    change = asyncio.create_task(admin.call("PUT", "/policies/tenants/acme", {"region_lock": ["FI"]}))
    await admin.until_waiting(2)
    await transaction.commit()
    await asyncio.gather(making, change)
    assert await admin.locks() == {"papers": (["FI"], None)}


async def test_unknown_subjects_are_404(admin):
    await admin.prepared()
    for method, body in (("GET", None), ("PUT", {})):
        await admin.refused(404, "NoSuchTenant", method, "/policies/tenants/nobody", body)
        await admin.refused(404, "NoSuchTenant", method, "/policies/buckets/nobody/papers", body)
        await admin.refused(404, "NoSuchBucket", method, "/policies/buckets/acme/papers", body)


async def test_policies_are_appended_never_overwritten(admin):
    await admin.prepared()
    for count in (2, 3):
        await admin.call("PUT", "/policies/default", {"replica_count": count, "write_quorum": 1})
    rows = await admin.sql.fetch("SELECT document::text FROM policies ORDER BY policy_version")
    assert [json.loads(row[0])["replica_count"] for row in rows] == [1, 2, 3]


async def test_a_new_bucket_obeys_the_levels_above(admin):
    await admin.prepared(region_lock=["FI", "DE"])
    with pytest.raises(RequestError) as caught:
        await admin.bucket("papers", "us")
    assert caught.value.code == "InvalidLocationConstraint"
