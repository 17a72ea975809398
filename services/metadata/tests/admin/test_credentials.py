from __future__ import annotations

import pytest

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import FindCredential
from domicile_common.sealing import Sealer, credential_context
from domicile_metadata.services import directory

pytestmark = pytest.mark.servers

PAIR = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


@pytest.fixture
async def tenant(admin):
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    await admin.invalidations()
    return "acme"


async def test_a_secret_is_shown_once_and_kept_sealed(admin, tenant):
    issued = await admin.call("POST", "/credentials", {"tenant_id": tenant}, 201)
    access_key, secret = issued["credential"]["access_key"], issued["secret_key"]
    assert (len(access_key), len(secret)) == (18, 40)
    assert secret not in str(await admin.call("GET", "/credentials"))
    sealed = await admin.sql.fetchval("SELECT sealed_secret FROM credentials")
    assert secret not in sealed
    assert admin.context.sealer.open(sealed, credential_context(access_key)) == secret
    assert await admin.invalidations() == [("credential", access_key)]


async def test_no_two_credentials_are_alike(admin, tenant):
    issued = [await admin.call("POST", "/credentials", {"tenant_id": tenant}, 201) for _ in range(3)]
    assert len({one["secret_key"] for one in issued}) == len({one["credential"]["access_key"] for one in issued}) == 3


async def test_a_known_pair_is_registered_any_number_of_times(admin, tenant):
    first = await admin.call("POST", "/credentials", {"tenant_id": tenant} | PAIR, 201)
    assert await admin.call("POST", "/credentials", {"tenant_id": tenant} | PAIR, 201) == first
    assert first["credential"]["access_key"] == PAIR["access_key"]


@pytest.mark.parametrize(
    "change", [{"secret_key": "another secret key".replace(" ", "-")}, {"access": "read"}, {"tenant_id": "globex"}]
)
async def test_a_taken_access_key_is_never_overwritten(admin, tenant, change):
    await admin.call("POST", "/tenants", {"tenant_id": "globex"}, 201)
    await admin.call("POST", "/credentials", {"tenant_id": tenant} | PAIR, 201)
    message = await admin.refused(409, "CredentialExists", "POST", "/credentials", {"tenant_id": tenant} | PAIR | change)
    assert PAIR["secret_key"] not in message


@pytest.mark.parametrize(
    "body,named",
    [
        ({}, "tenant_id"),
        ({"tenant_id": "acme", "access": "write"}, "access"),
        ({"tenant_id": "acme", "expires_in_seconds": -1}, "expires_in_seconds"),
        ({"tenant_id": "acme", "access_key": "AKIAIOSFODNN7EXAMPLE"}, "secret_key"),
        ({"tenant_id": "acme", "secret_key": PAIR["secret_key"]}, "access_key"),
        ({"tenant_id": "acme"} | PAIR | {"access_key": "a/b"}, "access_key"),
        ({"tenant_id": "acme"} | PAIR | {"secret_key": "hunter2"}, "secret_key"),
        ({"tenant_id": "acme"} | PAIR | {"secret_key": "with a space in the middle"}, "secret_key"),
    ],
)
async def test_a_bad_request_names_the_field_and_keeps_the_secret_back(admin, tenant, body, named):
    message = await admin.refused(400, "InvalidArgument", "POST", "/credentials", body)
    assert named in message
    assert str(body.get("secret_key")) not in message


async def test_an_unknown_tenant_or_key_is_404(admin):
    await admin.refused(404, "NoSuchTenant", "POST", "/credentials", {"tenant_id": "nobody"})
    await admin.refused(404, "NoSuchCredential", "PATCH", "/credentials/AK", {"state": "disabled"})
    await admin.refused(404, "NoSuchCredential", "POST", "/credentials/AK/rotate")


async def find(admin, access_key):
    return await directory.find_credential(admin.context, FindCredential(access_key=access_key))


