from __future__ import annotations

import pytest
from httpx import ASGITransport, AsyncClient

from domicile_discovery.app import create_app
from domicile_discovery.context import make_context
from domicile_discovery.settings import Settings

ORIGIN = "https://discovery.example"


@pytest.fixture
async def make_client():
    """The application with other settings, asked as our own page asks it. Metadata is nowhere."""
    made = []

    def make(**settings):
        defaults = {"metadata_url": "http://127.0.0.1:9", "discovery_origins": (ORIGIN,)}
        context = make_context(Settings(**(defaults | settings)))
        client = AsyncClient(transport=ASGITransport(create_app(context)), base_url=ORIGIN, headers={"X-Domicile-Request": "1"})
        made.append((context, client))
        return client

    yield make
    for context, client in made:
        await client.aclose()
        await context.close()


@pytest.fixture
def client(make_client):
    return make_client()
