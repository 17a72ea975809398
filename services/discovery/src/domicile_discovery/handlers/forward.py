"""What of metadata's admin API the page may use, in the name of whoever has signed in: ``/api/x`` is ``/proxy/x``.

Only what is listed here is passed on, and nothing of the browser's request but its method, path, query, body and session. Metadata decides
what the session may do. A body that holds a secret key in clear is refused: nothing here may see one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domicile_common.errors import RequestError
from domicile_discovery.context import Context
from domicile_discovery.guard import shows_secret
from domicile_discovery.handlers.api import HEADERS, Endpoint, body_of, token_of
from domicile_discovery.metadata import bearer

ROUTES = (
    ("GET POST", "/tenants"),
    ("GET PATCH", "/tenants/{tenant}"),
    ("GET PUT", "/tenants/{tenant}/limits"),
    ("GET POST", "/credentials"),
    ("PATCH", "/credentials/{access_key}"),
    ("POST", "/credentials/{access_key}/rotate"),
    ("GET", "/backends"),
    ("GET PUT PATCH", "/backends/{backend}"),
    ("GET", "/backends/{backend}/probes"),
    ("GET PUT", "/policies/default"),
    ("GET PUT", "/policies/tenants/{tenant}"),
    ("GET PUT", "/policies/buckets/{tenant}/{bucket}"),
    ("GET", "/namespaces/explain"),
    ("GET", "/placement"),
    ("POST", "/placement/preview"),
    ("GET", "/placement/progress"),
    ("POST", "/placement/compare"),
    ("GET", "/wait"),
    ("GET", "/lag"),
    ("GET", "/lag/history"),
    ("GET", "/health"),
    ("GET", "/summary"),
    ("GET", "/buckets"),
    ("GET", "/buckets/{tenant}/{bucket}"),
    ("GET", "/objects"),
    ("GET", "/jobs"),
    ("POST", "/jobs/replay"),
    ("POST", "/jobs/drop"),
    ("GET", "/jobs/drops"),
    ("GET", "/jobs/{bucket_id}/{version_id}/{backend_id}"),
    ("GET POST", "/erasures"),
    ("GET", "/erasures/key"),
    ("GET", "/handover"),
    ("GET POST", "/tasks"),
    ("GET PATCH", "/tasks/{task}"),
    ("GET", "/tasks/{task}/findings"),
    ("GET", "/findings"),
    ("GET POST", "/tokens"),
    ("DELETE", "/tokens/{token}"),
    ("GET", "/audit"),
    ("GET", "/audit/export"),
    ("GET", "/audit/verify"),
    ("GET POST", "/snapshots"),
    ("GET DELETE", "/snapshots/{snapshot}"),
    ("PUT GET", "/snapshots/{snapshot}/pieces/{number}"),
    ("POST", "/snapshots/{snapshot}/finish"),
    ("GET", "/snapshots/{snapshot}/export"),
)
_BACK = ("content-type", "content-encoding", "content-disposition", "retry-after")


async def forward(context: Context, request: Request) -> Response:
    path = "/proxy" + request.scope["raw_path"].decode("ascii").removeprefix("/api")
    shown = {"content-type": "application/json", **bearer(token_of(request))}
    if "content-length" in request.headers:
        shown["content-length"] = request.headers["content-length"]
    query: bytes = request.scope["query_string"]
    body = None if request.method == "GET" else request.stream() if "number" in request.path_params else await _command(request)
    async with AsyncExitStack() as stack:
        answer = await stack.enter_async_context(context.metadata.stream(request.method, path, shown, query=query, body=body))
        keep = stack.pop_all()
    back = {name: answer.headers[name] for name in _BACK if name in answer.headers}
    return StreamingResponse(_body(answer, keep), answer.status_code, {**HEADERS, **back})


async def _command(request: Request) -> bytes:
    """All bodies but pieces of snapshots are small. Raises ``RequestError``."""
    content = await body_of(request)
    try:
        if shows_secret(msgspec.json.decode(content or b"{}")):
            raise RequestError("SecretInClear", "A secret key is passed on only sealed for metadata: sealed_secret_key.")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("InvalidArgument", f"The body is malformed: {error}") from None
    return content


async def _body(answer: httpx.Response, stack: AsyncExitStack) -> AsyncIterator[bytes]:
    """As it came, still compressed."""
    async with stack:
        async for chunk in answer.aiter_raw():
            yield chunk


ENDPOINTS = tuple(Endpoint(method, f"/api{path}", forward, "session") for methods, path in ROUTES for method in methods.split())
