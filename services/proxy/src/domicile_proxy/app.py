"""The ASGI side of the proxy: a scope becomes an ``Incoming``, a ``Response`` becomes messages, and every error becomes S3 XML.

A plain application without a framework: paths must stay as they were sent (``raw_path``), and nothing may buffer.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

import structlog

from domicile_common.errors import RequestError
from domicile_common.tracing import Arrival, SpanKind
from domicile_proxy import metrics
from domicile_proxy.context import Context
from domicile_proxy.pipeline import answer
from domicile_proxy.request import ClientGone, Incoming, Receive, Response, WireBody
from domicile_proxy.s3 import cors
from domicile_proxy.s3.errors import describe, render

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LINGER_BYTES = 16 * 1024 * 1024
LINGER_SECONDS = 5.0
_BODYLESS = frozenset({204, 304})
SERVER_FAULT = 500  # the lowest status that says so

log = structlog.get_logger()


class App:
    """``host_id``: what ``x-amz-id-2`` shows of this process; it means nothing to anybody but the operator."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._host_id = secrets.token_urlsafe(24)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("only HTTP is served here")
        with metrics.IN_FLIGHT.track_inprogress(), Arrival("request", SpanKind.SERVER, traceparent(scope["headers"])) as span:
            incoming = read_head(scope, receive, self._context.settings.client_idle_seconds, span.trace)
            try:
                await self._serve(incoming, receive, send, span)
            finally:
                if incoming.limits is not None:
                    incoming.limits.leave()

    async def _serve(self, incoming: Incoming, receive: Receive, send: Send, span: Arrival) -> None:
        started = time.perf_counter()
        try:
            response = await answer(incoming, self._context)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the client gets an S3 error and never the details
            response = failed(incoming, error)
        response.headers |= cors_headers(incoming)
        try:
            await self._respond(incoming, response, receive, send)
        finally:
            if response.close is not None:
                await response.close()
            seconds = time.perf_counter() - started
            metrics.requests(incoming.label, response.status).inc()
            metrics.seconds(incoming.label).observe(seconds)
            metrics.received_bytes(incoming.label).inc(incoming.wire.received)
            metrics.sent_bytes(incoming.label).inc(incoming.sent)
            span.rename(incoming.label)
            span.note({"http.response.status_code": response.status, "domicile.request_id": incoming.request_id})
            if response.status >= SERVER_FAULT:
                span.fail(str(response.status))
            log.debug(
                "answered", operation=incoming.label, status=response.status, request_id=incoming.request_id, seconds=seconds
            )

    async def _respond(self, incoming: Incoming, response: Response, receive: Receive, send: Send) -> None:
        body = response.body
        headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers.items()]
        headers.append((b"x-amz-request-id", incoming.request_id.encode()))
        headers.append((b"x-amz-id-2", self._host_id.encode()))
        headers.append((b"server", b"Domicile"))
        if isinstance(body, bytes) and response.status not in _BODYLESS and "content-length" not in response.headers:
            headers.append((b"content-length", b"%d" % len(body)))
        if not incoming.wire.finished:
            headers.append((b"connection", b"close"))
        if incoming.limits is not None and isinstance(body, bytes):
            await incoming.limits.pace(len(body))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if not isinstance(body, bytes):
            await self._stream(incoming, body, receive, send)
            return
        incoming.sent = len(body)
        if incoming.wire.finished:
            await send({"type": "http.response.body", "body": body})
        else:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await linger(incoming)
            await send({"type": "http.response.body", "body": b""})

    async def _stream(self, incoming: Incoming, body: AsyncGenerator[bytes], receive: Receive, send: Send) -> None:
        """Sends the body as it comes. When it breaks off nothing can be said any more: the connection closes before Content-Length."""
        gone = asyncio.ensure_future(until_gone(receive))
        try:
            async with aclosing(body):
                async for chunk in body:
                    if gone.done():
                        return
                    async with asyncio.timeout(self._context.settings.client_idle_seconds):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    if incoming.limits is not None:
                        await incoming.limits.pace(len(chunk))
                    incoming.sent += len(chunk)
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.warning("a client takes nothing", operation=incoming.label, request_id=incoming.request_id)
        except Exception:  # uvicorn closes the connection of an answer that is left incomplete
            log.exception("an answer broke off", operation=incoming.label, request_id=incoming.request_id)
        finally:
            gone.cancel()


def traceparent(raw_headers: list[tuple[bytes, bytes]]) -> str:
    return next((value.decode("latin-1") for name, value in raw_headers if name == b"traceparent"), "")


def read_head(scope: MutableMapping[str, Any], receive: Receive, idle_seconds: float, trace: str) -> Incoming:
    raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw_headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client = scope.get("client")
    return Incoming(
        method=scope["method"],
        raw_path=scope["raw_path"],
        raw_query=scope["query_string"],
        raw_headers=raw_headers,
        headers=headers,
        wire=WireBody(receive, headers, idle_seconds),
        request_id=secrets.token_hex(8).upper(),
        trace=trace,
        remote=client[0] if client else "",
        secure=scope.get("scheme") == "https",
    )


def failed(incoming: Incoming, error: Exception) -> Response:
    """The S3 error document; what was the server's fault is logged under the request's id and trace."""
    failure = describe(error)
    if failure.code == "InternalError":
        log.error("request failed", operation=incoming.label, request_id=incoming.request_id, exc_info=error)
    elif failure.status >= SERVER_FAULT and not isinstance(error, RequestError):
        log.warning("request failed", operation=incoming.label, request_id=incoming.request_id, error=str(error))
    headers = dict(failure.headers)
    if incoming.method == "HEAD":
        return Response(failure.status, headers)
    headers["content-type"] = "application/xml"
    resource = unquote(incoming.raw_path.decode("latin-1"))
    return Response(failure.status, headers, render(failure, incoming.request_id, resource))


def cors_headers(incoming: Incoming) -> dict[str, str]:
    """What lets a web page of another origin read the answer, if its bucket's rules say so.

    Where there are rules every answer says what it depends on, so that no cache gives one page what another one got.
    """
    rules = incoming.bucket.settings.cors if incoming.bucket else ()
    if not rules:
        return {}
    origin = incoming.headers.get("origin")
    method = incoming.headers.get("access-control-request-method", incoming.method)
    rule = None if origin is None else cors.find_rule(rules, origin, method)
    return {"vary": cors.VARY} if rule is None or origin is None else cors.allowing(rule, origin)


async def linger(incoming: Incoming) -> None:
    """Takes what the client is still sending, within bounds, so that it reads the answer instead of a reset connection.

    A client that waits for ``100 Continue`` sends nothing: the answer tells it to close.
    """
    if not incoming.wire.started and incoming.headers.get("expect", "").lower() == "100-continue":
        return
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0 and not incoming.wire.finished:
                left -= len(await incoming.wire.next())
    except (ClientGone, RequestError, TimeoutError):
        return


async def until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
