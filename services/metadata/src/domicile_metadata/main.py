"""The process: ``python -m domicile_metadata [serve|prepare|migrate|restored|moved]``.

``serve`` (the default) brings the schema up to what this release needs and runs the parts named by METADATA_ROLES; ``prepare`` only does the
former, which the release before runs on as well; ``migrate`` also does what must wait until no older release runs. ``restored`` and ``moved``: see
``restored``.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import structlog
from starlette.applications import Starlette

from domicile_common.errors import ConfigurationError, Unavailable
from domicile_common.live import Live
from domicile_common.sealing import sealer
from domicile_common.settings import PASSPHRASES, load
from domicile_common.telemetry import configure_logging, run
from domicile_common.telemetry import serve as serve_http
from domicile_common.tls import listening, to_services
from domicile_metadata.app import create_app, health_checks
from domicile_metadata.context import Context
from domicile_metadata.count import run_counting
from domicile_metadata.lifecycle import run_lifecycle
from domicile_metadata.measure import run_measuring
from domicile_metadata.rearrange import run_rearranger
from domicile_metadata.reconcile import run_reconciler
from domicile_metadata.relay import run_relay
from domicile_metadata.restored import accept, check_home
from domicile_metadata.schedule import run_schedule
from domicile_metadata.settings import MigrateSettings, Settings
from domicile_metadata.storage import buckets
from domicile_metadata.storage.database import RETRY_SECONDS, Database, connect
from domicile_metadata.storage.migrate import migrate as apply_migrations
from domicile_metadata.sweep import run_sweeper

log = structlog.get_logger()

T = TypeVar("T")

SideTask = Callable[[Context], Awaitable[None]]

SIDE_TASKS: Final[Mapping[str, SideTask]] = MappingProxyType(
    {
        "relay": run_relay,
        "reconcile": run_reconciler,
        "rearrange": run_rearranger,
        "sweep": run_sweeper,
        "lifecycle": run_lifecycle,
        "measure": run_measuring,
        "count": run_counting,
        "schedule": run_schedule,
    }
)


async def serve(stop: asyncio.Event) -> None:
    live = Live("metadata", Settings)
    settings = live.settings
    tls, health_tls = listening(live, settings.tls_client_ca), listening(live)
    url = settings.database_url.get_secret_value()
    database = await _unless(stop, connect(url, size=settings.database_connections))
    if database is None:
        return
    database.show_connections()
    try:
        if not await _unbroken(stop, lambda: _make_ready(settings, database)):
            return
        seals = sealer(settings)
        live.after_change(lambda: database.use(settings.database_url.get_secret_value()), "database_url")
        live.after_change(lambda: seals.change(*settings.passphrases), *PASSPHRASES)
        context = Context(settings=settings, database=database, sealer=seals, tls=to_services(live), faults=live.faults)
        log.info("starting", port=settings.metadata_port, roles=settings.metadata_roles)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(live.follow())
            await _run_roles(context, stop, tls, health_tls)
            following.cancel()
    finally:
        await database.close()


async def _make_ready(settings: Settings, database: Database) -> None:
    """The schema is what this release needs, and the record may be served from here. Raises ``ConfigurationError`` when it may not."""
    await apply_migrations(settings.database_url.get_secret_value(), trailing_post=False)
    await check_bucket_names(settings, database)
    await check_home(database)


async def check_bucket_names(settings: Settings, database: Database) -> None:
    """Raises ``ConfigurationError`` when tenants shall share one name space and already have a name twice."""
    twice = await buckets.name_used_twice(database) if settings.bucket_names == "global" else None
    if twice is not None:
        raise ConfigurationError(f"BUCKET_NAMES: several tenants have a bucket {twice}, so the names cannot be global")


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of ``work``, which may wait for long; ``None`` when the process is to stop before."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()


async def _unbroken(stop: asyncio.Event, work: Callable[[], Awaitable[None]]) -> bool:
    """Does the work, again when PostgreSQL goes away in the midst of it; ``False`` when the process is to stop before."""
    while not stop.is_set():
        try:
            await work()
        except Unavailable as fault:
            log.warning("waiting for PostgreSQL", why=str(fault))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return True
    return False


async def _run_roles(
    context: Context, stop: asyncio.Event, tls: ssl.SSLContext | None = None, health_tls: ssl.SSLContext | None = None
) -> None:
    """Until ``stop``. A side task never ends by itself: when one dies, its error stops the whole process."""
    settings = context.settings
    async with asyncio.TaskGroup() as group:
        side = [
            group.create_task(_watch(name, work, context)) for name, work in SIDE_TASKS.items() if name in settings.metadata_roles
        ]
        served = asyncio.Event()
        if settings.metadata_health_port:
            health = Starlette(routes=health_checks(context, stop))
            group.create_task(serve_http(health, settings.host, settings.metadata_health_port, stop=served, tls=health_tls))
        await serve_http(
            create_app(context, stop),
            settings.host,
            settings.metadata_port,
            stop=stop,
            notice_seconds=settings.stop_notice_seconds,
            grace_seconds=settings.stop_grace_seconds,
            maximum_connections=settings.maximum_connections,
            leave=context.watch.stop,
            tls=tls,
        )
        served.set()
        for task in side:
            task.cancel()


async def _watch(name: str, work: SideTask, context: Context) -> None:
    await work(context)
    raise RuntimeError(f"{name} ended, which it never should")


async def prepare(stop: asyncio.Event) -> None:
    await _migrate(stop, trailing_post=False)


async def migrate(stop: asyncio.Event) -> None:
    await _migrate(stop, trailing_post=True)


async def restored(stop: asyncio.Event) -> None:
    await _accept(stop, is_whole=False)


async def moved(stop: asyncio.Event) -> None:
    await _accept(stop, is_whole=True)


async def _accept(stop: asyncio.Event, *, is_whole: bool) -> None:
    await prepare(stop)
    database = await connect(load(MigrateSettings).database_url.get_secret_value(), size=1, patient=True)
    try:
        log.info("the record is at home here", doubted=await accept(database, is_whole=is_whole))
    finally:
        await database.close()


async def _migrate(stop: asyncio.Event, *, trailing_post: bool) -> None:
    settings = load(MigrateSettings)
    configure_logging("metadata", settings.log_level)
    url = settings.database_url.get_secret_value()
    database = await _unless(stop, connect(url, size=1))  # waits until PostgreSQL answers
    if database is None:
        return
    await database.close()

    async def apply() -> None:
        applied = await apply_migrations(url, trailing_post=trailing_post)
        log.info("the schema is up to date", applied=applied)

    await _unbroken(stop, apply)


def main() -> int:
    commands = {"serve": serve, "prepare": prepare, "migrate": migrate, "restored": restored, "moved": moved}
    match sys.argv[1:]:
        case []:
            return run("metadata", serve)
        case [name] if name in commands:
            return run("metadata", commands[name])
        case _:
            print(f"usage: python -m domicile_metadata [{'|'.join(commands)}]", file=sys.stderr)  # noqa: T201 - for a person
            return 2
