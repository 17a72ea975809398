"""The ASGI application: the page, its API, health checks and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.applications import Starlette

from domicile_common.errors import Unavailable
from domicile_common.telemetry import health_routes
from domicile_discovery.context import Context
from domicile_discovery.handlers import api_routes
from domicile_discovery.pages import page_routes


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
    }


def create_app(context: Context, stop: asyncio.Event | None = None, faults: Callable[[], Sequence[str]] = list) -> Starlette:
    """Ready without metadata: the explorer works without it. ``faults``: what the process itself has to complain of."""

    async def degraded() -> Sequence[str]:
        try:
            await context.metadata.ping()
        except Unavailable:
            return [*faults(), "metadata"]
        return faults()

    pages = page_routes(page_headers(context))
    return Starlette(routes=[*pages, *health_routes({}, degraded=degraded, stop=stop), *api_routes(context)])
