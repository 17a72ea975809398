"""Passes on one checked request to an S3 endpoint, and its answer back. See ``addresses`` and ``operations`` for what is checked.

Nothing is kept, no redirect is followed, and nothing of a request is logged but its host, its operation and what became of it: the
query and the headers hold a signature.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Annotated

import msgspec
import structlog

from domicile_common.backends.http1 import Client, ConnectFailed, Exchange, HttpError, Limits, Response, Tls, default_tls
from domicile_common.errors import DomicileError
from domicile_discovery.relay import addresses, operations
from domicile_discovery.relay.addresses import Target
from domicile_discovery.relay.operations import Operation
from domicile_discovery.relay.shares import Shares

log = structlog.get_logger()

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

CLIENTS = 256  # pools that are kept, by origin and address
ADDRESSES_TRIED = 2
CONNECT_SECONDS, SILENCE_SECONDS = 5.0, 15.0
# What a provider says of an object or of itself. Never Location, and nothing that a browser would act on.
_PASSED_ON = re.compile(
    rb"x-amz-[a-z0-9-]+|etag|last-modified|date|content-(length|type|encoding|language|disposition)|cache-control|expires|accept-ranges"
).fullmatch


class RelayFailed(DomicileError):
    """The endpoint gave no answer that can be passed on."""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request as the page has signed it. ``headers``: those to send besides ``Host``."""

    method: Annotated[str, msgspec.Meta(max_length=8)]
    url: Annotated[str, msgspec.Meta(max_length=addresses.MAXIMUM_URL)]
    headers: Annotated[dict[str, str], msgspec.Meta(max_length=16)] = {}


@dataclass(frozen=True, slots=True)
class Bounds:
    """``seconds``: from the first look-up to the last byte. ``bytes``: of one answer.

    ``concurrency``: requests under way. ``share``: how many of these may be one client's.
    """

    seconds: float = 30.0
    bytes: int = 16 << 20
    concurrency: int = 64
    share: int = 16


class Answer:
    """An answer under way: ``status`` and ``headers`` are the provider's, ``chunk`` gives the body. ``close`` it in the end.

    ``end``: on the loop's clock, when it must be over. ``give_back``: its place among those under way.
    """

    def __init__(
        self,
        target: Target,
        operation: Operation,
        exchange: Exchange,
        response: Response,
        start: bytes,
        *,
        bounds: Bounds,
        end: float,
        give_back: Callable[[], None],
    ) -> None:
        self.status = response.status
        self.headers = [(name, value) for name, value in response.headers if _PASSED_ON(name)]
        self._target, self._operation = target, operation
        self._exchange, self._response, self._start = exchange, response, start
        self._bounds, self.end = bounds, end
        self._give_back = give_back
        self._size = 0

    async def chunk(self) -> bytes:
        """The next bytes, ``b""`` at the end. Raises ``RelayFailed`` when there are too many or they stay away."""
        chunk, self._start = self._start, b""
        try:
            async with asyncio.timeout_at(self.end):
                chunk = chunk or await anext(self._response, b"")
        except (HttpError, TimeoutError) as error:
            raise RelayFailed(f"The endpoint broke off: {type(error).__name__}.") from None
        self._size += len(chunk)
        if self._size > self._bounds.bytes:
            raise RelayFailed(f"The answer is larger than {self._bounds.bytes} bytes.")
        return chunk

    def close(self) -> None:
        self._exchange.abort()
        self._give_back()
        log.info("relayed", host=self._target.host, operation=self._operation.name, status=self.status, bytes=self._size)


