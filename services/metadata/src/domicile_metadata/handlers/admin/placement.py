from __future__ import annotations

from typing import Literal

from starlette.requests import Request

from domicile_common.errors import RequestError
from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, document, needed, page
from domicile_metadata.services import placement
from domicile_metadata.services.placement import Explanations, Jobs, Placement, Replay, Replayed


async def explain(context: Context, request: Request) -> Explanations:
    """``namespace``, or ``tenant`` and ``bucket`` with or without ``backend``."""
    namespace = request.query_params.get("namespace")
    if namespace:
        return await placement.explain_namespace(context, namespace)
    return await placement.explain_names(
        context, needed(request, "tenant"), needed(request, "bucket"), request.query_params.get("backend")
    )


async def show(context: Context, request: Request) -> Placement:
    return await placement.show(context, needed(request, "tenant"), needed(request, "bucket"), needed(request, "key"))


async def jobs(context: Context, request: Request) -> Jobs:
    _, limit = page(request)
    return await placement.jobs(context, _state(request), request.query_params.get("backend"), limit)


def _state(request: Request) -> Literal["owed", "parked"]:
    match request.query_params.get("state", "owed"):
        case "owed":
            return "owed"
        case "parked":
            return "parked"
        case _:
            raise RequestError("InvalidArgument", "state is owed or parked.")


async def replay(context: Context, request: Request) -> Replayed:
    return await placement.replay(context, await document(request, Replay))


ENDPOINTS = (
    Endpoint("GET", "/proxy/namespaces/explain", explain),
    Endpoint("GET", "/proxy/placement", show),
    Endpoint("GET", "/proxy/jobs", jobs),
    Endpoint("POST", "/proxy/jobs/replay", replay),
)
