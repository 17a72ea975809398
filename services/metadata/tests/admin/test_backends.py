from __future__ import annotations

import asyncio
import dataclasses

import asyncpg
import pytest

from domicile_common.sealing import backend_context
from domicile_common.testing.handing_over import hand_over

pytestmark = pytest.mark.servers


async def test_a_backend_is_registered_without_showing_its_secret(admin):
    shown = await admin.backend("fi-1", "FI", ["FI", "US"], endpoint="https://s3.example/", cost=5)
    assert shown == {
        "backend_id": "fi-1",
        "provider": "acme-cloud",
        "endpoint": "https://s3.example",
        "country": "FI",
        "jurisdictions": ["FI", "US"],
        "access_key": "AK",
        "region": "us-east-1",
        "addressing": "path",
        "quirks": "probed",
        "state": "active",
        "cost": 5,
        "paused": False,
        "job_limit": None,
        "bytes_per_second": None,
        "requests_per_second": None,
        "capabilities": {},
    }
    assert await admin.call("GET", "/backends") == {"backends": [shown]}
    assert await admin.call("GET", "/backends/fi-1") == shown
    sealed = await admin.sql.fetchval("SELECT sealed_secret FROM backends")
    assert admin.context.sealer.open(sealed, backend_context("fi-1")) == "hunter2hunter2"
    assert await admin.invalidations() == [("backend", "fi-1")]


async def test_registering_again_keeps_secret_and_state_unless_they_are_given(admin):
    await admin.backend("fi-1", "FI")
    await admin.call("PATCH", "/backends/fi-1", {"state": "readonly"})
    changed = await admin.backend("fi-1", "FI", secret_key=None, region="eu-north-1")
    assert (changed["state"], changed["region"]) == ("readonly", "eu-north-1")
    sealed = await admin.sql.fetchval("SELECT sealed_secret FROM backends")
    assert admin.context.sealer.open(sealed, backend_context("fi-1")) == "hunter2hunter2"
    assert (await admin.backend("fi-1", "FI", state="active"))["state"] == "active"
    await admin.backend("fi-1", "FI", secret_key="another-secret")
    sealed = await admin.sql.fetchval("SELECT sealed_secret FROM backends")
    assert admin.context.sealer.open(sealed, backend_context("fi-1")) == "another-secret"


async def sealed_for(admin, backend_id, secret="handed-over-4711"):
    """A registration that shows its secret to nobody on the way."""
    envelope = hand_over(secret, backend_context(backend_id), **await admin.call("GET", "/handover"))
    return {name: value for name, value in admin.registration(sealed_secret_key=envelope).items() if name != "secret_key"}


async def test_a_secret_that_a_browser_has_sealed_is_kept_as_any(admin):
    await admin.call("PUT", "/backends/fi-1", await sealed_for(admin, "fi-1"))
    sealed = await admin.sql.fetchval("SELECT sealed_secret FROM backends")
    assert admin.context.sealer.open(sealed, backend_context("fi-1")) == "handed-over-4711"


async def test_what_was_sealed_for_something_else_is_refused(admin):
    for body in (
        await sealed_for(admin, "fi-2"),
        await sealed_for(admin, "fi-1", "two words"),
        await sealed_for(admin, "fi-1") | {"secret_key": "hunter2hunter2"},
        admin.registration(secret_key=None, sealed_secret_key="h1.x.y"),
    ):
        message = await admin.refused(400, "InvalidArgument", "PUT", "/backends/fi-1", body)
        assert "sealed_secret_key" in message
        assert "words" not in message
    assert await admin.call("GET", "/backends") == {"backends": []}


@pytest.mark.parametrize(
    "change,named",
    [
        ({"country": "UK"}, "country"),
        ({"country": "fi"}, "country"),
        ({"country": "FIN"}, "country"),
        ({"country": "dk1"}, "country"),
        ({"jurisdictions": []}, "jurisdictions"),
        ({"jurisdictions": ["EU"]}, "jurisdictions"),
        ({"jurisdictions": "FI"}, "jurisdictions"),
        ({"quirks": "unheard-of"}, "quirks"),
        ({"addressing": "dns"}, "addressing"),
        ({"state": "resting"}, "state"),
        ({"cost": -1}, "cost"),
        ({"provider": "Acme Cloud"}, "provider"),
        ({"secret_key": "two words"}, "secret_key"),
        ({"secret_key": None}, "secret_key"),
        ({"region": ""}, "region"),
        ({"endpoint": "s3.example"}, "endpoint"),
        ({"endpoint": "ftp://s3.example"}, "endpoint"),
        ({"endpoint": "http://user:pass@s3.example"}, "endpoint"),
        ({"endpoint": "http://s3.example/path"}, "endpoint"),
        ({"endpoint": "http://s3.example:port"}, "endpoint"),
        ({"endpoint": "http://s3.example\r\nX: y"}, "endpoint"),
        ({"endpoint": "http://[::1"}, "endpoint"),
        ({"endpoint": "http://"}, "endpoint"),
    ],
)
async def test_a_bad_registration_names_the_field(admin, change, named):
    message = await admin.refused(400, "InvalidArgument", "PUT", "/backends/fi-1", admin.registration(**change))
    assert named in message
    assert "hunter2" not in message
    assert await admin.call("GET", "/backends") == {"backends": []}


