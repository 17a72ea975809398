from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from domicile_common.sigv4.sign import Signer
from domicile_metadata.handlers.admin import admin_routes

pytestmark = pytest.mark.servers

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECRET = "4ab1c7d2e9f04ab1c7d2e9f0"


def signed(access_key="ALPHA", secret=SECRET, *, method="POST", path="/api/session/tenant", now=NOW, body=b"", query=""):
    headers = {"host": "discovery.example"}
    added = Signer(access_key, secret, "us-east-1").sign(method, path, query, headers, payload=sha256(body).hexdigest(), now=now)
    return {"headers": {**headers, **added}}


@pytest.fixture
async def people(admin):
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    pair = {"tenant_id": "acme", "access_key": "ALPHA", "secret_key": SECRET}
    await admin.call("POST", "/credentials", pair, 201)
    return admin


async def ask(admin, token, path="/sessions/current", method="GET"):
    headers = {"X-Admin-Key": "", "Authorization": f"Bearer {token}"}
    return await admin.client.request(method, f"/proxy{path}", headers=headers)


async def test_the_admin_key_becomes_a_session_that_may_do_the_same(people):
    issued = await people.call("POST", "/sessions/operator", status=201)
    assert issued["caller"]["role"] == "operator"
    assert datetime.fromisoformat(issued["caller"]["expires_at"]) == people.now + timedelta(hours=1)
    assert (await ask(people, issued["token"])).json() == issued["caller"]
    assert (await ask(people, issued["token"], "/tenants")).status_code == 200


async def test_a_signed_request_becomes_a_session_of_its_tenant_which_may_nothing_of_the_operators(people):
    issued = await people.call("POST", "/sessions/tenant", signed(), 201)
    assert {name: issued["caller"][name] for name in ("role", "tenant_id", "access")} == {
        "role": "tenant", "tenant_id": "acme", "access": "full",
    }  # fmt: skip
    assert (await ask(people, issued["token"])).json() == issued["caller"]
    for path in ("/tenants", "/backends", "/jobs", "/lag/history", "/nothing"):
        answer = await ask(people, issued["token"], path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "NotAllowed")


async def test_tenants_sign_in_without_the_admin_key(people):
    answer = await people.client.post("/proxy/sessions/tenant", json=signed(), headers={"X-Admin-Key": "wrong"})
    assert answer.status_code == 201


async def test_a_signature_serves_once_even_after_its_session_was_ended(people):
    login = signed()
    issued = await people.call("POST", "/sessions/tenant", login, 201)
    await people.refused(403, "SignInRefused", "POST", "/sessions/tenant", login)
    assert (await ask(people, issued["token"], method="DELETE")).status_code == 200
    assert (await ask(people, issued["token"])).status_code == 401
    await people.refused(403, "SignInRefused", "POST", "/sessions/tenant", login)
    await people.call("POST", "/sessions/tenant", signed(now=NOW + timedelta(seconds=1)), 201)


@pytest.mark.parametrize(
    "login",
    [
        signed(secret="another-secret-1234567"),
        signed("NOBODY"),
        signed(method="GET"),
        signed(path="/bucket/key"),
        signed(query="a=b"),
        signed(body=b"x"),
        signed(now=NOW - timedelta(minutes=16)),
        signed(now=NOW + timedelta(minutes=16)),
        {"headers": {}},
        {"headers": {"host": "x", "authorization": "AWS4-HMAC-SHA256 nonsense"}},
        {"headers": {"host": "\u20ac"}},
        {"headers": {"host": "x", "authorization": "Bearer x"}},
    ],
)
async def test_whatever_is_wrong_with_a_signature_gets_the_same_answer(people, login):
    message = await people.refused(403, "SignInRefused", "POST", "/sessions/tenant", login)
    assert message.startswith("The signature is not one of an active access key")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"headers": 1}', b'{"headers": {}, "x": 1}'])
async def test_what_is_no_signed_request_is_malformed(people, body):
    await people.refused(400, "InvalidArgument", "POST", "/sessions/tenant", body)


@pytest.mark.parametrize("path", ["/credentials/ALPHA", "/tenants/acme"])
async def test_disabling_a_key_or_its_tenant_ends_their_sessions(people, path):
    token = (await people.call("POST", "/sessions/tenant", signed(), 201))["token"]
    await people.call("PATCH", path, {"state": "disabled"})
    assert (await ask(people, token)).status_code == 401
    await people.refused(403, "SignInRefused", "POST", "/sessions/tenant", signed(now=NOW + timedelta(seconds=1)))


async def client_of(people, **changes):
    app = Starlette(routes=admin_routes(replace(people.context, **changes)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metadata")


async def test_a_session_ends_with_its_time_and_with_the_admin_key(people):
    token = (await people.call("POST", "/sessions/operator", status=201))["token"]
    later = await client_of(people, clock=lambda: NOW + timedelta(seconds=3601))
    changed = people.context.settings.model_copy(update={"admin_api_key": SecretStr("another-operator-key-0815")})
    for client in (later, await client_of(people, settings=changed)):
        answer = await client.get("/proxy/sessions/current", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        await client.aclose()


async def test_a_row_alone_makes_no_session(people):
    await people.sql.execute(
        "INSERT INTO sessions (token_hash, proof, expires_at) VALUES ($1, $2, now() + interval '1 year')",
        sha256(b"forged").digest(), b"x" * 32,
    )  # fmt: skip
    assert (await ask(people, "forged")).status_code == 401
    token = (await people.call("POST", "/sessions/tenant", signed(), 201))["token"]
    await people.sql.execute("UPDATE sessions SET access_key = NULL")
    assert (await ask(people, token)).status_code == 401


async def test_the_record_holds_no_token_and_forgets_what_has_expired(people):
    token = (await people.call("POST", "/sessions/operator", status=201))["token"]
    rows = await people.sql.fetch("SELECT sessions::text AS row FROM sessions")
    assert len(rows) == 1
    assert token not in rows[0]["row"]
    await people.sql.execute("UPDATE sessions SET expires_at = '2026-01-01'")
    await people.call("POST", "/sessions/operator", status=201)
    assert await people.sql.fetchval("SELECT count(*) FROM sessions") == 1


@pytest.mark.parametrize("token", ["", "x", "x" * 5000])
async def test_what_is_no_token_is_nobody(people, token):
    assert (await ask(people, token)).status_code == 401


async def test_a_key_that_reads_has_sessions_that_read(people):
    await people.call(
        "POST", "/credentials", {"tenant_id": "acme", "access": "read", "access_key": "READER", "secret_key": SECRET}, 201
    )
    issued = await people.call("POST", "/sessions/tenant", signed("READER"), 201)
    assert issued["caller"]["access"] == "read"
