"""The ASGI application: health checks and metrics, the internal API, the admin API."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.applications import Starlette

from domicile_common.telemetry import health_routes
from domicile_metadata.context import Context
from domicile_metadata.handlers.admin import admin_routes
from domicile_metadata.handlers.internal import InternalApi


def create_app(context: Context, stop: asyncio.Event) -> Any:
    """A process without the ``api`` role serves only its health checks and metrics."""

    async def database() -> None:
        await context.database.value("ping")

    health = health_routes({"database": database}, stop=stop)
    if "api" not in context.settings.metadata_roles:
        return Starlette(routes=health)
    control = Starlette(routes=[*health, *admin_routes(context)])
    internal = InternalApi(context)

    # The internal API bears the load of the object path, so it stands before the framework, not inside it.
    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_internal = scope["type"] == "http" and scope["path"].startswith("/internal/")
        await (internal if is_internal else control)(scope, receive, send)

    return app
