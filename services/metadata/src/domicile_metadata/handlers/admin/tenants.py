from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, document, page
from domicile_metadata.services import tenants
from domicile_metadata.services.tenants import NewTenant, TenantChange, TenantPage
from domicile_metadata.storage.tenants import TenantRecord


async def create(context: Context, request: Request) -> TenantRecord:
    return await tenants.create(context, await document(request, NewTenant))


async def list_page(context: Context, request: Request) -> TenantPage:
    return await tenants.list_page(context, *page(request))


async def show(context: Context, request: Request) -> TenantRecord:
    return await tenants.show(context, request.path_params["tenant"])


async def change(context: Context, request: Request) -> TenantRecord:
    return await tenants.change(context, request.path_params["tenant"], await document(request, TenantChange))


ENDPOINTS = (
    Endpoint("POST", "/proxy/tenants", create, 201),
    Endpoint("GET", "/proxy/tenants", list_page),
    Endpoint("GET", "/proxy/tenants/{tenant}", show),
    Endpoint("PATCH", "/proxy/tenants/{tenant}", change),
)
