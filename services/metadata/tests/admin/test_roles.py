"""Who may call what: every route is tried in every role."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest

from domicile_metadata.domain.roles import ACCESS, OPEN, ROLES
from domicile_metadata.handlers.admin import ENDPOINTS

pytestmark = pytest.mark.servers

ROUTES = {endpoint.route: endpoint for endpoint in ENDPOINTS}
# What auditors may send although it is no GET: it changes nothing but their own session.
ASKING = {"POST /proxy/placement/preview", "POST /proxy/erasures", "POST /proxy/sessions/token", "DELETE /proxy/sessions/current"}
OTHER = {"tenant": "zeta", "tenant_id": "zeta"}


def test_every_route_has_its_line_and_every_line_its_route():
    assert set(ACCESS) | OPEN == set(ROUTES)


def test_operators_may_everything_and_auditors_read_everything():
    for route, rule in ACCESS.items():
        assert "operator" in rule.roles, route
        assert ("auditor" in rule.roles) == (route.startswith("GET ") or route in ASKING), route


def test_whatever_has_to_do_with_a_tenant_is_looked_at_for_whose_it_is():
    nobodys = {route for route, rule in ACCESS.items() if "tenant_admin" in rule.roles and rule.scope == "none"}
    assert nobodys == {
        "GET /proxy/erasures/key", "POST /proxy/sessions/token", "GET /proxy/sessions/current", "DELETE /proxy/sessions/current",
    }  # fmt: skip


@dataclass
class Asking:
    """Somebody with a role, who names tenants wherever a request can name one."""

    client: httpx.AsyncClient
    token: str

    async def ask(self, endpoint, tenant="acme", named=None, body=None):
        path = endpoint.path.format(
            tenant=tenant, access_key="a", backend="b", bucket="k", task="t", snapshot="s", token="o", number=0,
            bucket_id="i", version_id="v", backend_id="b",
        )  # fmt: skip
        named = {"tenant": tenant} if named is None else named
        if body is None:
            field = "tenant" if endpoint.path.startswith(("/proxy/placement", "/proxy/jobs", "/proxy/erasures")) else "tenant_id"
            body = {field: tenant}
        headers = {"X-Admin-Key": "", "Authorization": f"Bearer {self.token}"}
        params, sent = (named, None) if endpoint.method == "GET" else ({}, body)
        return await self.client.request(endpoint.method, path, params=params, json=sent, headers=headers)


@pytest.fixture
async def people(admin, sign_in):
    tenant = await sign_in("acme")
    await admin.call("POST", "/tenants", {"tenant_id": "zeta"}, 201)
    made = {"tenant": Asking(admin.client, tenant.token)}
    for role in ("operator", "auditor", "tenant_admin"):
        body = {"name": role, "role": role} | ({"tenant_id": "acme"} if role == "tenant_admin" else {})
        made[role] = Asking(admin.client, (await admin.call("POST", "/tokens", body, 201))["secret"])
    return made


def is_refused(answer):
    return answer.status_code == 403 and answer.json()["error"]["code"] == "NotAllowed"


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_refuses_every_role_that_may_not(people, role):
    for route, rule in ACCESS.items():
        answer = await people[role].ask(ROUTES[route])
        assert is_refused(answer) == (role not in rule.roles), (route, answer.text)
        assert answer.status_code not in (401, 500), route
        if route == "DELETE /proxy/sessions/current" and role == "tenant":
            assert (await people[role].ask(ROUTES["GET /proxy/sessions/current"])).status_code == 401
            break


async def test_a_tenant_admin_gets_nowhere_with_another_tenant(people):
    mine = people["tenant_admin"]
    for route, rule in ACCESS.items():
        if "tenant_admin" not in rule.roles or rule.scope != "named":
            continue
        endpoint = ROUTES[route]
        assert is_refused(await mine.ask(endpoint, "zeta", named=OTHER, body=OTHER)), route
        if "{tenant}" not in endpoint.path:
            assert is_refused(await mine.ask(endpoint, named={}, body={})), route
            both = {"tenant": "acme", "tenant_id": "zeta"}
            assert is_refused(await mine.ask(endpoint, named=[("tenant", "zeta"), ("tenant", "acme")], body=both)), route


async def test_what_is_anothers_is_not_there_for_a_tenant_admin(admin, people):
    key = (await admin.call("POST", "/credentials", {"tenant_id": "zeta"}, 201))["credential"]["access_key"]
    token = (await admin.call("POST", "/tokens", {"name": "z", "role": "tenant_admin", "tenant_id": "zeta"}, 201))["token"]
    snapshot = await admin.call("POST", "/snapshots", {"endpoint": "https://s3.example", "keys": "kept"}, 201)
    headers = {"X-Admin-Key": "", "Authorization": f"Bearer {people['tenant_admin'].token}"}
    for method, path, body in (
        ("PATCH", f"/credentials/{key}", {"state": "disabled"}),
        ("POST", f"/credentials/{key}/rotate", {}),
        ("DELETE", f"/tokens/{token['token_id']}", None),
        ("GET", f"/snapshots/{snapshot['snapshot_id']}", None),
        ("DELETE", f"/snapshots/{snapshot['snapshot_id']}", None),
    ):
        answer = await admin.client.request(method, f"/proxy{path}", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"][:6]) == (404, "NoSuch"), path
    assert await admin.sql.fetchval("SELECT state FROM credentials WHERE access_key = $1", key) == "active"
    assert await admin.sql.fetchval("SELECT count(*) FROM tokens WHERE revoked_at IS NULL") == 4
    listed = (await admin.client.get("/proxy/tokens", headers=headers)).json()["tokens"]
    assert [each["tenant_id"] for each in listed] == ["acme"]


async def test_a_tenant_admin_registers_no_known_pair_and_sees_no_other_backlog(admin, people):
    headers = {"X-Admin-Key": "", "Authorization": f"Bearer {people['tenant_admin'].token}"}
    pair = {"tenant_id": "acme", "access_key": "ALPHA", "secret_key": "4ab1c7d2e9f04ab1c7d2e9f0"}
    answer = await admin.client.post("/proxy/credentials", json=pair, headers=headers)
    assert is_refused(answer)
    await admin.backend("fi", "FI")
    assert (await admin.client.get("/proxy/jobs", params={"tenant": "acme"}, headers=headers)).json()["backlogs"] == []


async def test_a_tenant_admin_tightens_its_policy_and_loosens_it_not(admin, people):
    for backend_id in ("fi", "de"):
        await admin.backend(backend_id, backend_id.upper())
    await admin.call("PUT", "/policies/default", {"replica_count": 1, "write_quorum": 1})
    await admin.call("PUT", "/policies/tenants/acme", {"region_lock": ["FI", "DE"]})
    headers = {"X-Admin-Key": "", "Authorization": f"Bearer {people['tenant_admin'].token}"}

    async def put(document):
        answer = await admin.client.put("/proxy/policies/tenants/acme", json=document, headers=headers)
        return answer.status_code, answer.json().get("error", {}).get("message", "")

    assert await put({"region_lock": ["FI"]}) == (200, "")
    for loosened in ({"region_lock": ["FI", "DE"]}, {}):
        assert await put(loosened) == (409, "Only an operator may loosen the tenant's region_lock.")
    assert await admin.sql.fetchval("SELECT count(*) FROM policies WHERE level = 'tenant'") == 2
