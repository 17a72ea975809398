"""The page and its API. For now: a page that says what will be here, and the health of the service."""

from __future__ import annotations

import asyncio
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domicile_common.telemetry import health_routes

_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8"}

# The page runs nothing and loads nothing from elsewhere. https://www.w3.org/TR/CSP3/
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


def _asset(path: str, name: str) -> Route:
    body = files("domicile_discovery").joinpath("web", name).read_bytes()
    media_type = _TYPES[name.rpartition(".")[2]]

    async def answer(_request: Request) -> Response:
        return Response(body, media_type=media_type, headers=_HEADERS)

    return Route(path, answer)


def create_app(stop: asyncio.Event | None = None) -> Starlette:
    return Starlette(routes=[_asset("/", "index.html"), _asset("/style.css", "style.css"), *health_routes({}, stop=stop)])
