import pytest


async def test_the_page_says_what_will_be_here_and_runs_no_script(client):
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "The explorer is not here yet" in answer.text
    assert "<script" not in answer.text


async def test_the_page_runs_its_own_code_only_and_loads_nothing_from_elsewhere(make_client):
    headers = (await make_client(relay_endpoints="http://127.0.0.1:9000,https://s3.lan:8443").get("/")).headers
    policy = dict(item.split(" ", 1) for item in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' https: http://127.0.0.1:9000"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"


async def test_everything_the_page_refers_to_is_served(client):
    assert 'href="style.css"' in (await client.get("/")).text
    assert (await client.get("/style.css")).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_health(client, path):
    assert (await client.get(path, headers={"host": "10.1.2.3:9030"})).status_code == 200


async def test_nothing_else_is_answered(client):
    assert (await client.get("/../settings.py")).status_code == 404
    assert (await client.post("/")).status_code == 405
