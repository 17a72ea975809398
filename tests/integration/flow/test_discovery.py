"""The discovery service against the whole installation, asked as its own page asks it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from domicile_client.cli.main import run as run_command
from domicile_common.sigv4 import canonical
from domicile_common.sigv4.sign import Signer

pytestmark = pytest.mark.servers


@pytest.fixture
def page(domicile):
    """A browser's tab: it keeps cookies, and says where it comes from."""
    origin = domicile.suite.discovery_url
    with httpx.Client(
        base_url=origin, headers={"X-Domicile-Request": "1", "Origin": origin}, trust_env=False, timeout=30
    ) as client:
        yield client


@pytest.fixture
def operator(page, domicile):
    assert page.post("/api/session/operator", json={"admin_key": domicile.suite.admin_key}).status_code == 201
    return page


def signed_in(page, key):
    headers = {"host": page.base_url.netloc.decode()}
    signer = Signer(key.access_key, key.secret_key, "us-east-1")
    signed = signer.sign("POST", "/api/session/tenant", "", headers, payload=canonical.EMPTY_SHA256, now=datetime.now(UTC))
    answer = page.post("/api/session/tenant", headers=signed)
    assert answer.status_code == 201, answer.text
    return answer


def presigned(origin, key, path, query="", *, method="GET"):
    signer = Signer(key.access_key, key.secret_key, "us-east-1")
    host = origin.partition("://")[2]
    return {
        "method": method,
        "url": f"{origin}{path}?{signer.presign(method, path, query, {'host': host}, expires=60, now=datetime.now(UTC))}",
    }


def test_an_operator_signs_in_uses_the_admin_api_and_signs_out(page, domicile):
    assert page.get("/api/tenants").status_code == 401
    wrong = page.post("/api/session/operator", json={"admin_key": "not-the-admin-key"})
    assert (wrong.status_code, wrong.headers.get("set-cookie")) == (401, None)
    made = page.post("/api/session/operator", json={"admin_key": domicile.suite.admin_key})
    cookie = made.headers["set-cookie"]
    assert all(flag in cookie for flag in ("HttpOnly", "SameSite=strict", "Path=/api"))
    assert domicile.suite.admin_key not in made.text + cookie
    assert page.get("/api/session").json()["role"] == "operator"
    assert {"one", "two"} <= {tenant["tenant_id"] for tenant in page.get("/api/tenants").json()["tenants"]}
    assert page.get("/api/tenants?limit=x").json()["error"]["code"] == "InvalidArgument"
    changed = page.patch("/api/tenants/one", json={"name": "One"})
    assert (changed.status_code, changed.json()["name"]) == (200, "One")
    stolen = page.cookies["domicile_session"]
    assert page.delete("/api/session").status_code == 200
    assert page.get("/api/session").json()["role"] == "nobody"
    assert "domicile_session" not in page.cookies
    assert page.get("/api/tenants", headers={"Cookie": f"domicile_session={stolen}"}).status_code == 401


def test_an_auditor_signs_in_with_a_token_sees_everything_and_changes_nothing(operator):
    issued = operator.post("/api/tokens", json={"name": "auditor", "role": "auditor"}).json()
    assert operator.post("/api/session/token", json={"token": "dmt_wrong"}).status_code == 401
    signed = operator.post("/api/session/token", json={"token": issued["secret"]})
    assert (signed.status_code, signed.json()["role"]) == (201, "auditor")
    assert issued["secret"] not in signed.headers["set-cookie"]
    assert operator.get("/api/tenants").status_code == 200
    assert operator.patch("/api/tenants/one", json={"name": "Mine"}).status_code == 403
    (refused,) = operator.get("/api/audit", params={"actor": issued["token"]["token_id"], "refused": "true"}).json()["entries"]
    assert (refused["kind"], refused["target"], refused["code"]) == ("session", "/proxy/tenants/one", "NotAllowed")


