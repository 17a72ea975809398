from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint
from domicile_metadata.services import sealing
from domicile_metadata.services.sealing import Resealed


async def reseal(context: Context, _request: Request) -> Resealed:
    return await sealing.reseal(context)


ENDPOINTS = (Endpoint("POST", "/proxy/secrets/reseal", reseal),)
