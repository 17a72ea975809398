"""Signing in and out. The cookie holds metadata's token, which the page's own code cannot read."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from domicile_common.value import Value
from domicile_discovery import guard
from domicile_discovery.context import Context
from domicile_discovery.handlers.api import COOKIE, Endpoint, as_json, document, token_of
from domicile_discovery.metadata import Caller, bearer

# What of a tenant's sign-in is signed and handed on. https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
SIGNED = ("host", "authorization", "x-amz-date", "x-amz-content-sha256")


class AdminKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    admin_key: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,1024}\Z")]


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,1024}\Z")]


class Issued(Value, frozen=True):
    token: str
    caller: Caller


async def sign_in_operator(context: Context, request: Request) -> Response:
    key = (await document(request, AdminKey)).admin_key
    return await _sign_in(context, request, "operator", shown={"x-admin-key": key})


async def sign_in_token(context: Context, request: Request) -> Response:
    """The cookie gets a session of the token's, not the token."""
    token = (await document(request, Token)).token
    return await _sign_in(context, request, "token", shown=bearer(token))


async def sign_in_tenant(context: Context, request: Request) -> Response:
    signed = {name: request.headers[name] for name in SIGNED if name in request.headers}
    return await _sign_in(context, request, "tenant", body={"headers": signed})


async def _sign_in(
    context: Context, request: Request, kind: str, *, body: object = None, shown: dict[str, str] | None = None
) -> Response:
    issued = await context.metadata.call("POST", f"/proxy/sessions/{kind}", shown or {}, Issued, body=body)
    response = as_json(201, issued.caller)
    _set_cookie(context, request, response, issued.token)
    return response


class Shown(Value, frozen=True, omit_defaults=False):
    """Who has signed in, as the page sees it. ``relay``: whether requests are relayed for them."""

    role: Literal["operator", "auditor", "tenant_admin", "tenant", "nobody"]
    tenant_id: str | None
    access: Literal["full", "read"] | None
    expires_at: str | None
    relay: bool


async def current(context: Context, request: Request) -> Shown:
    token = token_of(request)
    caller = await context.metadata.caller(token) if token else None
    if caller is None:
        return Shown("nobody", None, None, None, relay=context.settings.relay_for == "page")
    return Shown(caller.role, caller.tenant_id, caller.access, caller.expires_at, relay=True)


async def sign_out(context: Context, request: Request) -> Response:
    token = token_of(request)
    if token:
        context.metadata.forget(token)
        if await context.metadata.caller(token) is not None:
            await context.metadata.call("DELETE", "/proxy/sessions/current", bearer(token), dict)
            context.metadata.forget(token)
    response = as_json(200, {})
    _set_cookie(context, request, response, "")
    return response


def _set_cookie(context: Context, request: Request, response: Response, token: str) -> None:
    """Gone with the browser's session; ``Secure`` wherever the page is reached by https."""
    secure = (guard.origin_of(request.headers, context.settings.origins) or "").startswith("https:")
    response.set_cookie(COOKIE, token, max_age=None if token else 0, path="/api", secure=secure, httponly=True, samesite="strict")


ENDPOINTS = (
    Endpoint("POST", "/api/session/operator", sign_in_operator, "page"),
    Endpoint("POST", "/api/session/token", sign_in_token, "page"),
    Endpoint("POST", "/api/session/tenant", sign_in_tenant, "page"),
    Endpoint("GET", "/api/session", current, "page"),
    Endpoint("DELETE", "/api/session", sign_out, "page"),
)