def test_a_tenant_signs_in_without_its_secret_and_reaches_its_snapshots_only(page, domicile):
    key = domicile.keys["one"]
    signed_in(page, key)
    assert page.get("/api/session").json()["tenant_id"] == "one"
    assert page.get("/api/tenants").status_code == 403
    assert page.post("/api/sovereignty", json={"policy": {}, "among": "backends"}).status_code == 403
    wanted = {"endpoint": "https://s3.example.com", "title": "The operators' own", "keys": "kept"}
    foreign = domicile.admin("POST", "/snapshots", wanted)["snapshot_id"]
    assert {it["tenant_id"] for it in page.get("/api/snapshots").json()["snapshots"]} <= {"one"}
    assert page.get(f"/api/snapshots/{foreign}").status_code == 404
    domicile.admin("DELETE", f"/snapshots/{foreign}")


@pytest.mark.parametrize(
    "path", ["/api/jobs/../../metrics", "/api/jobs/../../healthz", "/api/buckets/../sessions", "/api/tenants/.."]
)
def test_no_path_leads_out_of_what_is_passed_on(domicile, path):
    """Browsers, and httpx, resolve such a path before they send it; not everybody does."""
    connection = http.client.HTTPConnection(domicile.suite.discovery_url.partition("://")[2], timeout=30)
    connection.request("GET", path, headers={"Cookie": "domicile_session=made-up"})
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)["error"]["code"]) == (400, "InvalidArgument")
    connection.close()


def test_a_foreign_page_gets_nothing_with_somebodys_cookie(operator):
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
        assert operator.get("/api/tenants", headers=headers).status_code == 403


def test_registered_backends_are_ranked_under_a_policy(operator):
    question = {"policy": {"region_lock": ["FI", "DE"], "replica_count": 2, "spread": "country"}, "among": "backends"}
    answer = operator.post("/api/sovereignty", json=question).json()
    assert [placement["countries"] for placement in answer["placements"]] == [["DE", "FI"]]
    assert sorted(answer["chosen"]) == ["de", "fi"]
    (us,) = [verdict for verdict in answer["verdicts"] if verdict["candidate"]["id"] == "us"]
    assert "is in US, outside the region_lock" in us["reason"]


