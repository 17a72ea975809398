"""What all endpoints of the admin API have in common: the key, reading requests, and answering errors as JSON.

The key may be replaced by the token of a session (``services.sessions``). Errors are ``{"error": {"code", "message"}}``: 401 without either,
403 where a tenant's session is not enough, 400 for what is malformed, 404 for what is not there, 409 for what
contradicts what is there, 503 while the database is away.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domicile_common.errors import ConfigurationError, PolicyRefused, RequestError, Unavailable
from domicile_common.telemetry import begin_trace
from domicile_metadata.context import Context
from domicile_metadata.services import sessions
from domicile_metadata.services.sessions import Caller

log = structlog.get_logger()

MAXIMUM_BODY = 64 << 10  # bytes
PAGE = 100
LARGEST_PAGE = 1000
RETRY_AFTER_SECONDS = "1"
_EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_CONFLICTS = frozenset(
    {
        "TenantExists",
        "CredentialExists",
        "CredentialInactive",
        "TaskFinished",
        "SnapshotFinished",
        "PieceExists",
        "TooManySnapshots",
    }
)

_STATUS = {"AccessDenied": 401, "SignInRefused": 403, "NotAllowed": 403}

Handler = Callable[[Context, Request], Awaitable[Any]]
T = TypeVar("T")


class Endpoint(NamedTuple):
    """``handle`` answers a value that becomes the JSON body, or a whole response; ``status`` is that of success.

    ``access``: who may ask at least; a tenant's own session is enough for ``tenant``, and for ``anybody`` it takes none.
    """

    method: str
    path: str
    handle: Handler
    status: int = 200
    access: Literal["operator", "tenant", "anybody"] = "operator"


def make_routes(context: Context, endpoints: Iterable[Endpoint]) -> list[BaseRoute]:
    """A route for each endpoint, and one that answers everything else under ``/proxy/``, to those with the key only."""
    routes = [Route(endpoint.path, _serve(context, endpoint), methods=[endpoint.method]) for endpoint in endpoints]
    everything_else = Endpoint("GET", "/proxy/{rest:path}", _no_such_endpoint)
    return [*routes, Route(everything_else.path, _serve(context, everything_else), methods=_EVERY_METHOD)]


async def _no_such_endpoint(_context: Context, request: Request) -> None:
    raise RequestError("NoSuchEndpoint", f"The admin API has no {request.method} {request.url.path}.")


def _serve(context: Context, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        begin_trace(request.headers.get("traceparent", ""))
        try:
            who = await _admit(context, endpoint, request)
            answer = await endpoint.handle(context, request)
        except RequestError as error:
            return _failure(_status(error), error.code, error.message)
        except ConfigurationError as error:
            return _failure(409, "Misconfigured", str(error))
        except Unavailable as error:
            return _failure(503, "ServiceUnavailable", str(error))
        if endpoint.method not in ("GET", "HEAD") and who is not None and who.role == "operator":
            log.info("an operator changed something", method=endpoint.method, path=request.url.path)
        return answer if isinstance(answer, Response) else as_json(endpoint.status, answer)

    return serve


async def _admit(context: Context, endpoint: Endpoint, request: Request) -> Caller | None:
    """Lets in whoever may ask, notes who it is, and tells it. Raises ``RequestError``."""
    if endpoint.access == "anybody":
        return None
    who = await _who(context, request)
    if who is None:
        raise RequestError("AccessDenied", "The header X-Admin-Key is missing or wrong, or the session has ended.")
    if who.role != "operator" and endpoint.access == "operator":
        raise RequestError("NotAllowed", "Only an operator may do this.")
    request.state.caller = who
    return who


async def _who(context: Context, request: Request) -> Caller | None:
    key = context.settings.admin_api_key.get_secret_value().encode()
    if hmac.compare_digest(request.headers.get("x-admin-key", "").encode("latin-1"), key):
        return Caller("operator")
    token = bearer(request)
    return await sessions.find(context, token) if token else None


def bearer(request: Request) -> str:
    """The token of a session, if the request shows one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def caller(request: Request) -> Caller:
    """Who asks, at an endpoint that is not for anybody."""
    who: Caller = request.state.caller
    return who


def own_tenant(request: Request, asked: str | None) -> str | None:
    """The tenant whose things are asked for, ``None`` for everybody's: a tenant sees its own, and only those. Raises ``NotAllowed``."""
    who = caller(request)
    if who.role == "operator":
        return asked
    if asked not in (None, who.tenant_id):
        raise RequestError("NotAllowed", "Only an operator may see what is another tenant's.")
    return who.tenant_id


def _status(error: RequestError) -> int:
    if error.code in _STATUS:
        return _STATUS[error.code]
    if error.code.startswith("NoSuch"):
        return 404
    return 409 if isinstance(error, PolicyRefused) or error.code in _CONFLICTS else 400


def _failure(status: int, code: str, message: str) -> Response:
    response = as_json(status, {"error": {"code": code, "message": message}})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = RETRY_AFTER_SECONDS
    return response


def as_json(status: int, value: Any) -> Response:
    # Secrets are shown once, in some of these answers: nothing on the way may keep them.
    return Response(msgspec.json.encode(value), status, {"cache-control": "no-store"}, "application/json")


async def body(request: Request, limit: int = MAXIMUM_BODY) -> bytes:
    """The whole body, up to ``limit`` bytes."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise RequestError("EntityTooLarge", f"The body is larger than {limit} bytes.")
    return bytes(content)


async def document(request: Request, shape: type[T]) -> T:
    """The body as a value; the error names the field that is wrong. An empty body is an empty object."""
    try:
        return msgspec.json.decode(await body(request) or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("InvalidArgument", f"The body is malformed: {error}") from None


def query(given: Any, shape: Any) -> Any:
    """Query parameters as a value; the error names the one that is wrong."""
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise RequestError("InvalidArgument", f"The query is malformed: {error}") from None


def needed(request: Request, name: str) -> str:
    """A query parameter that must be there."""
    value = request.query_params.get(name, "")
    if not value:
        raise RequestError("InvalidArgument", f"The query parameter {name} is needed.")
    return value


def page(request: Request) -> tuple[str, int]:
    """``after`` (exclusive) and ``limit`` of a list."""
    text = request.query_params.get("limit", str(PAGE))
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < len("10000") else 0
    if not 1 <= limit <= LARGEST_PAGE:
        raise RequestError("InvalidArgument", f"limit is a number from 1 to {LARGEST_PAGE}.")
    return request.query_params.get("after", ""), limit
