from __future__ import annotations

from starlette.requests import Request

from domicile_common.sovereignty import Ranking
from domicile_discovery.context import Context
from domicile_discovery.handlers.api import Endpoint, document, sources
from domicile_discovery.places import RankQuestion, ranked


async def check(context: Context, request: Request) -> Ranking:
    return await ranked(sources(context, request), await document(request, RankQuestion))


ENDPOINTS = (Endpoint("POST", "/api/sovereignty", check, "page"),)