class Relay:
    """``allowed``: origins that the operator allows by name. ``catalogue``: origins that may use ports of their own.

    ``resolver``: other than the machine's.
    """

    def __init__(
        self,
        bounds: Bounds,
        clock: Callable[[], datetime],
        *,
        allowed: Collection[str] = (),
        catalogue: Collection[str] = (),
        resolver: Resolver | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.bounds = bounds
        self._clock = clock
        self._allowed = allowed
        self._catalogue = catalogue
        self._resolver = resolver or self._look_up
        # Of its own, and one for each place: a name whose servers do not answer keeps no other waiting.
        self._lookups = ThreadPoolExecutor(bounds.concurrency, "lookup")
        self._tls = tls or cache(default_tls)
        self._shares = Shares(bounds.concurrency, bounds.share)
        self._limits = Limits(connections=bounds.concurrency, connect=CONNECT_SECONDS, silence=SILENCE_SECONDS)
        self._clients: OrderedDict[tuple[str, str], Client] = OrderedDict()

    async def open(self, asked: Asked, client: Hashable) -> Answer:
        """Whoever gets an answer closes it. ``client``: whose share of the places it takes.

        Raises ``RequestError`` for what is not relayed or is beyond the share, ``Unavailable`` while too much is under way, ``RelayFailed``.
        """
        target = addresses.parse_target(asked.url)
        addresses.check_target(target, allowed=self._allowed, catalogue=self._catalogue)
        operation = operations.identify(asked.method, target)
        headers = operations.check_headers(asked.headers)
        operations.check_signature(target, headers, self._clock())
        give_back = await self._shares.take(client)
        try:
            return await self._pass_on(asked.method, target, operation, headers, give_back)
        except BaseException as error:
            give_back()
            log.info("not relayed", host=target.host, operation=operation.name, reason=type(error).__name__)
            raise

    async def close(self) -> None:
        self._lookups.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            await client.close()

    async def _pass_on(
        self, method: str, target: Target, operation: Operation, headers: Mapping[str, str], give_back: Callable[[], None]
    ) -> Answer:
        end = asyncio.get_running_loop().time() + self.bounds.seconds
        try:
            async with asyncio.timeout_at(end):
                found = await self._addresses(target)
                exchange = await self._connect(method, target, found, headers)
                try:
                    response = await exchange.response()
                    start = await _start(operation, response)
                    return Answer(target, operation, exchange, response, start, bounds=self.bounds, end=end, give_back=give_back)
                except BaseException:
                    exchange.abort()
                    raise
        except (HttpError, TimeoutError) as error:
            raise RelayFailed(f"The endpoint cannot be reached: {type(error).__name__}.") from None

    async def _addresses(self, target: Target) -> Sequence[str]:
        """Those that it has, each of which may be connected to."""
        try:
            found = await self._resolver(target.host, target.port)
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise RelayFailed("The endpoint's name has no address.")
        if target.origin not in self._allowed:
            for address in found:
                addresses.check_address(address)
        return found[:ADDRESSES_TRIED]

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        """The addresses that a name has now, in the order in which they are to be tried. Raises ``OSError``, ``UnicodeError``."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._lookups, ask)
        return [str(address[0]) for *_, address in found]

    async def _connect(self, method: str, target: Target, found: Sequence[str], headers: Mapping[str, str]) -> Exchange:
        """To one of the very addresses that were checked."""
        for address in found[:-1]:
            with suppress(ConnectFailed):
                return await self._client(target, address).open(method, target.raw, headers.items())
        return await self._client(target, found[-1]).open(method, target.raw, headers.items())

    def _client(self, target: Target, address: str) -> Client:
        key = (target.origin, address)
        client = self._clients.pop(key, None) or Client(target.origin, self._limits, self._tls, address)
        self._clients[key] = client
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)  # its connections end by themselves, a few seconds after their last use
        return client


async def _start(operation: Operation, response: Response) -> bytes:
    """As much of the body as shows that it is what was asked for. Raises ``RelayFailed`` when it is not."""
    start = b""
    async for chunk in response:
        start += chunk
        verdict = operations.begins_well(operation, response.status, start)
        if verdict:
            return start
        if verdict is False:
            raise RelayFailed("The answer is not that of an S3 listing or metadata.")
    if start.strip():
        raise RelayFailed("The answer is not that of an S3 listing or metadata.")
    return start
