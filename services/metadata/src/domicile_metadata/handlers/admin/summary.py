from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, caller, own_tenant, page, query
from domicile_metadata.services import summary
from domicile_metadata.services.summary import BrowsedPage, BucketPage, ObjectsAsked, Summary
from domicile_metadata.storage.totals import BrowsedBucket


async def show(context: Context, request: Request) -> Summary:
    shown = await summary.summarize(context, own_tenant(request, request.query_params.get("tenant")))
    return shown if caller(request).sees_all else summary.in_use(shown)


async def list_buckets(context: Context, request: Request) -> BucketPage:
    return await summary.list_buckets(context, own_tenant(request, request.query_params.get("tenant")), *page(request))


async def show_bucket(context: Context, request: Request) -> BrowsedBucket:
    tenant_id = request.path_params["tenant"]
    own_tenant(request, tenant_id)
    return await summary.show_bucket(context, tenant_id, request.path_params["bucket"])


async def list_objects(context: Context, request: Request) -> BrowsedPage:
    _, limit = page(request)
    given = {name: value for name, value in request.query_params.items() if name != "limit"}
    given["tenant"] = own_tenant(request, given.get("tenant")) or ""
    return await summary.list_versions(context, query(given, ObjectsAsked), limit)


ENDPOINTS = (
    Endpoint("GET", "/proxy/summary", show),
    Endpoint("GET", "/proxy/buckets", list_buckets),
    Endpoint("GET", "/proxy/buckets/{tenant}/{bucket}", show_bucket),
    Endpoint("GET", "/proxy/objects", list_objects),
)
