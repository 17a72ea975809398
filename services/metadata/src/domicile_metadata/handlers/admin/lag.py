from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, page
from domicile_metadata.services import lag
from domicile_metadata.services.lag import Lag


async def show(context: Context, request: Request) -> Lag:
    _, limit = page(request)
    return await lag.show(context, request.query_params.get("tenant"), request.query_params.get("bucket"), limit)


ENDPOINTS = (Endpoint("GET", "/proxy/lag", show),)
