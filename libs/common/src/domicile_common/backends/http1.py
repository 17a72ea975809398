"""A small pooled HTTP/1.1 client for the object path: calls to backends and to metadata (RFC 9112).

It exists because one hop costs less than half the processor time that it costs with general clients (docs/performance.md). It does
what S3 and the internal API need and nothing else: no redirects, cookies, proxies, content codings, upgrades or chunked requests.

    exchange = await client.open("PUT", "/bucket/key", headers, length=5)   # a connection is reserved
    await exchange.write(b"hello")                                          # waits while the server is slow
    response = await exchange.response()                                    # status and headers are there
    body = await response.read(limit=65_536)                                # or: async for chunk in response

One task at a time drives an exchange. A wait that fails or is cancelled closes the connection; otherwise whoever opened an exchange
reads the response to its end, closes it, or aborts the exchange. The head leaves with the first chunk of the body, or with ``response()``.

A reused connection may have been closed by the server just before. Such a loss is retried once, on a new connection, when no byte of
the answer came and the server cannot have seen a part of the body: either nothing was sent at all, or the request has no body.

Watchdog: a wait only notes its deadline; one timer per client looks at all of them a few times a second. A timer for each wait
(``asyncio.timeout``) would cost more than parsing the answer.

HttpError
├── ConnectFailed    no connection: refused, DNS, TLS, too slow, or the pool stayed full
├── ConnectionLost   closed before the answer was whole
├── TimedOut         the server neither took nor gave a byte for too long
├── BadAnswer        not HTTP/1.x, an endless head, or more than the reader allows
└── EarlyAnswer      the server answered before it had the whole body: ask for ``response()``
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import cast
from urllib.parse import urlsplit

from domicile_common.backends.framing import Answer

READ_HIGH, READ_LOW = 256 * 1024, 64 * 1024
WRITE_HIGH, WRITE_LOW = 256 * 1024, 64 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}


class HttpError(Exception):
    """Root of the tree. Texts name no header, target or body: those may hold credentials."""


class ConnectFailed(HttpError):
    pass


class ConnectionLost(HttpError):
    pass


class TimedOut(HttpError):
    pass


class BadAnswer(HttpError):
    pass


class EarlyAnswer(HttpError):
    pass


@dataclass(frozen=True, slots=True)
class Limits:
    """``connections``: at most so many are busy at once. All others in seconds.

    ``connect``: longest wait for a place in the pool, and again for DNS, TCP and TLS. ``silence``: longest wait for the server to take
    or give anything. ``idle``: how long an unused connection is kept; shorter than servers keep theirs (uvicorn: 5 s).
    """

    connections: int = 256
    connect: float = 5.0
    silence: float = 30.0
    idle: float = 4.0


Tls = Callable[[], ssl.SSLContext]
"""Asked for each connection: certificates change."""


def default_tls() -> ssl.SSLContext:
    """Trusts the system's certificates, or those in the file that ``SSL_CERT_FILE`` names. Making one takes about 10 ms."""
    return ssl.create_default_context()


