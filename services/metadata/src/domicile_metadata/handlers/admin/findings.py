from __future__ import annotations

from starlette.requests import Request

from domicile_common.errors import RequestError
from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, page
from domicile_metadata.services import scrub
from domicile_metadata.services.scrub import FindingPage

_DIGITS = 18  # of a bigint


async def list_page(context: Context, request: Request) -> FindingPage:
    after, limit = page(request)
    if not (after == "" or (after.isascii() and after.isdigit() and len(after) <= _DIGITS)):
        raise RequestError("InvalidArgument", "after is the id of a finding.")
    query = request.query_params
    unresolved = query.get("all") is None
    return await scrub.list_findings(
        context, int(after or 0), query.get("backend"), query.get("kind"), limit, unresolved=unresolved
    )


ENDPOINTS = (Endpoint("GET", "/proxy/findings", list_page),)
