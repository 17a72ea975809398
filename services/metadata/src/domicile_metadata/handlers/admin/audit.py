from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domicile_common.errors import RequestError
from domicile_metadata.context import Context
from domicile_metadata.domain.audit import Verdict
from domicile_metadata.handlers.admin.api import Endpoint, page, query
from domicile_metadata.services import audit
from domicile_metadata.services.audit import Anchor, AuditPage
from domicile_metadata.storage.audit import LATEST, Filter


async def list_page(context: Context, request: Request) -> AuditPage:
    _, limit = page(request)
    given = {name: value for name, value in request.query_params.items() if name not in ("after", "limit")}
    return await audit.list_page(context, query(given, Filter), _number(request), limit)


async def export(context: Context, request: Request) -> Response:
    lines = audit.export(context, request.query_params.get("tenant"), _number(request) or 0)
    return StreamingResponse(lines, headers={"cache-control": "no-store"}, media_type="application/x-ndjson")


async def verify(context: Context, request: Request) -> Verdict:
    return await audit.verify(context, query(dict(request.query_params), Anchor))


def _number(request: Request) -> int | None:
    """``after``: the number of a row."""
    text = request.query_params.get("after", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= LATEST):
        raise RequestError("InvalidArgument", "after is the number of an entry.")
    return int(text)


ENDPOINTS = (
    Endpoint("GET", "/proxy/audit", list_page),
    Endpoint("GET", "/proxy/audit/export", export),
    Endpoint("GET", "/proxy/audit/verify", verify),
)
