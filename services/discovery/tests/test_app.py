from __future__ import annotations

import re

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette

from domicile_discovery.pages import page_routes

ORIGIN = "https://discovery.example"


def parts(html):
    """What a page refers to."""
    return re.findall(r'(?:src|href)="([^"]+)"', html)


async def test_everything_the_page_refers_to_is_served_and_no_script_stands_in_it(client):
    page = await client.get("/")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon[a-z]+=|\bstyle=", page.text)
    for path in parts(page.text):
        assert path.startswith("/")
        answer = await client.get(path)
        assert answer.status_code == 200
        assert ("immutable" in answer.headers["cache-control"]) == path.startswith("/assets/")
        assert answer.headers["content-security-policy"] == page.headers["content-security-policy"]


async def test_what_a_browser_has_is_not_sent_again(client):
    (script,) = [path for path in parts((await client.get("/")).text) if path.endswith(".js")]
    packed = await client.get(script)
    assert packed.headers["content-encoding"] == "gzip"
    plain = await client.get(script, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content
    again = await client.get(script, headers={"if-none-match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get(script, headers={"if-none-match": '"other"'})).status_code == 200


async def test_a_checkout_in_which_nothing_was_built_says_so(tmp_path):
    async with AsyncClient(transport=ASGITransport(Starlette(routes=page_routes({}, tmp_path))), base_url=ORIGIN) as client:
        answer = await client.get("/")
    assert (answer.status_code, "make web" in answer.text) == (503, True)


async def test_the_page_runs_its_own_code_only_and_loads_nothing_from_elsewhere(make_client):
    headers = (await make_client(relay_endpoints="http://127.0.0.1:9000,https://s3.lan:8443").get("/")).headers
    policy = dict(item.split(" ", 1) for item in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' https: http://127.0.0.1:9000"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/version"])
async def test_health(client, path):
    assert (await client.get(path, headers={"host": "10.1.2.3:9030"})).status_code == 200


async def test_nothing_else_is_answered(client):
    assert (await client.get("/../settings.py")).status_code == 404
    assert (await client.post("/")).status_code == 405
