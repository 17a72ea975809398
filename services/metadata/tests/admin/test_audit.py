"""What stands in the audit log, and that it stays as it is."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest

from domicile_common.errors import Unavailable
from domicile_metadata.services import audit as service
from domicile_metadata.storage.migrate import migrate

pytestmark = pytest.mark.servers


async def entries(admin, **params):
    return (await admin.call("GET", "/audit", **params))["entries"]


async def test_what_is_done_is_noted_with_who_what_and_whom_it_is_about(admin):
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    token = await admin.call("POST", "/tokens", {"name": "a", "role": "tenant_admin", "tenant_id": "acme"}, 201)
    headers = {"X-Admin-Key": "", "Authorization": f"Bearer {token['secret']}", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    pair = (await admin.client.post("/proxy/credentials", json={"tenant_id": "acme"}, headers=headers)).json()
    (made, issued, tenant) = await entries(admin)
    assert made == made | {
        "kind": "token", "actor": token["token"]["token_id"], "role": "tenant_admin", "tenant_id": "acme", "action": "POST /proxy/credentials",
        "target": f"/proxy/credentials {pair['credential']['access_key']}", "status": 201, "code": "", "request_id": "ab" * 16, "seq": 3,
        "at": "2026-03-04T05:06:07Z",
    }  # fmt: skip
    assert (issued["kind"], issued["role"], issued["tenant_id"]) == ("key", "operator", "acme")
    assert (tenant["action"], tenant["previous"]) == ("POST /proxy/tenants", "0" * 64)
    everything = json.dumps(await admin.sql.fetch("SELECT audit::text FROM audit"), default=str)
    for secret in (pair["secret_key"], token["secret"]):
        assert secret not in everything


async def test_what_is_refused_is_noted_too(admin, sign_in):
    await admin.refused(404, "NoSuchTenant", "PATCH", "/tenants/nobody", {"name": "x"})
    await admin.refused(400, "InvalidArgument", "POST", "/tenants", {"nonsense": 1})
    person = await sign_in("acme")
    await person.call("GET", "/backends", status=403)
    await admin.client.put("/proxy/policies/default", headers={"X-Admin-Key": "wrong"})
    found = await entries(admin, refused=True)
    assert [(it["role"], it["action"], it["status"], it["code"]) for it in found] == [
        ("nobody", "PUT /proxy/policies/default", 401, "AccessDenied"),
        ("tenant", "GET /proxy/backends", 403, "NotAllowed"),
        ("operator", "POST /proxy/tenants", 400, "InvalidArgument"),
        ("operator", "PATCH /proxy/tenants/{tenant}", 404, "NoSuchTenant"),
    ]


async def test_attempts_tell_no_secret_and_nothing_to_other_tenants(admin):
    for tenant in ("acme", "zeta"):
        await admin.call("POST", "/tenants", {"tenant_id": tenant}, 201)
    token = await admin.call("POST", "/tokens", {"name": "a", "role": "tenant_admin", "tenant_id": "acme"}, 201)
    headers = {"X-Admin-Key": "", "Authorization": f"Bearer {token['secret']}"}
    assert (await admin.client.put("/proxy/policies/tenants/zeta", json={}, headers=headers)).status_code == 403
    await admin.refused(404, "NoSuchToken", "DELETE", f"/tokens/{token['secret']}")
    revoking, policy, *_ = await entries(admin)
    assert (policy["tenant_id"], policy["target"]) == ("acme", "/proxy/policies/tenants/zeta")
    assert revoking["target"] == "/proxy/tokens/[redacted]"
    assert [it["action"] for it in await entries(admin, tenant="zeta")] == ["POST /proxy/tenants"]


async def test_reading_is_not_noted(admin):
    await admin.call("GET", "/tenants")
    await admin.call("GET", "/audit/verify")
    assert await entries(admin) == []


async def test_strangers_do_not_fill_the_log(admin):
    for _ in range(100):
        answer = await admin.client.delete("/proxy/snapshots/x", headers={"X-Admin-Key": "wrong"})
        assert answer.status_code == 401
    assert 1 <= await admin.sql.fetchval("SELECT count(*) FROM audit") < 70
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    assert (await entries(admin))[0]["action"] == "POST /proxy/tenants"


async def test_what_cannot_be_noted_is_not_done(admin, monkeypatch):
    async def away(*_):
        raise Unavailable("no")

    monkeypatch.setattr(service.audit, "append", away)
    await admin.refused(503, "ServiceUnavailable", "POST", "/tenants", {"tenant_id": "acme"})
    assert await admin.sql.fetchval("SELECT count(*) FROM tenants") == 0


async def test_filters_and_pages(admin):
    for tenant in ("acme", "zeta"):
        await admin.call("POST", "/tenants", {"tenant_id": tenant}, 201)
    await admin.call("PATCH", "/tenants/acme", {"name": "Acme"})
    assert [it["seq"] for it in await entries(admin, tenant="acme")] == [3, 1]
    assert [it["seq"] for it in await entries(admin, about="PATCH")] == [3]
    assert [it["seq"] for it in await entries(admin, role="auditor")] == []
    assert [it["seq"] for it in await entries(admin, since="2026-03-04T05:06:07Z", until="2026-03-04T05:06:08Z")] == [3, 2, 1]
    assert await entries(admin, until="2026-03-04T05:06:07Z") == []
    page = await admin.call("GET", "/audit", limit=2)
    assert ([it["seq"] for it in page["entries"]], page["next"]) == ([3, 2], 2)
    rest = await admin.call("GET", "/audit", limit=2, after=page["next"])
    assert ([it["seq"] for it in rest["entries"]], rest["next"]) == ([1], None)
    for wrong in ({"since": "yesterday"}, {"nonsense": "x"}, {"after": "x"}, {"after": "9" * 30}):
        await admin.refused(400, "InvalidArgument", "GET", "/audit", **wrong)


async def test_a_tenant_admin_sees_what_concerns_its_tenant(admin):
    for tenant in ("acme", "zeta"):
        await admin.call("POST", "/tenants", {"tenant_id": tenant}, 201)
    token = await admin.call("POST", "/tokens", {"name": "a", "role": "tenant_admin", "tenant_id": "acme"}, 201)
    headers = {"X-Admin-Key": "", "Authorization": f"Bearer {token['secret']}"}
    found = (await admin.client.get("/proxy/audit", params={"tenant": "acme"}, headers=headers)).json()["entries"]
    exported = (await admin.client.get("/proxy/audit/export", params={"tenant": "acme"}, headers=headers)).text.splitlines()
    assert [json.loads(line) for line in exported] == found[::-1]
    assert {it["tenant_id"] for it in found} == {"acme"}


async def test_the_log_hangs_together_and_shows_what_was_tampered_with(admin):
    await asyncio.gather(*(admin.call("POST", "/tenants", {"tenant_id": f"t{number}"}, 201) for number in range(8)))
    verdict = await admin.call("GET", "/audit/verify")
    assert verdict == verdict | {"entries": 8, "last": 8, "broken_at": None}
    lines = [json.loads(line) for line in (await admin.client.get("/proxy/audit/export")).text.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, 9))
    assert (await admin.call("GET", "/audit/verify", after=3, hash=lines[2]["hash"]))["entries"] == 5
    await admin.refused(400, "InvalidArgument", "GET", "/audit/verify", after=3)
    # Somebody with all rights rewrites it.
    await admin.sql.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_added_to")
    await admin.sql.execute("UPDATE audit SET target = '/proxy/tenants/other' WHERE seq = 5")
    verdict = await admin.call("GET", "/audit/verify")
    assert (verdict["broken_at"], verdict["why"]) == (5, "the row is not what was written")
    await admin.sql.execute("DELETE FROM audit WHERE seq = 5")
    verdict = await admin.call("GET", "/audit/verify")
    assert (verdict["broken_at"], verdict["why"]) == (6, "rows after 4 are missing")
    # What is cut off at the end shows against what somebody has kept.
    await admin.sql.execute("DELETE FROM audit WHERE seq >= 4")
    assert (await admin.call("GET", "/audit/verify"))["last"] == 3
    assert (await admin.call("GET", "/audit/verify", after=8, hash=lines[7]["hash"]))["entries"] == 0


@pytest.mark.parametrize("statement", ["UPDATE audit SET role = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
async def test_postgresql_refuses_to_rewrite_the_log(admin, statement):
    await admin.call("POST", "/tenants", {"tenant_id": "acme"}, 201)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await admin.sql.execute(statement)


async def test_its_owner_has_no_right_to_rewrite_it(empty_database_url):
    """Where the services' user is no superuser, as it should be, the trigger is the second line."""
    admin = await asyncpg.connect(empty_database_url)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'CREATE ROLE "{name}" LOGIN PASSWORD \'just-for-this-test\'; ALTER DATABASE "{name}" OWNER TO "{name}"')
    await admin.execute(f'ALTER SCHEMA public OWNER TO "{name}"')
    host, port = admin._addr
    url = f"postgresql://{name}:just-for-this-test@{host}:{port}/{name}"
    await migrate(url, trailing_post=False)
    owner = await asyncpg.connect(url)
    await owner.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_added_to")
    for statement in ("UPDATE audit SET role = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
            await owner.execute(statement)
    await owner.close()
    await admin.close()
