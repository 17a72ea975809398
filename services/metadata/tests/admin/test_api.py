from __future__ import annotations

import re
from pathlib import Path

import pytest

from domicile_metadata.handlers.admin import ENDPOINTS

pytestmark = pytest.mark.servers


# Tenants sign in with a signature of their own.
GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.path != "/proxy/sessions/tenant"]


def path_of(endpoint):
    return endpoint.path.format(
        tenant="t",
        access_key="a",
        backend="b",
        bucket="k",
        task="t",
        snapshot="s",
        token="o",
        number=0,
        bucket_id="i",
        version_id="v",
        backend_id="b",
    )


@pytest.mark.parametrize("key", [None, b"", b"an-operator-key-4712", b"\xff"])
async def test_no_endpoint_answers_without_the_key(admin, key):
    del admin.client.headers["X-Admin-Key"]
    for endpoint in GUARDED:
        response = await admin.client.request(
            endpoint.method, path_of(endpoint), headers={} if key is None else {b"X-Admin-Key": key}
        )
        assert (endpoint, response.status_code) == (endpoint, 401)
        assert response.json()["error"]["code"] == "AccessDenied"


@pytest.mark.parametrize(
    "method,path", [("GET", "/nothing"), ("DELETE", "/tenants"), ("POST", "/policies/default"), ("GET", "/secrets/reseal")]
)
async def test_what_is_not_there_is_404_for_those_with_the_key_only(admin, method, path):
    await admin.refused(404, "NoSuchEndpoint", method, path)
    del admin.client.headers["X-Admin-Key"]
    await admin.refused(401, "AccessDenied", method, path)


BODILESS = {
    "/proxy/secrets/reseal",
    "/proxy/sessions/operator",
    "/proxy/sessions/token",
    "/proxy/sessions/current",
    "/proxy/tokens/{token}",
}
WRITES = [
    endpoint
    for endpoint in ENDPOINTS
    if endpoint.method != "GET" and endpoint.path not in BODILESS and not endpoint.path.startswith("/proxy/snapshots/")
]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"nonsense": 1}', b"[" * 60_000, b'{"a":"' + b"x" * 70_000 + b'"}'])
async def test_a_bad_body_is_400(admin, body):
    for endpoint in WRITES:
        error = await admin.call(endpoint.method, path_of(endpoint).removeprefix("/proxy"), body, 400)
        assert error["error"]["code"] in ("InvalidArgument", "InvalidRequest", "EntityTooLarge")


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "٣", "1" * 5000])
async def test_a_bad_limit_is_400(admin, limit):
    await admin.refused(400, "InvalidArgument", "GET", "/tenants", limit=limit)


async def test_a_character_that_cannot_be_stored_is_400(admin):
    await admin.refused(400, "InvalidArgument", "GET", "/tenants", after="a\x00")


async def test_answers_are_kept_nowhere(admin):
    assert (await admin.client.get("/proxy/tenants")).headers["cache-control"] == "no-store"


async def test_a_database_that_is_away_is_503(admin):
    await admin.context.database.close()
    await admin.refused(503, "ServiceUnavailable", "GET", "/tenants")
    assert (await admin.client.get("/proxy/tenants")).headers["retry-after"] == "1"


def test_the_documentation_lists_every_endpoint_and_no_other():
    text = (Path(__file__).parents[4] / "docs" / "api.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([A-Z]+ /proxy/\S+)` \|", text, re.MULTILINE)) == {f"{it.method} {it.path}" for it in ENDPOINTS}
