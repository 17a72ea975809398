from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from domicile_common.errors import RequestError
from domicile_common.waiting import Demand, make_demand
from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, as_json, needed
from domicile_metadata.services import waiting


async def wait(context: Context, request: Request) -> Response:
    """408 where time was up first, so that no script takes it for success."""
    place = needed(request, "tenant"), needed(request, "bucket"), needed(request, "key")
    waited = await waiting.wait(context, place, request.query_params.get("version"), _demand(request))
    return as_json(HTTPStatus.OK if waited.reached else HTTPStatus.REQUEST_TIMEOUT, waited)


def _demand(request: Request) -> Demand:
    query = request.query_params
    countries = query.get("countries")
    listed = None if countries is None or countries.isdecimal() else countries.split(",")
    try:
        return make_demand(query.get("copies"), listed or countries, query.get("timeout"))
    except ValueError as error:
        raise RequestError("InvalidArgument", str(error)) from None


ENDPOINTS = (Endpoint("GET", "/proxy/wait", wait),)
