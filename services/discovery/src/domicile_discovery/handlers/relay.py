"""One relayed request: the provider's status in ``relay-status``, its headers with ``relay-header-`` before their names, its body as it came."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from domicile_common.errors import RequestError, Unavailable
from domicile_discovery.context import Context
from domicile_discovery.handlers.api import HEADERS, Endpoint, document, token_of
from domicile_discovery.metadata import Caller
from domicile_discovery.relay.relay import Answer, Asked, RelayFailed
from domicile_discovery.relay.shares import network_of

log = structlog.get_logger()


class Relayed(Response):
    """Streams an answer. One that breaks off in the middle ends without its end, so that nobody takes it for whole."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(headers=HEADERS, media_type="application/octet-stream")
        self._answer = answer
        passed_on = [(b"relay-header-" + name, value) for name, value in answer.headers]
        own = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        self.raw_headers = [*own, (b"relay-status", str(answer.status).encode()), *passed_on]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout_at(self._answer.end):  # a page that does not read keeps its place no longer either
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                while chunk := await self._answer.chunk():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except (RelayFailed, TimeoutError) as error:
            log.warning("a relayed answer broke off", reason=str(error) or "too slow")
        finally:
            self._answer.close()


async def relay(context: Context, request: Request) -> Response:
    token = token_of(request)
    caller = await _caller(context, token) if token else None
    if caller is None and context.settings.relay_for == "session":
        raise RequestError("NotSignedIn", "Sign in to have requests relayed.")
    asked = await document(request, Asked)
    address = request.client.host if request.client else "::"
    return Relayed(await context.relay.open(asked, share_of(caller, token, address)))


async def _caller(context: Context, token: str) -> Caller | None:
    """Raises ``Unavailable`` where it has to be known who asks."""
    try:
        return await context.metadata.caller(token)
    except Unavailable:
        if context.settings.relay_for == "session":
            raise
        return None


def share_of(caller: Caller | None, token: str, address: str) -> Hashable:
    """Whose share of the relay's places is taken: a tenant's, a session's, or an address's where nobody has signed in."""
    return network_of(address) if caller is None else caller.tenant_id or token


ENDPOINTS = (Endpoint("POST", "/api/relay", relay, "page"),)