class Client:
    """The connections to one origin, such as ``https://s3.example.com:9000``. Belongs to one event loop.

    ``authority``: what it sends as ``Host``. ``tls``: how an https origin is met (``default_tls`` when ``None``). ``address``: where it connects
    to, in place of asking what address the host's name has.
    """

    def __init__(self, origin: str, limits: Limits | None = None, tls: Tls | None = None, address: str | None = None) -> None:
        url = urlsplit(origin)
        if url.scheme not in DEFAULT_PORTS or not url.hostname or url.username is not None:
            raise ValueError("an origin is http(s)://host[:port]")
        self.limits = limits or Limits()
        self._host = url.hostname
        self._address = address or url.hostname
        self._port = url.port or DEFAULT_PORTS[url.scheme]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.authority = host if self._port == DEFAULT_PORTS[url.scheme] else f"{host}:{self._port}"
        self._tls = (tls or cache(default_tls)) if url.scheme == "https" else None
        self._places = asyncio.Semaphore(self.limits.connections)
        self._idle: list[Connection] = []  # the most recently used is last and taken first
        self._open: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def open(self, method: str, target: str, headers: Iterable[tuple[str, str]] = (), length: int = 0) -> Exchange:
        """Reserves a connection. ``target``: path and query, percent-encoded. ``length``: bytes of the body that will be written.

        ``Host`` and ``Content-Length`` are added. Raises ``ConnectFailed``; ``ValueError`` when a header holds a line break.
        """
        head = self._head(method, target, headers, length)
        return Exchange(self, await self.take(), head, length, bodyless=method == "HEAD")

    @property
    def idle(self) -> int:
        """Open connections that nobody uses."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Connections that carry an exchange."""
        return len(self._open) - len(self._idle)

    async def close(self) -> None:
        """Closes unused connections now and the others as soon as their exchanges end."""
        self._closed = True
        idle = [*self._idle]
        for connection in idle:
            connection.abort()
        await asyncio.gather(*(connection.lost for connection in idle))

    def _head(self, method: str, target: str, headers: Iterable[tuple[str, str]], length: int) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"host: {self.authority}", *(f"{name}: {value}" for name, value in headers)]
        if length or method in ("PUT", "POST"):
            lines.append(f"content-length: {length}")
        head = "\r\n".join(lines) + "\r\n\r\n"
        if not head.count("\r") == head.count("\n") == len(lines) + 1:
            raise ValueError("a header holds a line break")
        return head.encode("latin-1")

    async def take(self, *, fresh: bool = False) -> Connection:
        """An unused connection, or a new one (always when ``fresh``); ``give_back`` ends its use."""
        if self._places.locked():
            try:
                async with asyncio.timeout(self.limits.connect):
                    await self._places.acquire()
            except TimeoutError:
                raise ConnectFailed(f"all {self.limits.connections} connections stayed busy") from None
        else:
            await self._places.acquire()
        try:
            while self._idle:
                connection = self._idle.pop()
                if fresh:
                    connection.abort()
                if not connection.closed:
                    connection.deadline = inf
                    return connection
            return await self._connect()
        except BaseException:
            self._places.release()
            raise

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        context = self._tls() if self._tls else None
        name = self._host if context else None
        try:
            async with asyncio.timeout(self.limits.connect):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, loop), self._address, self._port, ssl=context, server_hostname=name
                )
        except OSError as error:  # TimeoutError and ssl.SSLError are OSErrors too
            raise ConnectFailed(f"cannot connect: {type(error).__name__}") from error
        if connection.closed:
            raise ConnectFailed("the connection was closed at once")
        return connection

    def give_back(self, connection: Connection, *, reusable: bool) -> None:
        """The exchange on it has ended."""
        connection.exchange = None
        self._places.release()
        if reusable and not connection.closed and not self._closed:
            connection.reused = True
            connection.deadline = connection.loop.time() + self.limits.idle
            self._idle.append(connection)
        else:
            connection.abort()

    def adopt(self, connection: Connection) -> None:
        """The connection is made."""
        self._open.add(connection)
        if self._timer is None:
            self._watch(connection.loop)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [connection for connection in self._open if connection.deadline < now]:
            connection.fail(TimedOut("no answer in time"))
        tick = min(self.limits.silence, self.limits.idle, 2.0) / 4
        self._timer = loop.call_later(tick, self._watch, loop) if self._open else None