async def test_a_disabled_key_is_refused_until_it_is_enabled_again(admin, tenant):
    await admin.call("POST", "/credentials", {"tenant_id": tenant} | PAIR, 201)
    path = f"/credentials/{PAIR['access_key']}"
    assert (await admin.call("PATCH", path, {"state": "disabled"}))["state"] == "disabled"
    with pytest.raises(RequestError):
        await find(admin, PAIR["access_key"])
    await admin.call("PATCH", path, {"state": "active"})
    assert (await find(admin, PAIR["access_key"])).tenant.tenant_id == tenant
    assert await admin.invalidations() == [("credential", PAIR["access_key"])] * 3


async def test_rotation_gives_a_new_key_and_lets_the_old_one_run_out(admin, tenant):
    await admin.call("POST", "/credentials", {"tenant_id": tenant, "access": "read"} | PAIR, 201)
    await admin.invalidations()
    issued = await admin.call("POST", f"/credentials/{PAIR['access_key']}/rotate", {"overlap_seconds": 60}, 201)
    new = issued["credential"]
    assert new["access_key"] != PAIR["access_key"]
    assert issued["secret_key"] != PAIR["secret_key"]
    assert (new["tenant_id"], new["access"], new["expires_at"]) == (tenant, "read", None)
    listed = {one["access_key"]: one for one in (await admin.call("GET", "/credentials", tenant=tenant))["credentials"]}
    assert listed[PAIR["access_key"]]["expires_at"] == "2026-03-04T05:07:07Z"
    assert await admin.invalidations() == [("credential", PAIR["access_key"]), ("credential", new["access_key"])]


async def test_rotation_never_prolongs_a_key_and_revives_none(admin, tenant):
    body = {"tenant_id": tenant, "expires_in_seconds": 10} | PAIR
    await admin.call("POST", "/credentials", body, 201)
    path = f"/credentials/{PAIR['access_key']}"
    await admin.call("POST", f"{path}/rotate", {"overlap_seconds": 3600}, 201)
    expires_at = await admin.sql.fetchval("SELECT expires_at FROM credentials WHERE access_key = $1", PAIR["access_key"])
    assert (expires_at - admin.now).seconds == 10
    await admin.call("PATCH", path, {"state": "disabled"})
    await admin.refused(409, "CredentialInactive", "POST", f"{path}/rotate")


async def test_credentials_are_listed_by_tenant_in_pages(admin, tenant):
    await admin.call("POST", "/tenants", {"tenant_id": "globex"}, 201)
    for access_key, owner in (("AK1", tenant), ("AK2", "globex"), ("AK3", tenant)):
        await admin.call(
            "POST", "/credentials", {"tenant_id": owner, "access_key": access_key, "secret_key": PAIR["secret_key"]}, 201
        )
    first = await admin.call("GET", "/credentials", tenant=tenant, limit=1)
    assert ([one["access_key"] for one in first["credentials"]], first["truncated"]) == (["AK1"], True)
    rest = await admin.call("GET", "/credentials", tenant=tenant, limit=1, after="AK1")
    assert ([one["access_key"] for one in rest["credentials"]], rest["truncated"]) == (["AK3"], False)


async def test_a_secret_can_be_sealed_for_whoever_asked_for_it(admin, tenant):
    page = Sealer("of a page, for one answer")  # has a key pair
    made = await admin.call("POST", "/credentials", {"tenant_id": tenant, "seal_to": page.public_key}, 201)
    old = made["credential"]["access_key"]
    rotated = await admin.call("POST", f"/credentials/{old}/rotate", {"seal_to": page.public_key}, 201)
    for issued in (made, rotated):
        context = credential_context(issued["credential"]["access_key"])
        secret = page.open_handed_over(f"h1.{page.key_id}.{issued['sealed_secret_key']}", context)
        kept = await admin.sql.fetchval(
            "SELECT sealed_secret FROM credentials WHERE access_key = $1", issued["credential"]["access_key"]
        )
        assert admin.context.sealer.open(kept, context) == secret
        assert "secret_key" not in issued


@pytest.mark.parametrize("key", ["", "%", "AAAA", "A" * 87, "ä", "A" * 201])
async def test_a_key_that_nothing_can_be_sealed_for_is_refused_and_nothing_is_made(admin, tenant, key):
    await admin.refused(400, "InvalidArgument", "POST", "/credentials", {"tenant_id": tenant, "seal_to": key})
    assert (await admin.call("GET", "/credentials"))["credentials"] == []
    assert await admin.invalidations() == []
