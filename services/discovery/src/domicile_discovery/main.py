"""The process: ``python -m domicile_discovery``."""

from __future__ import annotations

import asyncio

import structlog

from domicile_common.live import Live
from domicile_common.telemetry import run, serve
from domicile_common.tls import listening, to_backends, to_services
from domicile_discovery.app import create_app
from domicile_discovery.context import bounds, make_context
from domicile_discovery.settings import Settings


async def discovery(stop: asyncio.Event) -> None:
    live = Live("discovery", Settings)
    settings = live.settings
    structlog.get_logger().info("starting", port=settings.port)
    context = make_context(settings, to_services(live), to_backends(live, settings))
    live.after_change(context.metadata.renew)
    live.after_change(lambda: setattr(context.relay, "bounds", bounds(settings)), "relay_seconds", "relay_bytes")
    try:
        async with asyncio.TaskGroup() as group:
            following = group.create_task(live.follow())
            await serve(
                create_app(context, stop, live.faults),
                settings.host,
                settings.port,
                stop=stop,
                notice_seconds=settings.stop_notice_seconds,
                grace_seconds=settings.stop_grace_seconds,
                maximum_connections=settings.maximum_connections,
                tls=listening(live),
            )
            following.cancel()
    finally:
        await context.close()


def main() -> int:
    return run("discovery", discovery)
