from __future__ import annotations

from starlette.requests import Request

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, document
from domicile_metadata.services import backends
from domicile_metadata.services.backends import BackendChange, BackendList, Registration, ShownBackend


async def put(context: Context, request: Request) -> ShownBackend:
    return await backends.put(context, request.path_params["backend"], await document(request, Registration))


async def list_all(context: Context, _request: Request) -> BackendList:
    return await backends.list_all(context)


async def show(context: Context, request: Request) -> ShownBackend:
    return await backends.show(context, request.path_params["backend"])


async def change(context: Context, request: Request) -> ShownBackend:
    return await backends.change(context, request.path_params["backend"], await document(request, BackendChange))


ENDPOINTS = (
    Endpoint("GET", "/proxy/backends", list_all),
    Endpoint("GET", "/proxy/backends/{backend}", show),
    Endpoint("PUT", "/proxy/backends/{backend}", put),
    Endpoint("PATCH", "/proxy/backends/{backend}", change),
)