def test_a_listing_and_the_metadata_of_an_object_are_relayed_and_its_bytes_are_not(page, domicile):
    bucket, key = domicile.new_bucket(), domicile.keys["one"]
    name = f"secret-{secrets.token_hex(4)}"
    domicile.client().put_object(Bucket=bucket, Key=name, Body=b"not to be relayed", Metadata={"colour": "blue"})
    origin = domicile.suite.s3_endpoint
    listed = page.post("/api/relay", json=presigned(origin, key, f"/{bucket}", "list-type=2"))
    assert (listed.status_code, listed.headers["relay-status"]) == (200, "200")
    assert name in listed.text
    buckets = page.post("/api/relay", json=presigned(origin, key, "/"))
    assert f"<Name>{bucket}</Name>" in buckets.text
    head = page.post("/api/relay", json=presigned(origin, key, f"/{bucket}/{name}", method="HEAD"))
    assert (head.headers["relay-header-x-amz-meta-colour"], head.headers["relay-header-content-length"], head.content) == (
        "blue",
        "17",
        b"",
    )
    refused = page.post("/api/relay", json=presigned(origin, key, f"/{bucket}/{name}"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "RelayRefused")
    denied = page.post("/api/relay", json=presigned(origin, domicile.keys["two"], f"/{bucket}", "list-type=2"))
    assert (denied.status_code, denied.headers["relay-status"]) == (200, "404")
    log = domicile.logs()["discovery"]
    for secret in (name, bucket, key.access_key, "X-Amz-Signature", "Signature="):
        assert secret not in log
    assert '"event":"relayed"' in log


def test_other_servers_on_this_machine_are_not_reached(page, domicile):
    key = domicile.keys["one"]
    for origin in (
        domicile.suite.metadata_url,
        domicile.suite.discovery_url,
        "http://127.0.0.1:1",
        "https://127.0.0.1",
        "http://localhost",
    ):
        answer = page.post("/api/relay", json=presigned(origin, key, "/"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "RelayRefused")


def piece(bucket, sizes):
    objects = [{"bucket": bucket, "key": key, "size": size, "owner": "left out"} for key, size in sizes.items()]
    return {"buckets": [{"bucket": bucket, "versioning": "Off"}], "objects": objects}


def keep(page, endpoint, *pieces, keys="kept"):
    made = page.post("/api/snapshots", json={"endpoint": endpoint, "keys": keys}).json()["snapshot_id"]
    for number, document in enumerate(pieces):
        answer = page.put(f"/api/snapshots/{made}/pieces/{number}", json=document)
        assert answer.status_code == 200, answer.text
    assert page.post(f"/api/snapshots/{made}/finish", json={}).json()["finished_at"]
    return made


def test_snapshots_are_kept_read_compared_exported_and_deleted(page, domicile):
    signed_in(page, domicile.keys["two"])
    before = keep(page, "https://s3.example", piece("a", {"x": 1, "y": 2}), piece("b", {"z": 3}))
    after = keep(page, "https://s3.example", piece("a", {"x": 1, "y": 5, "w": 7}))
    found = page.post("/api/snapshots/diff", json={"before": before, "after": after}).json()
    assert (found["added"], found["removed"], found["changed"], found["same"]) == (
        {"objects": 1, "bytes": 7}, {"objects": 1, "bytes": 3}, {"objects": 1, "bytes": 5}, {"objects": 1, "bytes": 1},
    )  # fmt: skip
    assert [(it["bucket"], it["key"]) for it in found["objects"]] == [("a", "w"), ("a", "y"), ("b", "z")]
    assert ([it["bucket"] for it in found["buckets"]], found["complete"]) == (["b"], True)
    lines = [json.loads(line) for line in page.get(f"/api/snapshots/{after}/pieces/0").text.splitlines()]
    assert [line.get("key") for line in lines] == [None, "w", "x", "y"]
    exported = page.get(f"/api/snapshots/{after}/export")
    assert json.loads(gzip.decompress(exported.content).splitlines()[0])["objects"] == 3
    assert b"left out" not in gzip.decompress(exported.content)
    hashed = keep(page, "https://s3.example", piece("a", {"x": 1}), keys="hashed")
    assert page.post("/api/snapshots/diff", json={"before": before, "after": hashed}).status_code == 400
    for snapshot in (before, after, hashed):
        assert page.delete(f"/api/snapshots/{snapshot}").status_code == 200
    assert page.post("/api/snapshots/diff", json={"before": before, "after": after}).status_code == 404


def test_a_snapshot_is_held_against_a_policy(operator, domicile):
    there = domicile.backends["us"].endpoint
    snapshot = keep(operator, there, piece("a", {"x": 100, "y": 20}))
    policy = {"region_lock": ["FI", "DE"], "replica_count": 2}
    answer = operator.post(f"/api/snapshots/{snapshot}/plan", json={"policy": policy, "among": "backends"}).json()
    plan = answer["plan"]
    assert (plan["source"]["id"], answer["truncated"]) == ("us", False)
    assert "outside the region_lock" in plan["source_reason"]
    assert [(it["id"], it["objects"], it["bytes"]) for it in plan["targets"]] == [("de", 2, 120), ("fi", 2, 120)]
    refused = operator.post(
        f"/api/snapshots/{snapshot}/plan", json={"policy": {"region_lock": ["SE"]}, "among": "backends"}
    ).json()["plan"]
    assert refused["refused"]["bytes"] == 120
    assert operator.delete(f"/api/snapshots/{snapshot}").status_code == 200


def test_the_relay_is_closed_to_strangers_where_the_operator_wants_it(domicile):
    with domicile.another("discovery", RELAY_FOR="session") as service:
        request = presigned(domicile.suite.s3_endpoint, domicile.keys["one"], "/")
        with httpx.Client(base_url=service.health, headers={"X-Domicile-Request": "1"}, trust_env=False) as stranger:
            assert stranger.post("/api/relay", json=request).status_code == 401
            signed_in(stranger, domicile.keys["one"])
            assert stranger.post("/api/relay", json=request).headers["relay-status"] == "200"


POLICY = '{"region_lock": ["EU"], "replica_count": 2, "spread": "country"}'


@pytest.fixture
def command(domicile, monkeypatch, capsys):
    """Runs one command; its exit code, its answer, and what it said."""
    monkeypatch.setenv("DOMICILE_METADATA_URL", domicile.suite.metadata_url)
    monkeypatch.setenv("DOMICILE_DISCOVERY_URL", domicile.suite.discovery_url)
    monkeypatch.setenv("ADMIN_API_KEY", domicile.suite.admin_key)

    def run(*arguments):
        code = run_command([*arguments, "--json"])
        output, errors = capsys.readouterr()
        return code, json.loads(output) if output else None, errors

    return run


def test_the_command_line_compares_and_plans(operator, domicile, command, tmp_path):
    there = domicile.backends["us"].endpoint
    before, after = keep(operator, there, piece("a", {"x": 1})), keep(operator, there, piece("a", {"x": 2}))
    assert {before, after} <= {it["snapshot_id"] for it in command("snapshots", "list", "--all")[1]["snapshots"]}
    assert command("snapshots", "show", before)[1]["totals"][0]["bytes"] == 1
    assert command("snapshots", "diff", before, after)[1]["changed"] == {"objects": 1, "bytes": 2}
    assert command("snapshots", "plan", after, '{"region_lock": ["FI"]}')[1]["plan"]["targets"] == [
        {"id": "fi", "objects": 1, "bytes": 2}
    ]
    file = tmp_path / "snapshot.ndjson.gz"
    assert command("snapshots", "export", after, str(file))[0] == 0
    assert json.loads(gzip.decompress(file.read_bytes()).splitlines()[0])["snapshot_id"] == after
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    assert command("snapshots", "export", before, str(link))[0] == 0
    assert link.is_symlink()
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(pipe.read_bytes)
        assert command("snapshots", "export", before, str(pipe))[0] == 0
    assert gzip.decompress(reading.result()) == gzip.decompress(file.read_bytes())
    for snapshot in (before, after):
        assert command("snapshots", "delete", snapshot)[0] == 0
    code, answer, errors = command("snapshots", "show", before)
    assert (code, answer, errors.startswith("domicile: NoSuchSnapshot: ")) == (1, None, True)


def test_the_command_line_checks_sovereignty(domicile, command, monkeypatch):
    assert command("sovereignty", "check", '{"region_lock": ["DE"]}', "--among", "backends")[1]["chosen"] == ["de"]
    code, answer, _ = command("sovereignty", "check", POLICY, "--feature", "object_lock", "--limit", "2")
    assert (code, len(answer["placements"]), len(answer["placements"][0]["countries"])) == (0, 2, 2)
    code, answer, errors = command("sovereignty", "check", '{"region_lock": ["AQ"]}')
    assert (code, answer["placements"], answer["refusal"] in errors) == (1, [], True)
    code, answer, errors = command("sovereignty", "check", '{"region_lock": ["XX"]}')
    assert (code, answer, errors.count("\n")) == (1, None, 1)
    assert "ovhcloud" in {provider["provider"] for provider in command("sovereignty", "catalogue")[1]["providers"]}
    monkeypatch.setenv("ADMIN_API_KEY", "a-wrong-key-4711")
    assert command("sovereignty", "check", POLICY, "--among", "backends")[0] == 4
    monkeypatch.delenv("DOMICILE_DISCOVERY_URL")
    code, _, errors = command("sovereignty", "check", POLICY)
    assert (code, errors) == (2, "domicile: this needs the address of the discovery service\n")
