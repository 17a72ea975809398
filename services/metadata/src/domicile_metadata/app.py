"""The ASGI application: health checks and metrics, the internal API, the admin API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from domicile_common.telemetry import health_routes
from domicile_metadata.context import Context
from domicile_metadata.handlers.admin import admin_routes
from domicile_metadata.handlers.internal import InternalApi
from domicile_metadata.storage.lag import measure_outbox

OUTBOX_SECONDS: Final = 60.0  # of a message that is due; usually it takes milliseconds


def health_checks(context: Context, stop: asyncio.Event) -> list[BaseRoute]:
    async def database() -> None:
        await context.database.value("ping")

    async def degraded() -> Iterable[str]:
        outbox = await measure_outbox(context.database)
        return [*context.faults(), *(["outbox"] if outbox.oldest_seconds > OUTBOX_SECONDS else [])]

    return health_routes({"database": database}, degraded=degraded, stop=stop)


def create_app(context: Context, stop: asyncio.Event) -> Any:
    """A process without the ``api`` role serves only its health checks and metrics."""
    health = health_checks(context, stop)
    if "api" not in context.settings.metadata_roles:
        return Starlette(routes=health)
    control = Starlette(routes=[*health, *admin_routes(context)])
    internal = InternalApi(context)

    # The internal API bears the load of the object path, so it stands before the framework, not inside it.
    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_internal = scope["type"] == "http" and scope["path"].startswith("/internal/")
        await (internal if is_internal else control)(scope, receive, send)

    return app
