"""A TCP proxy that misbehaves on demand, to stand between a service and what it depends on.

async with FaultProxy(backend.port) as proxy:
    store = open_store(registered at f"http://127.0.0.1:{proxy.port}")
    proxy.fault = Fault(cut_down=100_000)   # at once, also for connections that are already there
    ...
    await proxy.refuse()                    # connection refused, until ``accept``
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

CHUNK = 64 * 1024
STALL = b"(stall)"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. ``up`` is towards the server, ``down`` towards the client.

    Bytes count per connection and direction, from the moment the fault is set (or the connection made).

    ``delay``: seconds that each piece waits, in both directions. ``cut_*``: end the connection after so many bytes.
    ``stall_*``: pass nothing on after so many bytes, but stay connected (0: a black hole). ``corrupt_*``: invert the byte at this offset.
    ``answer``: instead of passing a request on, answer it with this HTTP status and no body.
    """

    delay: float = 0.0
    cut_up: int | None = None
    cut_down: int | None = None
    stall_up: int | None = None
    stall_down: int | None = None
    corrupt_up: int | None = None
    corrupt_down: int | None = None
    answer: int | None = None


class _CutError(Exception):
    pass


class FaultProxy:
    """Listens on ``port`` of 127.0.0.1. ``connections``: how many were accepted; ``up``, ``down``: bytes passed on.

    ``tls``: with it, TLS ends here, in front of a server that speaks none.
    """

    def __init__(self, server_port: int, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.lead_to(server_port)
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._fault = Fault()
        self.port = 0
        self.connections = 0
        self.up = 0
        self.down = 0

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()

    def lead_to(self, *server_ports: int) -> None:
        """From now on, each new connection goes to the next of these that takes it."""
        self._servers = deque(server_ports)

    async def accept(self) -> None:
        """Listens (again), on the same port."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=CHUNK, ssl=self._tls)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Ends all connections and refuses new ones."""
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()
            self._listener = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writers = [writer]
        try:
            server_reader, server_writer = await self._connect()
            writers.append(server_writer)
            for each in writers:
                if each.get_extra_info("sslcontext") is None:  # over TLS, asyncio never wakes who waits for an empty buffer
                    each.transport.set_write_buffer_limits(0)  # what is written has left when ``drain`` returns
            with suppress(asyncio.CancelledError):  # by ``refuse``
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, server_writer, client=writer))
                    pumps.create_task(self._pump(server_reader, writer))
        except* (OSError, _CutError):
            pass
        finally:
            self._tasks.discard(task)
            for each in writers:
                each.transport.abort()
            for each in writers:
                with suppress(OSError):
                    await each.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for port in list(self._servers)[:-1]:
            self._servers.rotate(-1)
            with suppress(ConnectionRefusedError):
                return await asyncio.open_connection("127.0.0.1", port, limit=CHUNK)
        port = self._servers[0]
        self._servers.rotate(-1)
        return await asyncio.open_connection("127.0.0.1", port, limit=CHUNK)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.StreamWriter | None = None
    ) -> None:
        """``client``: where a made-up answer goes; given for the way up."""
        fault, seen = self._fault, 0
        while piece := await reader.read(CHUNK):
            if fault is not self._fault:
                fault, seen = self._fault, 0
            if client and fault.answer is not None:
                await _answer(client, fault.answer, reader)
            if fault.delay:
                await asyncio.sleep(fault.delay)
            for passed in _damaged(fault, piece, seen, up=client is not None):
                if passed is STALL:
                    await self._changed.wait()
                    continue
                writer.write(passed)
                await writer.drain()
                if client:
                    self.up += len(passed)
                else:
                    self.down += len(passed)
            seen += len(piece)
        if writer.can_write_eof():
            writer.write_eof()


def _damaged(fault: Fault, piece: bytes, seen: int, *, up: bool) -> Iterator[bytes]:
    """What of a piece is to be passed on, after ``seen`` bytes; ``STALL`` where it has to wait for another fault."""
    cut, stall, corrupt = (
        (fault.cut_up, fault.stall_up, fault.corrupt_up) if up else (fault.cut_down, fault.stall_down, fault.corrupt_down)
    )
    if corrupt is not None and seen <= corrupt < seen + len(piece):
        at = corrupt - seen
        piece = piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1 :]
    if cut is not None and seen + len(piece) > cut:
        yield piece[: max(0, cut - seen)]
        raise _CutError
    if stall is not None and seen + len(piece) > stall:
        yield piece[: max(0, stall - seen)]
        yield STALL
        piece = piece[max(0, stall - seen) :]
    yield piece


async def _answer(client: asyncio.StreamWriter, status: int, rest: asyncio.StreamReader) -> None:
    """Answers, and reads what the client still sends, so that the answer is not lost in a reset."""
    client.write(b"HTTP/1.1 %d made up\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
    await client.drain()
    while await rest.read(CHUNK):
        pass
    raise _CutError
