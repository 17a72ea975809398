"""Trying backends that failed, so that they are used again as soon as they serve, and no client's request has to find out."""

from __future__ import annotations

import asyncio

import structlog

from domicile_common.errors import BackendError, BackendUnavailable
from domicile_common.loops import set_within
from domicile_common.model import Blob
from domicile_proxy.context import Context

SECONDS = 0.25
NOTHING = ("domicile-probe", "probe")
"""A bucket and a key that need not exist: any definite answer, also a refusal, shows that the backend serves."""

log = structlog.get_logger()


async def keep_probing(context: Context, stop: asyncio.Event) -> None:
    while not await set_within(stop, SECONDS):
        await probe(context)


async def probe(context: Context) -> None:
    await asyncio.gather(*(_probe(backend_id, context) for backend_id in context.health.on_trial()))


async def _probe(backend_id: str, context: Context) -> None:
    try:
        store = await context.directory.store(backend_id)
        await store.head(Blob(backend_id, *NOTHING))
    except BackendUnavailable as error:
        log.info("a backend is still away", backend=backend_id, error=str(error))
        context.health.failed(backend_id)
        return
    except BackendError:
        pass
    log.info("a backend serves again", backend=backend_id)
    context.health.succeeded(backend_id)
