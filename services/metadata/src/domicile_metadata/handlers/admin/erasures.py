from __future__ import annotations

from typing import Any

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, document, query
from domicile_metadata.services import erasures
from domicile_metadata.services.erasures import Erasure


async def show(context: Context, request: Request) -> dict[str, Any]:
    return await erasures.certify(context, query(dict(request.query_params), Erasure))


async def certify(context: Context, request: Request) -> dict[str, Any]:
    """As ``show``; keys and prefixes in a body stand in no log."""
    return await erasures.certify(context, await document(request, Erasure))


async def key(context: Context, _request: Request) -> dict[str, str]:
    return erasures.public_key(context)


ENDPOINTS = (
    Endpoint("GET", "/proxy/erasures", show),
    Endpoint("POST", "/proxy/erasures", certify),
    Endpoint("GET", "/proxy/erasures/key", key),
)
