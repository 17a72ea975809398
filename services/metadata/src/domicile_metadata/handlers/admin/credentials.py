from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, caller, document, own_tenant, page
from domicile_metadata.services import credentials
from domicile_metadata.services.credentials import CredentialChange, CredentialPage, IssuedCredential, NewCredential, Rotation
from domicile_metadata.storage.credentials import CredentialRecord


async def create(context: Context, request: Request) -> IssuedCredential:
    return await credentials.create(context, caller(request), await document(request, NewCredential))


async def list_page(context: Context, request: Request) -> CredentialPage:
    tenant_id = own_tenant(request, request.query_params.get("tenant"))
    return await credentials.list_page(context, tenant_id, *page(request))


async def change(context: Context, request: Request) -> CredentialRecord:
    wanted = await document(request, CredentialChange)
    return await credentials.change(context, caller(request), request.path_params["access_key"], wanted)


async def rotate(context: Context, request: Request) -> IssuedCredential:
    rotation = await document(request, Rotation)
    return await credentials.rotate(context, caller(request), request.path_params["access_key"], rotation)


ENDPOINTS = (
    Endpoint("POST", "/proxy/credentials", create, 201),
    Endpoint("GET", "/proxy/credentials", list_page),
    Endpoint("PATCH", "/proxy/credentials/{access_key}", change),
    Endpoint("POST", "/proxy/credentials/{access_key}/rotate", rotate, 201),
)
