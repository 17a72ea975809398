"""The process: ``python -m domicile_replicator``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial

import structlog
from starlette.applications import Starlette

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import Consumer
from domicile_common.amqp.publisher import Publisher
from domicile_common.backends.port import BlobStore
from domicile_common.backends.stores import open_store
from domicile_common.live import Live
from domicile_common.metadata_client.client import MetadataClient
from domicile_common.model import Backend
from domicile_common.sealing import backend_context, sealer
from domicile_common.settings import PASSPHRASES, SERVICE_TOKENS
from domicile_common.telemetry import health_routes, run, serve
from domicile_common.tls import listening, to_backends, to_services
from domicile_replicator.consume import Jobs
from domicile_replicator.directory import Directory, Limits
from domicile_replicator.runners import RUNNERS
from domicile_replicator.settings import Settings
from domicile_replicator.tasks import Tasks
from domicile_replicator.worker import Worker

log = structlog.get_logger()


def utc_now() -> datetime:
    return datetime.now(UTC)


async def replicate(stop: asyncio.Event) -> None:
    """Until ``stop`` is set and what is in hand is finished or handed back."""
    live = Live("replicator", Settings)
    settings, tls, backends_tls = live.settings, to_services(live), to_backends(live, live.settings)
    vault = sealer(settings)

    def open_backend(backend: Backend) -> BlobStore:
        secret = vault.open(backend.sealed_secret, backend_context(backend.backend_id))
        return open_store(backend, secret, tls=backends_tls)

    def limits() -> Limits:
        most = settings.replicator_concurrency
        return Limits(settings.replicator_multipart_bytes, settings.replicator_bytes_in_flight, most)

    metadata = MetadataClient(settings.metadata_url, *settings.service_tokens, tls=tls)
    broker = Broker(settings.broker_url, "domicile-replicator", tls)
    publisher = Publisher(broker)
    directory = Directory(metadata, open_backend, limits())

    def open_consumers(backend_id: str) -> tuple[Consumer, Consumer]:
        most, seconds = settings.replicator_concurrency, settings.replicator_drain_seconds
        jobs = Jobs(metadata, directory, publisher, settings.replicator_multipart_bytes, clock=utc_now, stopping=stop)
        return (
            Consumer(broker, publisher, backend_id, jobs.handle, prefetch=most, drain_seconds=seconds),
            Consumer(broker, publisher, backend_id, jobs.handle_backfill, prefetch=most, drain_seconds=seconds, backfill=True),
        )

    worker = Worker(broker, directory, open_consumers, settings.replicator_backends)
    tasks = Tasks(metadata, directory, RUNNERS, slots=settings.replicator_tasks, seconds=lambda: settings.replicator_task_seconds)

    async def degraded() -> list[str]:
        return [*live.faults(), *(f"backend {name}" for name in directory.unusable)]

    live.after_change(lambda: vault.change(*settings.passphrases), *PASSPHRASES)
    live.after_change(lambda: metadata.use_tokens(*settings.service_tokens), *SERVICE_TOKENS)
    live.after_change(lambda: directory.limit(limits()), "replicator_concurrency", "replicator_bytes_in_flight")
    live.after_change(worker.reopen, "replicator_concurrency", "replicator_drain_seconds")
    app = Starlette(routes=health_routes({"rabbitmq": broker.ping, "metadata": directory.ping}, degraded=degraded, stop=stop))
    shown = listening(live)
    log.info("starting", port=settings.replicator_port, backends=settings.replicator_backends or "all")
    try:
        async with asyncio.TaskGroup() as group:
            following = group.create_task(live.follow())
            await _run(worker, tasks, partial(serve, app, settings.host, settings.replicator_port, tls=shown), stop)
            following.cancel()
    finally:
        await publisher.close()
        await broker.close()
        await directory.close()
        await metadata.close()


async def _run(worker: Worker, tasks: Tasks, health: Callable[..., Coroutine[None, None, None]], stop: asyncio.Event) -> None:
    """Health and metrics are served as long as there is something to tell, so also while the worker drains."""
    drained = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(health(stop=drained))
        async with asyncio.TaskGroup() as work:
            work.create_task(tasks.run(stop))
            work.create_task(worker.run(stop))
        drained.set()


def main() -> int:
    return run("replicator", replicate)
