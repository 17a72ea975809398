from __future__ import annotations

from typing import Any

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.domain.roles import Caller
from domicile_metadata.handlers.admin.api import Endpoint, bearer, caller, document
from domicile_metadata.services import sessions
from domicile_metadata.services.sessions import Issued, SignedRequest


async def sign_in(context: Context, request: Request) -> Issued:
    return await sessions.sign_in(context, caller(request))


async def sign_in_tenant(context: Context, request: Request) -> Issued:
    return await sessions.sign_in_tenant(context, await document(request, SignedRequest))


async def current(_context: Context, request: Request) -> Caller:
    return caller(request)


async def end(context: Context, request: Request) -> dict[str, Any]:
    await sessions.end(context, bearer(request))
    return {}


ENDPOINTS = (
    Endpoint("POST", "/proxy/sessions/operator", sign_in, 201),
    Endpoint("POST", "/proxy/sessions/token", sign_in, 201),
    Endpoint("POST", "/proxy/sessions/tenant", sign_in_tenant, 201),
    Endpoint("GET", "/proxy/sessions/current", current),
    Endpoint("DELETE", "/proxy/sessions/current", end),
)
