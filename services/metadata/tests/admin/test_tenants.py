from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.servers


async def test_a_tenant_is_made_shown_renamed_and_disabled(admin):
    made = await admin.call("POST", "/tenants", {"tenant_id": "acme", "name": "Acme Oy"}, 201)
    assert (made["tenant_id"], made["name"], made["state"]) == ("acme", "Acme Oy", "active")
    assert re.fullmatch("[0-9a-f]{64}", made["canonical_id"])
    assert await admin.call("GET", "/tenants/acme") == made
    changed = await admin.call("PATCH", "/tenants/acme", {"state": "disabled"})
    assert changed == made | {"state": "disabled"}
    assert (await admin.call("PATCH", "/tenants/acme", {"name": "Acme"}))["state"] == "disabled"
    assert await admin.invalidations() == [("tenant", "acme")] * 3


async def test_an_id_is_given_once(admin):
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    await admin.refused(409, "TenantExists", "POST", "/tenants", {"tenant_id": "acme"})
    assert await admin.invalidations() == [("tenant", "acme")]


async def test_tenants_are_listed_in_pages(admin):
    for tenant in ("c", "a", "b"):
        await admin.call("POST", "/tenants", {"tenant_id": tenant}, 201)
    first = await admin.call("GET", "/tenants", limit=2)
    assert ([tenant["tenant_id"] for tenant in first["tenants"]], first["truncated"]) == (["a", "b"], True)
    rest = await admin.call("GET", "/tenants", limit=2, after="b")
    assert ([tenant["tenant_id"] for tenant in rest["tenants"]], rest["truncated"]) == (["c"], False)


@pytest.mark.parametrize("tenant_id", ["", "-a", "Acme", "a_b", "a/b", "a" * 64, "a\n", "é", 7, None])
async def test_a_bad_id_is_refused_by_name(admin, tenant_id):
    assert "tenant_id" in await admin.refused(400, "InvalidArgument", "POST", "/tenants", {"tenant_id": tenant_id})


async def test_an_unknown_tenant_is_404(admin):
    await admin.refused(404, "NoSuchTenant", "GET", "/tenants/nobody")
    await admin.refused(404, "NoSuchTenant", "PATCH", "/tenants/nobody", {"state": "disabled"})
    assert await admin.invalidations() == []
