from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, caller, document, page
from domicile_metadata.services import tokens
from domicile_metadata.services.tokens import IssuedToken, NewToken, TokenPage
from domicile_metadata.storage.tokens import TokenRecord


async def create(context: Context, request: Request) -> IssuedToken:
    return await tokens.create(context, caller(request), await document(request, NewToken))


async def list_page(context: Context, request: Request) -> TokenPage:
    return await tokens.list_page(context, caller(request), *page(request))


async def revoke(context: Context, request: Request) -> TokenRecord:
    return await tokens.revoke(context, caller(request), request.path_params["token"])


ENDPOINTS = (
    Endpoint("POST", "/proxy/tokens", create, 201),
    Endpoint("GET", "/proxy/tokens", list_page),
    Endpoint("DELETE", "/proxy/tokens/{token}", revoke),
)