@pytest.mark.parametrize("backend_id", ["-fi", "FI", "a_b", "a" * 32])
async def test_a_bad_id_is_400(admin, backend_id):
    await admin.refused(400, "InvalidArgument", "PUT", f"/backends/{backend_id}", admin.registration())


async def test_an_unknown_backend_is_404(admin):
    await admin.refused(404, "NoSuchBackend", "GET", "/backends/fi-1")
    await admin.refused(404, "NoSuchBackend", "PATCH", "/backends/fi-1", {"state": "disabled"})
    assert await admin.invalidations() == []


@pytest.mark.parametrize(
    "default,place",
    [
        ({"region_lock": ["FI", "DE"]}, {"country": "US"}),
        ({"operator_lock": ["EU"]}, {"jurisdictions": ["FI", "US"]}),
        ({"spread": "provider"}, {"provider": "another"}),
    ],
)
async def test_what_a_backend_holds_is_compared_when_it_turns_out_to_be_elsewhere(admin, default, place):
    await admin.prepared(**default)
    await admin.version(await admin.bucket("papers"), "a", fi="verified")
    await admin.call("PUT", "/backends/fi", admin.registration(**place))
    assert await admin.compared() == {"papers": False}


async def test_a_write_to_where_a_backend_is_no_longer_ends(admin):
    await admin.prepared(region_lock=["FI", "DE"])
    bucket_id = await admin.bucket("papers")
    for backend_id in ("fi", "de"):
        await admin.intent(bucket_id, backend_id)
    await admin.call("PUT", "/backends/fi", admin.registration(country="US"))
    assert [row[0] for row in await admin.sql.fetch("SELECT decision ->> 'wanted' FROM intents")] == ['["de"]']


@pytest.mark.parametrize(
    "states, compared",
    [(["readonly", "disabled", "active"], False), (["draining"], True), (["lost"], True), (["draining", "active"], True)],
)
async def test_versions_are_compared_when_something_has_to_move(admin, states, compared):
    await admin.prepared()
    await admin.bucket("papers")
    for state in states:
        await admin.sql.execute("DELETE FROM rearrangements")
        await admin.call("PATCH", "/backends/fi", {"state": state})
    assert bool(await admin.compared()) == compared


@pytest.mark.parametrize(
    "default, change",
    [
        ({"replica_count": 3}, {"state": "draining"}),
        ({"replica_count": 3}, {"state": "readonly"}),
        ({"region_lock": ["FI"]}, {"state": "lost"}),
        ({"region_lock": ["FI"]}, {"country": "DE"}),
        ({"operator_lock": ["FI"]}, {"jurisdictions": ["FI", "US"]}),
        ({"replica_count": 3, "spread": "country"}, {"country": "US"}),
    ],
)
async def test_what_would_leave_policies_without_backends_is_refused_unless_forced(admin, default, change):
    await admin.prepared(**default)
    await admin.bucket("papers")
    before = await admin.call("GET", "/backends/fi")
    method, body = ("PATCH", change) if "state" in change else ("PUT", admin.registration(**change))
    message = await admin.refused(409, "PolicyUnsatisfiable", method, "/backends/fi", body)
    assert "the installation, acme/papers:" in message
    assert await admin.call("GET", "/backends/fi") == before
    assert await admin.compared() == {}
    changed = await admin.call(method, "/backends/fi", body | {"force": True})
    assert all(changed[field] == value for field, value in change.items())
    assert "refusal" in await admin.call("GET", "/policies/buckets/acme/papers")
    await admin.call("PATCH", "/backends/de", {"state": "readonly", "force": default.get("region_lock") is None})


async def test_of_two_changes_at_once_that_break_policies_together_one_is_refused(admin):
    await admin.prepared(replica_count=2)
    bodies = {backend_id: {"state": "draining"} for backend_id in ("fi", "de")}
    asked = [admin.client.patch(f"/proxy/backends/{backend_id}", json=body) for backend_id, body in bodies.items()]
    assert sorted(answer.status_code for answer in await asyncio.gather(*asked)) == [200, 409]


