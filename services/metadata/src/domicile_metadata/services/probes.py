"""Probes of backends: begun when one is registered or reached otherwise, and now and then; what they find, and what follows from it."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog

from domicile_common.backends.capabilities import CAPABILITIES, changes, merged
from domicile_common.errors import RequestError
from domicile_common.events import Invalidation
from domicile_common.metadata_client.base import Empty
from domicile_common.metadata_client.probes import NameProbe, Probe, ProbeBuckets, ReportProbe
from domicile_common.model import Backend
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, uuid7
from domicile_metadata.services.names import physical_name
from domicile_metadata.storage import backends, directory, invalidations, probes
from domicile_metadata.storage.database import Statements
from domicile_metadata.storage.probes import ProbeRecord

log = structlog.get_logger()

AGAIN_SECONDS: Final = 3600.0  # after one that came to nothing
NOBODY: Final = ""  # no tenant has this id, so no bucket of a tenant has such a physical name


class Probes(msgspec.Struct, frozen=True):
    probes: tuple[ProbeRecord, ...]
    truncated: bool


async def check(context: Context, asked: Probe) -> None:
    """Raises ``NoSuchBackend``."""
    await _find(context.database, asked.backend_id)


async def _find(statements: Statements, backend_id: str) -> Backend:
    for backend in await directory.list_backends(statements):
        if backend.backend_id == backend_id:
            return backend
    raise RequestError("NoSuchBackend", f"There is no backend {backend_id}.")


async def begin(context: Context, statements: Statements, backend_id: str) -> None:
    """Unless one is open, or the operator wants none that he has not asked for."""
    if context.settings.probe_seconds:
        task_id = uuid7(context.clock(), context.entropy(RANDOM_BYTES))
        await probes.begin(statements, task_id, msgspec.json.encode(Probe(backend_id=backend_id)))


async def begin_due(context: Context) -> None:
    """Those that nobody has asked for."""
    every = context.settings.probe_seconds
    for backend_id in await probes.due(context.database, every, min(every, AGAIN_SECONDS)) if every else ():
        await begin(context, context.database, backend_id)
        log.info("a probe is due", backend=backend_id)


async def name_buckets(context: Context, asked: NameProbe) -> ProbeBuckets:
    backend = await _find(context.database, asked.backend_id)
    place = backend.backend_id, backend.provider
    return ProbeBuckets(*(physical_name(context, NOBODY, bucket, place, 0) for bucket in ("probe", "probe-versioned")))


async def report(context: Context, asked: ReportProbe) -> Empty:
    """In one transaction: what is known from now on, its history, and word to proxies and replicators."""
    async with context.database.transaction() as session:
        backend = await backends.lock(session, asked.backend_id)
        if backend is None or backend.endpoint != asked.endpoint:
            return Empty()
        known = merged(backend.capabilities, asked.found)
        notes = {name: text for name, text in asked.notes.items() if text}
        changed = changes(backend.capabilities, known)
        is_new = known != backend.capabilities
        if is_new or not await probes.see_again(session, backend.backend_id, notes):
            await probes.insert(session, backend.backend_id, known, changed, notes)
        if is_new:
            await backends.upsert(session, msgspec.structs.replace(backend, capabilities=known))
            await invalidations.send(session, [Invalidation("backend", backend.backend_id)])
    if changed:
        now = {name: known[name] for name in changed}
        log.warning("a backend does otherwise than before", backend=backend.backend_id, now=now)
    elif is_new:
        lacks = [name for name in CAPABILITIES if known.get(name) is False]
        log.info("a probe has found something out", backend=backend.backend_id, lacks=lacks)
    return Empty()


async def list_latest(context: Context, backend_id: str, limit: int) -> Probes:
    """The latest first. Raises ``NoSuchBackend``."""
    await _find(context.database, backend_id)
    found = await probes.list_latest(context.database, backend_id, limit + 1)
    return Probes(tuple(found[:limit]), len(found) > limit)
