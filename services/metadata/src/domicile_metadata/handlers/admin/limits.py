from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, document
from domicile_metadata.services import quotas
from domicile_metadata.services.quotas import ShownLimits
from domicile_metadata.storage.quotas import Limits


async def show(context: Context, request: Request) -> ShownLimits:
    return await quotas.show(context, request.path_params["tenant"])


async def put(context: Context, request: Request) -> ShownLimits:
    return await quotas.put(context, request.path_params["tenant"], await document(request, Limits))


ENDPOINTS = (
    Endpoint("GET", "/proxy/tenants/{tenant}/limits", show),
    Endpoint("PUT", "/proxy/tenants/{tenant}/limits", put),
)
