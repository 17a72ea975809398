from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint
from domicile_metadata.services import health
from domicile_metadata.services.health import HealthList


async def show(context: Context, _request: Request) -> HealthList:
    return await health.show(context)


ENDPOINTS = (Endpoint("GET", "/proxy/health", show),)
