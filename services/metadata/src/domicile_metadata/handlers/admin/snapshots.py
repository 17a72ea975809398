from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domicile_common.errors import RequestError
from domicile_metadata.context import Context
from domicile_metadata.handlers.admin.api import Endpoint, body, caller, document, page
from domicile_metadata.services import snapshots
from domicile_metadata.services.snapshots import LARGEST_NUMBER, Ending, NewSnapshot, ShownSnapshot, SnapshotPage
from domicile_metadata.storage.snapshots import SnapshotRecord

LARGEST_PIECE = 4 << 20  # bytes, as sent
_LINES = {"content-encoding": "gzip", "cache-control": "no-store"}


async def create(context: Context, request: Request) -> SnapshotRecord:
    return await snapshots.create(context, caller(request), await document(request, NewSnapshot))


async def list_page(context: Context, request: Request) -> SnapshotPage:
    return await snapshots.list_page(context, caller(request), *page(request))


async def show(context: Context, request: Request) -> ShownSnapshot:
    return await snapshots.show(context, caller(request), _id(request))


async def put_piece(context: Context, request: Request) -> SnapshotRecord:
    number = _number(request)
    return await snapshots.put_piece(context, caller(request), _id(request), number, await body(request, LARGEST_PIECE))


async def piece(context: Context, request: Request) -> Response:
    content = await snapshots.piece(context, caller(request), _id(request), _number(request))
    return Response(content, headers=_LINES, media_type="application/x-ndjson")


async def finish(context: Context, request: Request) -> SnapshotRecord:
    return await snapshots.finish(context, caller(request), _id(request), await document(request, Ending))


async def export(context: Context, request: Request) -> Response:
    """A file that stays compressed, unlike a piece."""
    name = f'attachment; filename="snapshot-{_id(request)}.ndjson.gz"'
    members = await snapshots.export(context, caller(request), _id(request))
    return StreamingResponse(
        members, headers={"content-disposition": name, "cache-control": "no-store"}, media_type="application/gzip"
    )


async def delete(context: Context, request: Request) -> dict[str, Any]:
    await snapshots.delete(context, caller(request), _id(request))
    return {}


def _id(request: Request) -> str:
    return str(request.path_params["snapshot"])


def _number(request: Request) -> int:
    text = request.path_params["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_NUMBER)) else -1
    if not 0 <= number <= LARGEST_NUMBER:
        raise RequestError("InvalidArgument", f"The number of a piece is from 0 to {LARGEST_NUMBER}.")
    return number


ENDPOINTS = (
    Endpoint("POST", "/proxy/snapshots", create, 201),
    Endpoint("GET", "/proxy/snapshots", list_page),
    Endpoint("GET", "/proxy/snapshots/{snapshot}", show),
    Endpoint("PUT", "/proxy/snapshots/{snapshot}/pieces/{number}", put_piece),
    Endpoint("GET", "/proxy/snapshots/{snapshot}/pieces/{number}", piece),
    Endpoint("POST", "/proxy/snapshots/{snapshot}/finish", finish),
    Endpoint("GET", "/proxy/snapshots/{snapshot}/export", export),
    Endpoint("DELETE", "/proxy/snapshots/{snapshot}", delete),
)
