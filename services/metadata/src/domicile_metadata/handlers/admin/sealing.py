from __future__ import annotations

import msgspec
from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint
from domicile_metadata.services import sealing
from domicile_metadata.services.sealing import Resealed


async def reseal(context: Context, _request: Request) -> Resealed:
    return await sealing.reseal(context)


class HandoverKey(msgspec.Struct, frozen=True):
    """For whom a browser seals a secret that it hands over (``domicile_common.sealing``)."""

    key_id: str
    public_key: str


async def handover_key(context: Context, _request: Request) -> HandoverKey:
    return HandoverKey(context.sealer.key_id, context.sealer.public_key)


ENDPOINTS = (
    Endpoint("POST", "/proxy/secrets/reseal", reseal),
    Endpoint("GET", "/proxy/handover", handover_key),
)
