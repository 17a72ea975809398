from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, page
from domicile_metadata.services import probes
from domicile_metadata.services.probes import Probes


async def list_latest(context: Context, request: Request) -> Probes:
    _, limit = page(request)
    return await probes.list_latest(context, request.path_params["backend"], limit)


ENDPOINTS = (Endpoint("GET", "/proxy/backends/{backend}/probes", list_latest),)
