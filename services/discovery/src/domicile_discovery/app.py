"""The ASGI application: the page, its API, health checks and metrics."""

from __future__ import annotations

import asyncio
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domicile_common.telemetry import health_routes
from domicile_discovery.context import Context
from domicile_discovery.handlers import api_routes

_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8"}


def page_headers(context: Context) -> dict[str, str]:
    """Those of https://www.w3.org/TR/CSP3/ and its kin: the page runs its own code only and loads nothing from elsewhere, but calls S3."""
    endpoints = " ".join(("https:", *(it for it in context.settings.relay_endpoints if it.startswith("http:"))))
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "connect-src": f"'self' {endpoints}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
    }


def _asset(path: str, name: str, headers: dict[str, str]) -> Route:
    body = files("domicile_discovery").joinpath("web", name).read_bytes()
    media_type = _TYPES[name.rpartition(".")[2]]

    async def answer(_request: Request) -> Response:
        return Response(body, media_type=media_type, headers=headers)

    return Route(path, answer)


def create_app(context: Context, stop: asyncio.Event | None = None) -> Starlette:
    """Ready without metadata: the explorer works without it."""
    headers = page_headers(context)
    health = health_routes({}, stop=stop)
    pages = [_asset("/", "index.html", headers), _asset("/style.css", "style.css", headers)]
    return Starlette(routes=[*pages, *health, *api_routes(context)])
