from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, body
from domicile_metadata.services import policies
from domicile_metadata.services.policies import Level, PolicyView


async def show(context: Context, request: Request) -> PolicyView:
    return await policies.show(context, _level(request))


async def put(context: Context, request: Request) -> PolicyView:
    return await policies.put(context, _level(request), await body(request))


def _level(request: Request) -> Level:
    return Level(request.path_params.get("tenant"), request.path_params.get("bucket"))


ENDPOINTS = tuple(
    Endpoint(method, path, handle)
    for path in ("/proxy/policies/default", "/proxy/policies/tenants/{tenant}", "/proxy/policies/buckets/{tenant}/{bucket}")
    for method, handle in (("GET", show), ("PUT", put))
)
