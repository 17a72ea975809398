"""The process: ``python -m domicile_proxy``. The S3 endpoint on one port, health and metrics on another."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import structlog
from starlette.applications import Starlette

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import InvalidationListener
from domicile_common.backends.http1 import Limits
from domicile_common.backends.port import BlobStore
from domicile_common.backends.stores import open_store
from domicile_common.copy_watch import CopyWatch, look_through
from domicile_common.errors import ConfigurationError
from domicile_common.live import Live
from domicile_common.metadata_client.client import Metadata, MetadataClient
from domicile_common.metadata_client.models import ListBackends
from domicile_common.model import Backend, Credential
from domicile_common.sealing import backend_context, credential_context, sealer
from domicile_common.settings import PASSPHRASES, SERVICE_TOKENS
from domicile_common.sigv4.keys import KeyRing
from domicile_common.telemetry import health_routes, run, serve
from domicile_common.tls import listening, to_backends, to_services
from domicile_proxy.app import App
from domicile_proxy.context import Context
from domicile_proxy.directory import Directory
from domicile_proxy.health import Health
from domicile_proxy.probing import keep_probing
from domicile_proxy.protocol import S3Protocol
from domicile_proxy.reporting import keep_reporting
from domicile_proxy.settings import ProxySettings

log = structlog.get_logger()


def make_context(live: Live[ProxySettings], metadata: Metadata) -> Context:
    settings = live.settings
    seals = sealer(settings)
    tls = to_backends(live, settings)

    def open_secret(credential: Credential) -> str:
        return seals.open(credential.sealed_secret, credential_context(credential.access_key))

    def open_backend(backend: Backend) -> BlobStore:
        limits = Limits(connections=settings.backend_connections, silence=settings.backend_idle_seconds)
        return open_store(backend, seals.open(backend.sealed_secret, backend_context(backend.backend_id)), limits, tls)

    directory = Directory(metadata, open_secret, open_backend, time.monotonic, settings.cache_seconds)
    live.after_change(lambda: seals.change(*settings.passphrases), *PASSPHRASES)
    live.after_change(
        lambda: directory.reopen(settings.cache_seconds), "cache_seconds", "backend_connections", "backend_idle_seconds"
    )
    return Context(
        settings=settings,
        metadata=metadata,
        directory=directory,
        health=Health(time.monotonic),
        keys=KeyRing(),
        watch=CopyWatch(look_through(metadata)),
        clock=lambda: datetime.now(UTC),
    )


async def proxy(stop: asyncio.Event) -> None:
    live = Live("proxy", ProxySettings)
    settings, tls, shown = live.settings, to_services(live), listening(live)
    metadata = MetadataClient(settings.metadata_url, *settings.service_tokens, tls=tls)
    live.after_change(lambda: metadata.use_tokens(*settings.service_tokens), *SERVICE_TOKENS)
    context = make_context(live, metadata)
    broker = Broker(settings.broker_url, "domicile-proxy", tls)
    invalidations = InvalidationListener(broker, context.directory.forget, context.directory.forget_everything)

    async def metadata_answers() -> None:
        await metadata.call(ListBackends())

    async def degraded() -> list[str]:
        unheard = [] if invalidations.listening else ["invalidations"]
        return [*live.faults(), *unheard, *(f"backend {name}" for name in context.health.avoided())]

    log.info("starting", port=settings.proxy_port, admin_port=settings.proxy_admin_port)
    try:
        async with asyncio.TaskGroup() as group:
            following = group.create_task(live.follow())
            group.create_task(listen(invalidations))
            served = asyncio.Event()
            admin = Starlette(routes=health_routes({"metadata": metadata_answers}, degraded=degraded, stop=stop))
            group.create_task(serve(admin, settings.host, settings.proxy_admin_port, stop=served, tls=shown))
            side = [group.create_task(keep(context, served)) for keep in (keep_probing, keep_reporting)]
            await serve(
                App(context),
                settings.host,
                settings.proxy_port,
                stop=stop,
                notice_seconds=settings.stop_notice_seconds,
                grace_seconds=settings.stop_grace_seconds,
                maximum_connections=settings.maximum_connections,
                leave=context.watch.stop,
                protocol=S3Protocol,
                tls=shown,
            )
            served.set()
            following.cancel()
            invalidations.stop()
            await asyncio.gather(*side)
    finally:
        await broker.close()
        await context.directory.close()
        await metadata.close()


async def listen(invalidations: InvalidationListener) -> None:
    """Without invalidations the caches' age still bounds how stale they are, so nothing here stops the proxy."""
    try:
        await invalidations.run()
    except ConfigurationError:
        log.exception("invalidations are not heard")


def main() -> int:
    return run("proxy", proxy)