class Connection(asyncio.Protocol):
    """One TCP or TLS connection, carrying one exchange at a time.

    ``deadline``: on the loop's clock; past it the connection is closed. ``reused``: an earlier exchange ended well on it.
    """

    __slots__ = ("_client", "closed", "deadline", "exchange", "loop", "lost", "reused", "transport", "writable")

    transport: asyncio.Transport

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self.loop = loop
        self.exchange: Exchange | None = None
        self.deadline = inf
        self.closed = False
        self.reused = False
        self.writable = True
        self.lost: asyncio.Future[None] = loop.create_future()

    def abort(self) -> None:
        self.closed = True
        self.transport.abort()

    def fail(self, error: HttpError) -> None:
        """Closes the connection; an exchange on it ends with ``error``."""
        if self.exchange is None:
            self.abort()
        else:
            self.exchange.lose(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class does not derive from it
        self.transport.set_write_buffer_limits(WRITE_HIGH, WRITE_LOW)
        self._client.adopt(self)

    def data_received(self, data: bytes) -> None:
        if self.exchange is None:  # nobody asked
            self.abort()
        else:
            self.exchange.feed(data)

    def eof_received(self) -> None:
        self.closed = True
        if self.exchange is not None:
            self.exchange.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._client.forget(self)
        if self.exchange is not None:
            self.exchange.lose(ConnectionLost("closed by the server" if exc is None else type(exc).__name__))
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self.exchange is not None:
            self.exchange.wake()


class Exchange:
    """One request and its response on a reserved connection, which it gives back as soon as the last byte is there."""

    __slots__ = (
        "_client",
        "_connection",
        "_error",
        "_head",
        "_paused",
        "_replaceable",
        "_response",
        "_sent",
        "_unwritten",
        "_waiter",
    )

    def __init__(self, client: Client, connection: Connection, head: bytes, length: int, *, bodyless: bool) -> None:
        self._client = client
        self._head = head
        self._unwritten = length
        self._response = Response(self, bodyless=bodyless)
        self._sent = False
        self._paused = False
        self._error: HttpError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._replaceable = True  # should the connection be lost now, another one may be taken
        self._connection: Connection | None = connection
        connection.exchange = self

    async def write(self, chunk: bytes) -> None:
        """Sends a part of the body; waits while the server takes none.

        Raises ``EarlyAnswer`` when the server has answered already; ``ValueError`` when the body gets longer than announced.
        """
        if self._response.begun:
            raise EarlyAnswer("the server answered before it had the whole body")
        if len(chunk) > self._unwritten:
            raise ValueError("more bytes than announced")
        connection = self._connection or await self._reopen()
        self._unwritten -= len(chunk)
        if self._sent:
            connection.transport.write(chunk)
        else:
            self._sent, self._replaceable = True, False
            connection.transport.writelines((self._head, chunk))
        while not connection.writable and self._connection is connection and not self._response.begun:
            await self._wait(self._client.limits.silence)
        if self._error is not None and not self._response.begun:
            raise self._error

    async def response(self, patience: float | None = None) -> Response:
        """Waits for the status and the headers, at most ``patience`` seconds (the client's ``silence`` when ``None``)."""
        while not self._response.begun:
            connection = self._connection or await self._reopen()
            if not self._sent:
                self._sent, self._replaceable = True, connection.reused and not self._unwritten
                connection.transport.write(self._head)
            await self._wait(self._client.limits.silence if patience is None else patience)
        return self._response

    def abort(self) -> None:
        """Breaks off: closes the connection unless the exchange has ended. Safe at any time."""
        self._replaceable = False
        self.lose(ConnectionLost("aborted"))

    async def more(self) -> None:
        """Until more of the response is there."""
        if self._error is not None:
            raise self._error
        await self._wait(self._client.limits.silence)

    def consumed(self) -> None:
        """The reader took a chunk."""
        if self._paused and self._response.buffered < READ_LOW and self._connection is not None:
            self._paused = False
            self._connection.transport.resume_reading()

    def feed(self, data: bytes) -> None:
        self._replaceable = False
        connection, response = self._connection, self._response
        assert connection is not None
        try:
            response.feed(data)
        except ValueError as error:
            self.lose(BadAnswer(str(error)))
            return
        if response.complete:
            self._finish(connection)
        elif response.buffered > READ_HIGH and not self._paused:
            self._paused = True
            connection.transport.pause_reading()
        self.wake()

    def end(self) -> None:
        """The server will send no more."""
        if self._connection is not None and self._response.end():
            self._finish(self._connection)
            self.wake()
        else:
            self.lose(ConnectionLost("closed by the server"))

    def lose(self, error: HttpError) -> None:
        """Ends the exchange with ``error``, unless it has ended."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._error = error
            self._client.give_back(connection, reusable=False)
            self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self, connection: Connection) -> None:
        transport = connection.transport
        if self._paused:
            transport.resume_reading()
        self._connection = None
        self._response.finish()
        reusable = self._response.keep_alive and self._sent and not self._unwritten and not transport.get_write_buffer_size()
        self._client.give_back(connection, reusable=reusable)

    async def _wait(self, seconds: float) -> None:
        connection = self._connection
        assert connection is not None
        self._waiter = connection.loop.create_future()
        connection.deadline = connection.loop.time() + seconds
        try:
            await self._waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None
            if self._connection is connection:
                connection.deadline = inf

    async def _reopen(self) -> Connection:
        """The connection is gone: takes another one where that is safe, and raises the reason otherwise."""
        assert self._error is not None
        if not (self._replaceable and isinstance(self._error, ConnectionLost)):
            raise self._error
        self._replaceable = False
        connection = await self._client.take(fresh=True)
        self._connection, self._error, self._sent, self._replaceable = connection, None, False, True
        connection.exchange = self
        return connection


class Response(Answer):
    """What the server answers, see ``Answer`` for ``status`` and ``headers``.

    Iterating gives the body in chunks as they arrive; a body shorter than announced raises ``ConnectionLost`` after what did arrive.
    """

    def __init__(self, exchange: Exchange, *, bodyless: bool) -> None:
        super().__init__(bodyless=bodyless)
        self._exchange: Exchange | None = exchange

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self.chunks:
            if self._exchange is None:
                raise StopAsyncIteration
            await self._exchange.more()
        chunk = self.take()
        if self._exchange is not None:
            self._exchange.consumed()
        return chunk

    async def read(self, limit: int) -> bytes:
        """The whole body, at most ``limit`` bytes; ``BadAnswer`` when it is longer."""
        parts, size = [], 0
        async for chunk in self:
            size += len(chunk)
            if size > limit:
                self.close()
                raise BadAnswer("the body is too large")
            parts.append(chunk)
        return b"".join(parts)

    def close(self) -> None:
        """Gives up what was not read; closes the connection unless everything has arrived."""
        if self._exchange is not None:
            self._exchange.abort()

    def finish(self) -> None:
        """Everything has arrived. Nothing refers back to the exchange any more, so the garbage collector has no work with either."""
        self._exchange = None
