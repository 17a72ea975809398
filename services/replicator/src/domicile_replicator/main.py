"""The process: ``python -m domicile_replicator``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from starlette.applications import Starlette

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import Consumer
from domicile_common.amqp.publisher import Publisher
from domicile_common.backends.port import BlobStore
from domicile_common.backends.stores import open_store
from domicile_common.metadata_client.client import MetadataClient
from domicile_common.model import Backend
from domicile_common.sealing import backend_context, sealer
from domicile_common.settings import load
from domicile_common.telemetry import configure_logging, health_routes, run, serve
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
    settings = load(Settings)
    configure_logging("replicator", settings.log_level)
    vault = sealer(settings)

    def open_backend(backend: Backend) -> BlobStore:
        return open_store(backend, vault.open(backend.sealed_secret, backend_context(backend.backend_id)))

    metadata = MetadataClient(settings.metadata_url, settings.service_token.get_secret_value())
    broker = Broker(settings.rabbitmq_url.get_secret_value(), "domicile-replicator")
    publisher = Publisher(broker)
    most, seconds = settings.replicator_concurrency, settings.replicator_drain_seconds
    limits = Limits(settings.replicator_multipart_bytes, settings.replicator_bytes_in_flight, most)
    directory = Directory(metadata, open_backend, limits)

    def open_consumers(backend_id: str) -> tuple[Consumer, Consumer]:
        jobs = Jobs(metadata, directory, publisher, limits.multipart_bytes, clock=utc_now, stopping=stop)
        return (
            Consumer(broker, publisher, backend_id, jobs.handle, prefetch=most, drain_seconds=seconds),
            Consumer(broker, publisher, backend_id, jobs.handle_backfill, prefetch=most, drain_seconds=seconds, backfill=True),
        )

    worker = Worker(broker, directory, open_consumers, settings.replicator_backends)
    tasks = Tasks(metadata, directory, RUNNERS, slots=settings.replicator_tasks, seconds=settings.replicator_task_seconds)
    app = Starlette(routes=health_routes({"rabbitmq": broker.ping, "metadata": directory.ping}, stop=stop))
    log.info("starting", port=settings.replicator_port, backends=settings.replicator_backends or "all")
    try:
        await _run(worker, tasks, app, settings, stop)
    finally:
        await publisher.close()
        await broker.close()
        await directory.close()
        await metadata.close()


async def _run(worker: Worker, tasks: Tasks, app: Starlette, settings: Settings, stop: asyncio.Event) -> None:
    """Health and metrics are served as long as there is something to tell, so also while the worker drains."""
    drained = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, settings.host, settings.replicator_port, stop=drained))
        async with asyncio.TaskGroup() as work:
            work.create_task(tasks.run(stop))
            work.create_task(worker.run(stop))
        drained.set()


def main() -> int:
    return run("replicator", replicate)
