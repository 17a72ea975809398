from __future__ import annotations

import re
from pathlib import Path

import pytest

from domicile_common.errors import RequestError, Unavailable
from domicile_discovery.handlers import ENDPOINTS
from domicile_discovery.handlers.api import refusal
from domicile_discovery.handlers.forward import ROUTES
from domicile_discovery.handlers.relay import share_of
from domicile_discovery.metadata import Caller
from domicile_discovery.relay.shares import network_of

UNREACHABLE = {"method": "GET", "url": "https://10.0.0.1/", "headers": {}}
TOKEN = {"Cookie": "domicile_session=abc"}


def path_of(endpoint):
    return re.sub(r"\{\w+\}", "x", endpoint.path)


async def refused(client, status, code, method, path, **request):
    answer = await client.request(method, path, **request)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    return answer.json()["error"]["message"]


@pytest.mark.servers
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda it: f"{it.method} {it.path}")
async def test_every_endpoint_asks_whence_and_by_whom(client, endpoint):
    method, path = endpoint.method, path_of(endpoint)
    await refused(client, 403, "NotFromHere", method, path, headers={"Host": "evil.example"})
    await refused(client, 403, "NotFromHere", method, path, headers={"Origin": "https://evil.example"})
    if method != "GET":
        del client.headers["X-Domicile-Request"]
        await refused(client, 403, "NotFromHere", method, path)
        client.headers["X-Domicile-Request"] = "1"
    if endpoint.access == "session":
        await refused(client, 401, "NotSignedIn", method, path)
        await refused(client, 401, "NotSignedIn", method, path, headers={"Cookie": 'domicile_session="a\\012b"'})
        body = {"before": "0" * 32, "after": "0" * 32} if path.endswith("/diff") else {"policy": {}}
        sent = {} if method == "GET" else {"json": body}
        await refused(client, 503, "ServiceUnavailable", method, path, headers=TOKEN, **sent)


@pytest.mark.parametrize(
    "method,path",
    [
        ("GET", "/api/nothing"), ("GET", "/api/"), ("POST", "/api/secrets/reseal"), ("DELETE", "/api/tenants"), ("PUT", "/api/sovereignty"),
        ("POST", "/api/sessions/operator"), ("GET", "/api/tenants/a/../../secrets"), ("GET", "/api/tenants/a%2Fb"), ("GET", "/api/internal/locate"),
    ],
)  # fmt: skip
async def test_what_is_not_listed_is_not_there(client, method, path):
    await refused(client, 404, "NoSuchEndpoint", method, path, headers=TOKEN)


@pytest.mark.parametrize(
    "method,path,body",
    [
        ("PUT", "/api/backends/fi", {"secret_key": "hunter2hunter2"}),
        ("POST", "/api/tasks", {"kind": "export", "parameters": {"endpoint": {"secret_key": "hunter2hunter2"}}}),
        ("POST", "/api/credentials", {"access_key": "AK", "secret_key": "hunter2hunter2"}),
    ],
)
async def test_a_secret_in_clear_goes_no_further(client, method, path, body):
    message = await refused(client, 400, "SecretInClear", method, path, headers=TOKEN, json=body)
    assert "hunter2" not in message


async def test_the_catalogue_and_the_words_of_a_policy_are_shown(client):
    catalogue = (await client.get("/api/catalogue")).json()
    assert {"aws", "ovhcloud"} <= {provider["provider"] for provider in catalogue["providers"]}
    words = (await client.get("/api/words")).json()
    assert "FI" in words["groups"]["EU"]
    assert "object_lock" in words["features"]
    assert "generic" in words["quirks"]


async def test_a_sovereignty_check_is_answered(client):
    question = {
        "policy": {"region_lock": ["EU"], "replica_count": 2, "spread": "country"},
        "features": ["object_lock"],
        "limit": 3,
    }
    answer = (await client.post("/api/sovereignty", json=question)).json()
    assert len(answer["placements"]) == 3
    assert len(answer["placements"][0]["countries"]) == 2
    reasons = {verdict["candidate"]["id"]: verdict["reason"] for verdict in answer["verdicts"]}
    assert reasons["scaleway/fr-par"] is None
    assert "outside the region_lock" in reasons["aws/us-east-1"]


