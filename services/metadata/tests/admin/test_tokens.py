from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from domicile_common.sealing import Sealer
from domicile_metadata.handlers.admin import admin_routes

pytestmark = pytest.mark.servers

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


async def make(admin, **fields):
    return await admin.call("POST", "/tokens", {"name": "ci", "role": "auditor"} | fields, 201)


async def ask(admin, secret, path="/sessions/current", method="GET", **request):
    headers = {"X-Admin-Key": "", "Authorization": f"Bearer {secret}"}
    return await admin.client.request(method, f"/proxy{path}", headers=headers, **request)


async def test_a_token_is_shown_once_and_says_who_asks(admin):
    made = await make(admin, expires_in_seconds=3600)
    assert made["secret"].startswith("dmt_")
    token = made["token"]
    assert (await ask(admin, made["secret"])).json() == {
        "role": "auditor", "tenant_id": None, "access": "read", "expires_at": "2026-03-04T06:06:07Z", "kind": "token",
        "actor": token["token_id"],
    }  # fmt: skip
    (listed,) = (await admin.call("GET", "/tokens"))["tokens"]
    assert listed == token | {"last_used_at": "2026-03-04T05:06:07Z"}
    (row,) = await admin.sql.fetch("SELECT tokens::text AS row FROM tokens")
    assert made["secret"] not in row["row"]
    assert sha256(made["secret"].encode()).hexdigest() in row["row"]


async def test_a_revoked_token_ends_at_once_and_with_it_its_sessions(admin):
    made = await make(admin)
    issued = (await ask(admin, made["secret"], "/sessions/token", "POST")).json()
    assert (issued["caller"]["role"], issued["caller"]["kind"]) == ("auditor", "session")
    assert (await ask(admin, issued["token"])).json() == issued["caller"] | {"expires_at": issued["caller"]["expires_at"]}
    assert (await ask(admin, issued["token"], "/tenants")).status_code == 200
    assert (await ask(admin, issued["token"], "/sessions/token", "POST")).status_code == 403
    revoked = await admin.call("DELETE", f"/tokens/{made['token']['token_id']}")
    assert revoked["revoked_at"] == "2026-03-04T05:06:07Z"
    for secret in (made["secret"], issued["token"]):
        assert (await ask(admin, secret)).status_code == 401
    await admin.refused(404, "NoSuchToken", "DELETE", "/tokens/nothing")


async def client_of(admin, **changes):
    app = Starlette(routes=admin_routes(replace(admin.context, **changes)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metadata")


async def test_a_token_ends_with_its_time_with_the_admin_key_and_with_its_tenant(admin):
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    made = await make(admin, role="tenant_admin", tenant_id="acme", expires_in_seconds=60)
    session = (await ask(admin, made["secret"], "/sessions/token", "POST")).json()["token"]
    later = await client_of(admin, clock=lambda: NOW + timedelta(seconds=61))
    changed = admin.context.settings.model_copy(update={"admin_api_key": SecretStr("another-operator-key-0815")})
    for client in (later, await client_of(admin, settings=changed)):
        for secret in (made["secret"], session):
            answer = await client.get("/proxy/sessions/current", headers={"Authorization": f"Bearer {secret}"})
            assert answer.status_code == 401
        await client.aclose()
    await admin.call("PATCH", "/tenants/acme", {"state": "disabled"})
    for secret in (made["secret"], session):
        assert (await ask(admin, secret)).status_code == 401


async def test_a_token_that_is_used_while_the_admin_key_is_changed_goes_on_with_the_new_one(admin):
    used, unused = await make(admin), await make(admin)
    settings = admin.context.settings
    new = {"admin_api_key": SecretStr("another-operator-key-0815")}
    both = await client_of(admin, settings=settings.model_copy(update={**new, "admin_api_key_previous": settings.admin_api_key}))
    only = await client_of(admin, settings=settings.model_copy(update=new))
    for client, made, status in ((both, used, 200), (only, used, 200), (only, unused, 401)):
        answer = await client.get("/proxy/sessions/current", headers={"Authorization": f"Bearer {made['secret']}"})
        assert answer.status_code == status
    await both.aclose()
    await only.aclose()


@pytest.mark.parametrize("change", ["role = 'operator'", "expires_at = expires_at + interval '1 year'", "token_id = 'another'"])
async def test_who_writes_into_the_database_makes_no_token_more_than_it_is(admin, change):
    made = await make(admin)
    await admin.sql.execute(f"UPDATE tokens SET {change}")
    assert (await ask(admin, made["secret"])).status_code == 401


async def test_a_session_of_a_token_cannot_be_made_one_of_the_operators(admin):
    made = await make(admin)
    session = (await ask(admin, made["secret"], "/sessions/token", "POST")).json()["token"]
    await admin.sql.execute("UPDATE sessions SET token_id = NULL")
    assert (await ask(admin, session)).status_code == 401


async def test_tenant_admins_make_tokens_of_their_own_tenant_only(admin):
    for tenant in ("acme", "zeta"):
        await admin.call("POST", "/tenants", {"tenant_id": tenant}, 201)
    mine = (await make(admin, role="tenant_admin", tenant_id="acme"))["secret"]
    for body, status in (
        ({"role": "tenant_admin", "tenant_id": "acme"}, 201),
        ({"role": "tenant_admin", "tenant_id": "zeta"}, 403),
        ({"role": "operator"}, 403),
        ({"role": "auditor"}, 403),
    ):
        answer = await ask(admin, mine, "/tokens", "POST", json={"name": "x"} | body)
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "x"}, {"name": "", "role": "auditor"}, {"name": "x", "role": "tenant"}, {"name": "x", "role": "tenant_admin"},
        {"name": "x", "role": "operator", "tenant_id": "acme"}, {"name": "x", "role": "auditor", "expires_in_seconds": 59},
        {"name": "x", "role": "auditor", "expires_in_seconds": 10**9},
    ],
)  # fmt: skip
async def test_what_is_no_token_is_refused(admin, body):
    await admin.refused(400, "InvalidArgument", "POST", "/tokens", body)
    assert await admin.sql.fetchval("SELECT count(*) FROM tokens") == 0


async def test_a_token_of_no_tenant_is_not_made(admin):
    await admin.refused(404, "NoSuchTenant", "POST", "/tokens", {"name": "x", "role": "tenant_admin", "tenant_id": "nobody"})


@pytest.mark.parametrize("secret", ["dmt_", "dmt_x", "dmt_" + "x" * 5000])
async def test_what_is_no_secret_is_nobody(admin, secret):
    assert (await ask(admin, secret)).status_code == 401


async def test_a_token_can_be_sealed_for_the_page_that_asked_for_it(admin):
    page = Sealer("of a page, for one answer")  # has a key pair
    made = await make(admin, seal_to=page.public_key)
    secret = page.open_handed_over(f"h1.{page.key_id}.{made['sealed_secret']}", f"token:{made['token']['token_id']}")
    assert "secret" not in made
    assert (await ask(admin, secret)).json()["role"] == "auditor"
    await admin.refused(400, "InvalidArgument", "POST", "/tokens", {"name": "ci", "role": "auditor", "seal_to": "AAAA"})
    assert len((await admin.call("GET", "/tokens"))["tokens"]) == 1
