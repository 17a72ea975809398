from __future__ import annotations

from starlette.requests import Request

from domicile_common.errors import RequestError
from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, caller, document, page, query
from domicile_metadata.services import jobs
from domicile_metadata.services.jobs import LATEST, Dropped, Dropping, Drops, Jobs, Replay, Replayed, State
from domicile_metadata.storage.jobs import Job, Which


async def list_page(context: Context, request: Request) -> Jobs:
    """``state``: ``owed`` (default), ``parked`` or ``all``; the filters are those of ``Which``, with ``backend`` for ``backend_id``."""
    after, limit = page(request)
    given = dict(request.query_params)
    state = query(given.pop("state", "owed"), State)
    for name in ("after", "limit"):
        given.pop(name, None)
    if "backend" in given:
        given["backend_id"] = given.pop("backend")
    return await jobs.list_page(context, caller(request), state, query(given, Which), after, limit=limit)


async def show(context: Context, request: Request) -> Job:
    given = request.path_params
    return await jobs.show(context, given["bucket_id"], given["version_id"], given["backend_id"])


async def replay(context: Context, request: Request) -> Replayed:
    return await jobs.replay(context, await document(request, Replay))


async def drop(context: Context, request: Request) -> Dropped:
    return await jobs.drop(context, await document(request, Dropping))


async def drops(context: Context, request: Request) -> Drops:
    before, limit = page(request)
    if before and not (before.isascii() and before.isdigit() and int(before) <= LATEST):
        raise RequestError("InvalidArgument", "after is what the page before has as next.")
    given = request.query_params
    return await jobs.list_drops(context, given.get("tenant"), given.get("bucket"), int(before or LATEST), limit)


ENDPOINTS = (
    Endpoint("GET", "/proxy/jobs", list_page),
    Endpoint("POST", "/proxy/jobs/replay", replay),
    Endpoint("POST", "/proxy/jobs/drop", drop),
    Endpoint("GET", "/proxy/jobs/drops", drops),
    Endpoint("GET", "/proxy/jobs/{bucket_id}/{version_id}/{backend_id}", show),
)
