"""What all endpoints of the admin API have in common: who asks, reading requests, the audit log, and answering errors as JSON.

Whoever asks shows the admin key, a token (``services.tokens``), or that of a session (``services.sessions``). Errors are
``{"error": {"code", "message"}}``: 401 without any, 403 where its role is not enough, 400 for what is malformed, 404 for what is not
there, 409 for what contradicts what is there, 503 while the database is away.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

import msgspec
import structlog
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domicile_common.errors import ConfigurationError, PolicyRefused, RequestError, Unavailable
from domicile_common.tracing import Arrival, SpanKind
from domicile_metadata.context import Context
from domicile_metadata.domain.audit import Entry
from domicile_metadata.domain.ids import is_tenant_id
from domicile_metadata.domain.roles import OPEN, Caller, refuse, rule_of
from domicile_metadata.handlers.secrets import is_one_of
from domicile_metadata.services import audit, sessions, tokens
from domicile_metadata.services.audit import ADMINS, Action, Strangers

log = structlog.get_logger()

REQUESTS = Counter(
    "domicile_admin_requests", "Requests to the admin API, by route and HTTP status.", ["method", "route", "status"]
)

MAXIMUM_BODY = 64 << 10  # bytes
PAGE = 100
LARGEST_PAGE = 1000
LONGEST_TARGET = 2000
RETRY_AFTER_SECONDS = "1"
_EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_CONFLICTS = frozenset(
    {
        "TenantExists",
        "CredentialExists",
        "CredentialInactive",
        "TaskFinished",
        "TaskExists",
        "SnapshotFinished",
        "PieceExists",
        "TooManySnapshots",
    }
)

_STATUS = {"AccessDenied": 401, "SignInRefused": 403, "NotAllowed": 403}

_SECRET = re.compile(rf"{tokens.PREFIX}[\w%.~-]+")  # in a path it is somebody's mistake

Handler = Callable[[Context, Request], Awaitable[Any]]
T = TypeVar("T")


class Endpoint(NamedTuple):
    """``handle`` answers a value that becomes the JSON body, or a whole response; ``status`` is that of success.

    Who may call it stands in ``domain.roles``.
    """

    method: str
    path: str
    handle: Handler
    status: int = 200

    @property
    def route(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD") and not rule_of(self.route).reads


def make_routes(context: Context, endpoints: Iterable[Endpoint]) -> list[BaseRoute]:
    """A route for each endpoint, and one that answers everything else under ``/proxy/``, to those with the key only."""
    strangers = Strangers()
    routes = [Route(endpoint.path, _serve(context, endpoint, strangers), methods=[endpoint.method]) for endpoint in endpoints]
    everything_else = Endpoint("GET", "/proxy/{rest:path}", _no_such_endpoint)
    return [*routes, Route(everything_else.path, _serve(context, everything_else, strangers), methods=_EVERY_METHOD)]


async def _no_such_endpoint(_context: Context, request: Request) -> None:
    raise RequestError("NoSuchEndpoint", f"The admin API has no {request.method} {request.url.path}.")


def _serve(context: Context, endpoint: Endpoint, strangers: Strangers) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        with Arrival(f"{endpoint.method} {endpoint.path}", SpanKind.SERVER, request.headers.get("traceparent", "")) as span:
            request.state.trace_id = span.trace_id
            response = await respond(request)
            span.note({"http.response.status_code": response.status_code})
            REQUESTS.labels(endpoint.method, endpoint.path, response.status_code).inc()
            return response

    async def respond(request: Request) -> Response:
        request.state.named = frozenset()
        who: Caller | None = None
        try:
            if endpoint.route not in OPEN:
                who = await _who(context, request)
                await _admit(endpoint, request, who)
        except RequestError as error:
            status = _status(error)
            if endpoint.changes or who is not None:
                await _note_refusal(context, strangers, _entry(context, endpoint, request, who, (status, error.code)))
            return _failure(status, error.code, error.message)
        except Unavailable as error:
            return _failure(503, "ServiceUnavailable", str(error))
        if who is None or who.role not in ADMINS or endpoint.method == "GET":
            return await _answer(context, endpoint, request)
        entry = _entry(context, endpoint, request, who, (endpoint.status, ""))
        return await _answer_noting(context, endpoint, request, Action(entry))

    return serve


async def _answer(context: Context, endpoint: Endpoint, request: Request) -> Response:
    try:
        answer = await endpoint.handle(context, request)
    except (RequestError, ConfigurationError, Unavailable) as error:
        return _failure(*_described(error))
    return answer if isinstance(answer, Response) else as_json(endpoint.status, answer)


async def _answer_noting(context: Context, endpoint: Endpoint, request: Request, action: Action) -> Response:
    """Whoever is an admin gets no answer before what it did stands in the audit log."""
    database = context.database
    try:
        try:
            noting = replace(context, database=action.noted_in(database)) if endpoint.changes else context
            answer = await endpoint.handle(noting, request)
        except (RequestError, ConfigurationError, Unavailable) as error:
            status, code, message = _described(error)
            await action.failed(database, status, code)
            return _failure(status, code, message)
        await action.succeeded(database)
    except Unavailable as error:
        return _failure(*_described(error))
    return answer if isinstance(answer, Response) else as_json(endpoint.status, answer)


async def _note_refusal(context: Context, strangers: Strangers, entry: Entry) -> None:
    if not strangers.admits(entry, time.monotonic()):
        log.warning("refused", action=entry.action, target=entry.target, code=entry.code)
        return
    try:
        await audit.note(context.database, entry)
    except Unavailable:
        log.exception("a refusal does not stand in the audit log", action=entry.action, target=entry.target, code=entry.code)


def _entry(context: Context, endpoint: Endpoint, request: Request, who: Caller | None, outcome: tuple[int, str]) -> Entry:
    """``outcome``: status and error code of the answer. What a tenant tries with another one is about itself: the other learns nothing."""
    named = [tenant for tenant in request.state.named if is_tenant_id(tenant)]
    own = who.tenant_id if who else None
    return Entry(
        at=context.clock(),
        kind=who.kind if who else "nobody",
        actor=who.actor if who else "",
        role=who.role if who else "nobody",
        tenant_id=own or (named[0] if len(named) == 1 else None),
        action=f"{request.method} {endpoint.path}",
        target=_SECRET.sub("[redacted]", request.scope["raw_path"].decode("latin-1"))[:LONGEST_TARGET],
        status=outcome[0],
        code=outcome[1],
        request_id=request.state.trace_id,
    )


async def _admit(endpoint: Endpoint, request: Request, who: Caller | None) -> None:
    """Lets in whoever may ask, and notes who it is. Raises ``RequestError``."""
    if who is None:
        raise RequestError("AccessDenied", "The header X-Admin-Key is missing or wrong, or the session has ended.")
    rule = rule_of(endpoint.route)
    request.state.named = await _named(request, endpoint)
    refuse(who, rule, request.state.named)
    request.state.caller = who


async def _named(request: Request, endpoint: Endpoint) -> frozenset[str]:
    """The tenants that the request names: in its path, its query, or, where something is sent, its body."""
    found = {request.path_params["tenant"]} if "tenant" in request.path_params else set()
    if endpoint.method == "GET":
        found |= set(request.query_params.getlist("tenant"))
    elif "{snapshot}" not in endpoint.path:
        sent = await _fields(request)
        found |= {sent[name] for name in ("tenant", "tenant_id") if isinstance(sent.get(name), str)}
    return frozenset(found)


async def _fields(request: Request) -> dict[str, Any]:
    """The body as far as it is an object; whether it is what it should be is not decided here."""
    try:
        sent = msgspec.json.decode(await body(request) or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, RequestError):
        return {}
    return sent if isinstance(sent, dict) else {}


async def _who(context: Context, request: Request) -> Caller | None:
    if is_one_of(request.headers.get("x-admin-key", "").encode("latin-1"), context.settings.admin_api_keys):
        return Caller("operator")
    shown = bearer(request)
    if not shown:
        return None
    return await (tokens.find if shown.startswith(tokens.PREFIX) else sessions.find)(context, shown)


def bearer(request: Request) -> str:
    """The token or the session's token, if the request shows one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def caller(request: Request) -> Caller:
    """Who asks, at an endpoint that is not for anybody."""
    who: Caller = request.state.caller
    return who


def own_tenant(request: Request, asked: str | None) -> str | None:
    """The tenant whose things are asked for, ``None`` for everybody's: a tenant sees its own, and only those. Raises ``NotAllowed``."""
    who = caller(request)
    if who.sees_all:
        return asked
    if asked not in (None, who.tenant_id):
        raise RequestError("NotAllowed", "Only an operator or auditor may see what is another tenant's.")
    return who.tenant_id


def _described(error: RequestError | ConfigurationError | Unavailable) -> tuple[int, str, str]:
    match error:
        case RequestError():
            return _status(error), error.code, error.message
        case ConfigurationError():
            return 409, "Misconfigured", str(error)
        case Unavailable():
            return 503, "ServiceUnavailable", str(error)


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
    """The whole body, up to ``limit`` bytes. It may be asked for again."""
    content: bytearray | None = getattr(request.state, "body", None)
    if content is None:
        content = request.state.body = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > limit:
                break
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