async def test_only_what_would_break_is_named(admin):
    await admin.prepared()
    for tenant, lock in (("locked", ["FI"]), ("free", ["FI", "DE"])):
        await admin.call("POST", "/tenants", {"tenant_id": tenant}, 201)
        await admin.call("PUT", f"/policies/tenants/{tenant}", {"region_lock": lock})
        await admin.bucket("theirs", tenant=tenant)
    for number in range(3):
        await admin.bucket(f"papers-{number}", location="fi")
    await admin.bucket("anywhere")
    message = await admin.refused(409, "PolicyUnsatisfiable", "PATCH", "/backends/fi", {"state": "disabled"})
    assert "for locked, acme/papers-0, acme/papers-1, acme/papers-2, locked/theirs:" in message
    assert "No active backend is inside the region_lock (FI)." in message
    body = {"backend": "fi", "state": "disabled"}
    own = (await admin.call("POST", "/placement/preview", body | {"tenant": "locked"}))["unsatisfiable"]
    assert [it["subjects"] for it in own] == [["locked"], ["locked/theirs"]], "tenants may ask, and are strangers"
    told = (await admin.call("POST", "/placement/preview", body))["unsatisfiable"]
    assert [(it["subjects"], it["count"], it["rule"]) for it in told] == [
        (["locked"], 1, "region_lock"),
        ([*(f"acme/papers-{number}" for number in range(3)), "locked/theirs"], 4, "region_lock"),
    ]


async def test_a_move_waits_for_a_commit_under_way_and_sees_its_replica(admin):
    """PostgreSQL's own check of a replica reads the backend's row without locking it; the move has to hold it off."""
    await admin.prepared(region_lock=["FI"])
    bucket_id = await admin.bucket("papers")
    transaction = admin.sql.transaction()
    await transaction.start()
    await admin.version(bucket_id, "a", fi="stored")
    move = asyncio.create_task(admin.backend("fi", "US", force=True))
    done, _ = await asyncio.wait([move], timeout=0.5)
    assert not done
    await transaction.commit()
    await move
    assert await admin.compared() == {"papers": False}


async def test_a_replica_that_comes_about_during_a_move_is_checked_against_the_new_place(admin, database_url):
    await admin.prepared(region_lock=["FI"])
    bucket_id = await admin.bucket("papers")
    transaction = admin.sql.transaction()
    await transaction.start()
    await admin.sql.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")  # the move stops after its check, before its end
    move = asyncio.create_task(admin.backend("fi", "US", force=True))
    await admin.until_waiting(1)
    other = await asyncpg.connect(database_url)
    write = asyncio.create_task(dataclasses.replace(admin, sql=other).version(bucket_id, "a", fi="stored"))
    await admin.until_waiting(2)
    await transaction.commit()
    await move
    with pytest.raises(asyncpg.CheckViolationError):
        await write
    await other.close()


async def test_replication_to_a_backend_is_paused_and_limited(admin):
    await admin.backend("fi", "FI")
    limits = {"paused": True, "job_limit": 4, "bytes_per_second": 10**6, "requests_per_second": 2.5}
    assert limits.items() <= (await admin.call("PATCH", "/backends/fi", limits)).items()
    (listed,) = [it for it in (await admin.call("GET", "/backends"))["backends"] if it["backend_id"] == "fi"]
    assert limits.items() <= listed.items()
    assert (await admin.call("PATCH", "/backends/fi", {"paused": False}))["job_limit"] == 4
    assert (await admin.call("PATCH", "/backends/fi", {"job_limit": None}))["job_limit"] is None
    messages = await admin.sql.fetch("SELECT FROM outbox WHERE routing_key = 'invalidate' AND payload ->> 'kind' = 'backend'")
    assert len(messages) == 4


async def test_a_registration_keeps_the_limits(admin):
    registration = {"provider": "p", "endpoint": "http://p", "country": "FI", "jurisdictions": ["FI"], "access_key": "a"}
    await admin.call("PUT", "/backends/new", {**registration, "secret_key": "s"})
    await admin.call("PATCH", "/backends/new", {"job_limit": 4, "paused": True})
    kept = await admin.call("PUT", "/backends/new", registration)
    assert (kept["job_limit"], kept["paused"]) == (4, True)


@pytest.mark.parametrize(
    "change", [{}, {"job_limit": 0}, {"bytes_per_second": 1000}, {"requests_per_second": 0}, {"paused": None}, {"speed": 1}]
)
async def test_limits_that_cannot_be(admin, change):
    await admin.refused(400, "InvalidArgument", "PATCH", "/backends/fi", change)
