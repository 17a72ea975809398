from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, caller, own_tenant, page, query
from domicile_metadata.services import lag, lag_history
from domicile_metadata.services.lag import Lag
from domicile_metadata.services.lag_history import History, HistoryAsked


async def show(context: Context, request: Request) -> Lag:
    _, limit = page(request)
    tenant_id = own_tenant(request, request.query_params.get("tenant"))
    shown = await lag.show(context, tenant_id, request.query_params.get("bucket"), limit)
    return shown if caller(request).sees_all else lag.without_others(shown)


async def history(context: Context, request: Request) -> History:
    return await lag_history.show(context, query(dict(request.query_params), HistoryAsked))


ENDPOINTS = (
    Endpoint("GET", "/proxy/lag", show),
    Endpoint("GET", "/proxy/lag/history", history),
)
