from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.domain.preview import Preview
from domicile_metadata.handlers.admin.api import Endpoint, caller, document, needed, own_tenant, page
from domicile_metadata.services import placement, rearrangements
from domicile_metadata.services.placement import Explanations, Placement
from domicile_metadata.services.rearrangements import Comparison, Progress, Requested, Supposed


async def explain(context: Context, request: Request) -> Explanations:
    """``namespace`` (operators), or ``tenant`` and ``bucket`` with or without ``backend``. A tenant sees the names that are in use."""
    given = request.query_params
    tenant_id = own_tenant(request, given.get("tenant"))
    if not caller(request).sees_all and tenant_id is not None:
        return placement.recorded(await placement.explain_names(context, tenant_id, needed(request, "bucket"), None))
    if namespace := given.get("namespace"):
        return await placement.explain_namespace(context, namespace)
    return await placement.explain_names(context, needed(request, "tenant"), needed(request, "bucket"), given.get("backend"))


async def show(context: Context, request: Request) -> Placement:
    return await placement.show(context, needed(request, "tenant"), needed(request, "bucket"), needed(request, "key"))


async def preview(context: Context, request: Request) -> Preview:
    return await rearrangements.preview(context, await document(request, Supposed))


async def progress(context: Context, request: Request) -> Progress:
    _, limit = page(request)
    query = request.query_params
    unfinished = query.get("all") is None
    tenant_id = own_tenant(request, query.get("tenant"))
    return await rearrangements.progress(context, tenant_id, query.get("bucket"), limit, unfinished=unfinished)


async def compare(context: Context, request: Request) -> Requested:
    return await rearrangements.compare_again(context, await document(request, Comparison))


ENDPOINTS = (
    Endpoint("GET", "/proxy/namespaces/explain", explain),
    Endpoint("GET", "/proxy/placement", show),
    Endpoint("POST", "/proxy/placement/preview", preview),
    Endpoint("GET", "/proxy/placement/progress", progress),
    Endpoint("POST", "/proxy/placement/compare", compare, 202),
)
