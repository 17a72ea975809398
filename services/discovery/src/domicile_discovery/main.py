"""The process: ``python -m domicile_discovery``."""

from __future__ import annotations

import asyncio

import structlog

from domicile_common.settings import load
from domicile_common.telemetry import configure_logging, run, serve
from domicile_discovery.app import create_app
from domicile_discovery.context import make_context
from domicile_discovery.settings import Settings


async def discovery(stop: asyncio.Event) -> None:
    settings = load(Settings)
    configure_logging("discovery", settings.log_level)
    structlog.get_logger().info("starting", port=settings.port)
    context = make_context(settings)
    try:
        await serve(
            create_app(context, stop),
            settings.host,
            settings.port,
            stop=stop,
            notice_seconds=settings.stop_notice_seconds,
            grace_seconds=settings.stop_grace_seconds,
            maximum_connections=settings.maximum_connections,
        )
    finally:
        await context.close()


def main() -> int:
    return run("discovery", discovery)
