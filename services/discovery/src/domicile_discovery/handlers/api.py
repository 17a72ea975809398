"""What all endpoints of the page's API have in common: who may ask, reading requests, answering errors as JSON.

Errors are ``{"error": {"code", "message"}}``: 401 without a session, 403 for what does not come from our page, 400 for what is malformed or not
relayed, 429 while one client's own requests are in the way, 502 when a provider gave no usable answer, 503 while metadata is away or too much
is under way; metadata's own are passed on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
import structlog
from prometheus_client import Counter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.tracing import Arrival, SpanKind
from domicile_discovery import guard
from domicile_discovery.context import Context
from domicile_discovery.metadata import Refused, Sources, bearer
from domicile_discovery.relay.relay import RelayFailed

log = structlog.get_logger()

REQUESTS = Counter(
    "domicile_discovery_requests", "Requests of the page to its API, by route and HTTP status.", ["method", "route", "status"]
)

MAXIMUM_BODY = 64 << 10  # bytes
COOKIE = "domicile_session"
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# https://fetch.spec.whatwg.org/#cross-origin-resource-policy-header
HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

Handler = Callable[[Context, Request], Awaitable[Any]]
T = TypeVar("T")


class Endpoint(NamedTuple):
    """``handle`` answers a value that becomes the JSON body, or a whole response.

    ``access``: ``page``: whoever reaches the page; ``session``: whoever has a cookie, which metadata judges.
    """

    method: str
    path: str
    handle: Handler
    access: Literal["page", "session"]


def make_routes(context: Context, endpoints: Iterable[Endpoint]) -> list[BaseRoute]:
    """A route for each endpoint, and one that answers everything else under ``/api/``."""
    everything_else = Endpoint("GET", "/api/{rest:path}", _no_such_endpoint, "page")
    routes = [Route(it.path, _serve(context, it), methods=[it.method]) for it in endpoints]
    return [*routes, Route(everything_else.path, _serve(context, everything_else), methods=EVERY_METHOD)]


async def _no_such_endpoint(_context: Context, _request: Request) -> None:
    raise RequestError("NoSuchEndpoint", "The API has nothing of this name.")


def _serve(context: Context, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        with Arrival(f"{endpoint.method} {endpoint.path}", SpanKind.SERVER, request.headers.get("traceparent", "")) as span:
            response = await respond(request)
            span.note({"http.response.status_code": response.status_code})
            REQUESTS.labels(endpoint.method, endpoint.path, response.status_code).inc()
            return response

    async def respond(request: Request) -> Response:
        objection = guard.objection(request.method, request.headers, context.settings.origins)
        if objection is not None:
            return failure(403, "NotFromHere", objection)
        if endpoint.access == "session" and not token_of(request):
            return failure(401, "NotSignedIn", "Sign in first.")
        try:
            answer = await endpoint.handle(context, request)
        except (Refused, RequestError, RelayFailed, Unavailable) as error:
            return refusal(error)
        except ClientDisconnect:  # in the middle of its body; nobody reads this
            return failure(400, "IncompleteBody", "The body ended before its end.")
        return answer if isinstance(answer, Response) else as_json(200, answer)

    return serve


def refusal(error: Refused | RequestError | RelayFailed | Unavailable) -> Response:
    match error:
        case Refused():
            return Response(error.document, error.status, HEADERS, "application/json")
        case RequestError():
            return failure(_status(error), error.code, error.message)
        case RelayFailed():
            return failure(502, "RelayFailed", str(error))
        case Unavailable():
            return failure(503, "ServiceUnavailable", str(error))


def _status(error: RequestError) -> int:
    if error.code in _STATUS:
        return _STATUS[error.code]
    if error.code.startswith("NoSuch"):
        return 404
    return 409 if isinstance(error, PolicyRefused) else 400


_STATUS = {"NotSignedIn": 401, "TooManyRequests": 429}
_AGAIN = {429: {"retry-after": "2"}, 503: {"retry-after": "2"}}  # seconds


def failure(status: int, code: str, message: str) -> Response:
    response = as_json(status, {"error": {"code": code, "message": message}})
    response.headers.update(_AGAIN.get(status, {}))
    return response


def as_json(status: int, value: Any) -> Response:
    return Response(msgspec.json.encode(value), status, HEADERS, "application/json")


def token_of(request: Request) -> str:
    """The session's token, or ``""``. Only what a header may carry: it is handed on in one."""
    token = request.cookies.get(COOKIE, "")
    return token if token.isascii() and token.isprintable() else ""


def sources(context: Context, request: Request) -> Sources:
    """What is known, asked for in the name of whoever has signed in."""
    return Sources(context.catalogue, context.metadata, bearer(token_of(request)))


async def body_of(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAXIMUM_BODY:
            raise RequestError("EntityTooLarge", f"The body is larger than {MAXIMUM_BODY} bytes.")
    return bytes(content)


async def document(request: Request, shape: type[T]) -> T:
    """The body as a value; the error names the field that is wrong."""
    content = await body_of(request)
    try:
        return msgspec.json.decode(content or b"{}", type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("InvalidArgument", f"The body is malformed: {error}") from None
