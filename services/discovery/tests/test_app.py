import pytest
from httpx import ASGITransport, AsyncClient

from domicile_discovery.app import create_app


@pytest.fixture
async def client():
    async with AsyncClient(transport=ASGITransport(create_app()), base_url="http://discovery") as client:
        yield client


async def test_the_page_says_what_will_be_here_and_runs_no_script(client):
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "The explorer is not here yet" in answer.text
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_everything_the_page_refers_to_is_served(client):
    assert 'href="style.css"' in (await client.get("/")).text
    assert (await client.get("/style.css")).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_health(client, path):
    assert (await client.get(path)).status_code == 200


async def test_nothing_else_is_answered(client):
    assert (await client.get("/../settings.py")).status_code == 404
    assert (await client.post("/")).status_code == 405