async def test_a_policy_that_no_place_satisfies_is_an_answer_and_a_bad_one_is_refused(client):
    answer = (await client.post("/api/sovereignty", json={"policy": {"region_lock": ["AQ"]}})).json()
    assert (answer["placements"], "region_lock" in answer["refusal"] or "replicas" in answer["refusal"]) == ([], True)
    assert "ISO 3166-1" in await refused(
        client, 409, "InvalidRequest", "POST", "/api/sovereignty", json={"policy": {"region_lock": ["XX"]}}
    )
    for question in (
        {},
        {"policy": []},
        {"policy": {"nonsense": 1}},
        {"policy": {}, "features": ["speed"]},
        {"policy": {}, "among": "x"},
        {"policy": {}, "limit": 0},
        {"policy": {}, "features": ["versioning"] * 100},
        {"policy": {"region_lock": ["EU"] * 2000}},
    ):
        assert (await client.post("/api/sovereignty", json=question)).status_code == 400
    assert (await client.post("/api/sovereignty", content=b'{"policy": {}}' + b" " * 70_000)).status_code == 400


@pytest.mark.servers
async def test_backends_are_told_to_nobody_without_metadatas_word(client):
    question = {"policy": {}, "among": "backends"}
    await refused(client, 503, "ServiceUnavailable", "POST", "/api/sovereignty", json=question)


@pytest.mark.servers
async def test_the_relay_is_for_people_who_have_signed_in_unless_the_operator_says_otherwise(make_client):
    closed, open_ = make_client(), make_client(relay_for="page")
    await refused(closed, 401, "NotSignedIn", "POST", "/api/relay", json=UNREACHABLE)
    await refused(closed, 503, "ServiceUnavailable", "POST", "/api/relay", json=UNREACHABLE, headers=TOKEN)
    await refused(open_, 400, "RelayRefused", "POST", "/api/relay", json=UNREACHABLE)


@pytest.mark.servers
async def test_where_it_is_for_everybody_the_relay_needs_no_metadata(make_client):
    await refused(make_client(relay_for="page"), 400, "RelayRefused", "POST", "/api/relay", json=UNREACHABLE, headers=TOKEN)


def test_a_share_is_a_tenants_a_sessions_or_an_addresss():
    address = network_of("192.0.2.7")
    assert share_of(Caller("tenant", "acme"), "a-token", "192.0.2.7") == "acme"
    assert share_of(Caller("tenant_admin", "acme"), "another", "192.0.2.7") == "acme"
    assert share_of(Caller("operator"), "a-token", "192.0.2.7") == "a-token"
    assert share_of(None, "made-up", "192.0.2.7") == share_of(None, "", "192.0.2.7") == address


async def test_whoever_is_to_come_back_later_is_told_when():
    for error, status in ((RequestError("TooManyRequests"), 429), (Unavailable("away"), 503)):
        answer = refusal(error)
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (status, True)
    assert "retry-after" not in refusal(RequestError("InvalidArgument")).headers


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"method": "GET"}', b'{"method": "GET", "url": "https://a/", "body": "x"}', b'{"method": "GET", "url": 1}'],
)
async def test_a_malformed_relay_request_is_400(make_client, body):
    assert (await make_client(relay_for="page").post("/api/relay", content=body)).status_code == 400


async def test_nobody_is_signed_in_without_a_cookie(client, make_client):
    shown = (await client.get("/api/session")).json()
    assert (shown["role"], shown["relay"]) == ("nobody", False)
    assert (await make_client(relay_for="page").get("/api/session")).json() == shown | {"relay": True}
    gone = await client.delete("/api/session")
    assert (gone.json(), "Max-Age=0" in gone.headers["set-cookie"]) == ({}, True)


async def test_answers_are_kept_nowhere_and_read_by_nobody_else(client):
    headers = (await client.get("/api/words")).headers
    assert (headers["cache-control"], headers["cross-origin-resource-policy"], headers["x-content-type-options"]) == (
        "no-store",
        "same-origin",
        "nosniff",
    )
    assert "access-control-allow-origin" not in headers


def test_the_documentation_lists_every_endpoint_and_no_other():
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    listed = re.findall(r"`((?:[A-Z]+ )+)(/api/[^\s`]*)`", text)
    assert {f"{method} {path}" for methods, path in listed for method in methods.split()} == {
        f"{it.method} {it.path}" for it in ENDPOINTS
    }


def test_what_is_forwarded_is_there_and_nothing_of_it_is_for_secrets_or_sessions():
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    admin = {f"{method} {path}" for method, path in re.findall(r"^\| `([A-Z]+) /proxy(/\S+)` \|", text, re.MULTILINE)}
    forwarded = {f"{method} {path}" for methods, path in ROUTES for method in methods.split()}
    assert forwarded <= admin
    assert not [route for route in forwarded if "/secrets" in route or "/sessions" in route]
