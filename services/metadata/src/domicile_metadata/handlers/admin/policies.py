from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, body, caller, own_tenant
from domicile_metadata.services import policies
from domicile_metadata.services.policies import Level, PolicyView


async def show(context: Context, request: Request) -> PolicyView:
    level = _level(request)
    own_tenant(request, level.tenant_id)
    return await policies.show(context, level)


async def put(context: Context, request: Request) -> PolicyView:
    return await policies.put(context, caller(request), _level(request), await body(request))


def _level(request: Request) -> Level:
    return Level(request.path_params.get("tenant"), request.path_params.get("bucket"))


DEFAULT, TENANT, BUCKET = (
    "/proxy/policies/default",
    "/proxy/policies/tenants/{tenant}",
    "/proxy/policies/buckets/{tenant}/{bucket}",
)

ENDPOINTS = (
    Endpoint("GET", DEFAULT, show),
    *(Endpoint("GET", path, show) for path in (TENANT, BUCKET)),
    *(Endpoint("PUT", path, put) for path in (DEFAULT, TENANT, BUCKET)),
)
