"""Heads that do not end, in bytes or in time, bodies that hardly come, too many connections, and what is no HTTP: on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from domicile_common.http_protocol import MAXIMUM_HEAD, MAXIMUM_HEADERS
from domicile_proxy.protocol import S3Protocol


class Hasty(S3Protocol):
    head_seconds = 0.3
    body_seconds = 0.3
    body_bytes = 1000
    answer_seconds = 0.3


class Crowded(S3Protocol):
    maximum_connections = 2


class Recorder:
    """A transport that notes what it is given at a time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self.writelines([data])

    def writelines(self, pieces: Sequence[bytes]) -> None:
        WRITTEN.append(b"".join(pieces))
        self._transport.writelines(pieces)


class Recorded(S3Protocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(Recorder(transport))


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self):
        yield


WRITTEN: list[bytes] = []
READING = asyncio.Event()  # each of them is of one test: it stays with the loop that it was waited for on
GOING_ON = asyncio.Event()
ANSWERED = asyncio.Event()
BIG = 16 << 20  # bytes


async def app(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Answers with how many bytes of headers there were. For ``/later`` it reads nothing before it is told to; ``/big`` is a long answer, ``/slow``
    one whose body comes when it is told to, ``/echo`` what was sent.
    """
    if scope["path"] == "/later":
        await READING.wait()
    sent = b""
    while (message := await receive())["type"] == "http.request":
        sent += message["body"]
        if not message["more_body"]:
            break
    if scope["path"] == "/big":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % BIG)]})
        for _ in range(BIG >> 16):
            await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        ANSWERED.set()
        return
    body = sent if scope["path"] == "/echo" else str(sum(len(name) + len(value) for name, value in scope["headers"])).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    if scope["path"] == "/slow":
        await GOING_ON.wait()
    await send({"type": "http.response.body", "body": body})


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    servers = {}
    for protocol in (S3Protocol, Hasty, Crowded, Recorded):
        path = str(tmp_path / protocol.__name__)
        config = uvicorn.Config(app, uds=path, http=protocol, ws="none", lifespan="off", log_config=None)
        server = Server(config)
        servers[path] = (server, asyncio.ensure_future(server.serve()))
        while not server.started:  # noqa: ASYNC110 -- uvicorn tells it in no other way
            await asyncio.sleep(0.01)

    writers = []

    async def connection(protocol: type[S3Protocol] = S3Protocol) -> Streams:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / protocol.__name__))
        writers.append(writer)
        return reader, writer

    yield connection
    for writer in writers:
        writer.close()
    for server, serving in servers.values():
        server.should_exit = True
        await serving


async def rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(20):
        return await reader.read()


async def test_a_head_may_come_byte_by_byte(connect):
    reader, writer = await connect()
    for byte in b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
    assert (await rest(reader)).endswith(b"\r\n\r\n" + str(len("hosta" + "connectionclose")).encode())


@pytest.mark.parametrize("begun", [b"GET /", b"GET / HTTP/1.1\r\nhost: a\r\nx-b: "], ids=["target", "header"])
async def test_a_head_without_end_is_ended(connect, begun):
    reader, writer = await connect()
    writer.write(begun)
    await writer.drain()
    writer.write(b"a" * 20 * MAXIMUM_HEAD)
    with suppress(ConnectionError):  # closed with bytes of ours unread
        assert b"<Code>RequestHeaderSectionTooLarge</Code>" in await rest(reader)
    async with asyncio.timeout(20):
        with suppress(ConnectionError):
            await writer.drain()


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"GE", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(connect, begun):
    reader, writer = await connect(Hasty)
    writer.write(begun)
    assert await rest(reader) == b""


@pytest.mark.parametrize("begun", [b"\r\n", b"GE", b"GET / HTTP/1.1\r\nhost: a\r\n"])
async def test_nor_after_a_first_request(connect, begun):
    reader, writer = await connect(Hasty)
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    await reader.readexactly(1)
    writer.write(begun)
    assert await rest(reader) == b""


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
        b"PUT / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"PUT / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_in_xml(connect, garbage):
    reader, writer = await connect()
    writer.write(garbage)
    answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>BadRequest</Code>" in answer


@pytest.mark.parametrize("begun", [b"content-length: 9\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n9\r\n"])
async def test_a_body_that_hardly_comes_is_not_waited_for(connect, begun):
    reader, writer = await connect(Hasty)
    writer.write(b"PUT / HTTP/1.1\r\nhost: a\r\n" + begun + b"a")
    answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>RequestTimeout</Code>" in answer


async def test_a_body_that_trickles_is_not_waited_for(connect):
    reader, writer = await connect(Hasty)
    writer.write(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n")
    reading = asyncio.ensure_future(rest(reader))
    with suppress(ConnectionError):
        while not reading.done():
            writer.write(b"a")
            await asyncio.sleep(0.02)
    with suppress(ConnectionError):
        assert b"<Code>RequestTimeout</Code>" in await reading


async def test_a_body_that_comes_fast_enough_may_take_its_time(connect):
    reader, writer = await connect(Hasty)
    size = 60_000
    writer.write(b"PUT / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % size)
    for _ in range(size // 1000):  # 1.2 s: four of its windows
        writer.write(b"a" * 1000)
        await asyncio.sleep(0.02)
    assert (await rest(reader)).startswith(b"HTTP/1.1 200 ")


async def test_nobody_is_blamed_while_nothing_is_read(connect):
    """A client that waits to be told to go on, and one whose bytes wait for us."""
    READING.clear()
    asking, asker = await connect(Hasty)
    asker.write(b"PUT /later HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 1\r\n\r\n")
    sending, sender = await connect(Hasty)
    size = 1 << 20
    sender.write(b"PUT /later HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % size + b"a" * size)
    await asyncio.sleep(3 * Hasty.body_seconds)  # what is tested is that nothing happens meanwhile
    READING.set()
    assert (await asking.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    asker.write(b"a")
    for reader in (asking, sending):
        assert (await rest(reader)).startswith(b"HTTP/1.1 200 ")


async def test_more_headers_than_anybody_needs_are_refused(connect):
    reader, writer = await connect()
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a:\r\n" * (MAXIMUM_HEADERS - 1) + b"\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    reader, writer = await connect()
    writer.write(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n" + b"a:\r\n" * MAXIMUM_HEADERS + b"\r\na")
    assert b"<Code>RequestHeaderSectionTooLarge</Code>" in await rest(reader)


async def test_a_connection_too_many_is_told_to_come_again(connect):
    held = [await connect(Crowded) for _ in range(2)]
    for reader, writer in held:
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    reader, _ = await connect(Crowded)
    answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in answer
    assert b"<Code>SlowDown</Code>" in answer
    held[0][1].close()
    async with asyncio.timeout(20):
        while True:
            reader, writer = await connect(Crowded)
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            with suppress(ConnectionError):
                if (await rest(reader)).startswith(b"HTTP/1.1 200 "):
                    break


async def test_an_answer_that_nobody_takes_is_given_up(connect):
    ANSWERED.clear()
    reader, writer = await connect(Hasty)
    writer.write(b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n")
    async with asyncio.timeout(20):
        await ANSWERED.wait()
    taken = b""
    with suppress(ConnectionError):
        taken = await rest(reader)
    assert len(taken) < BIG


async def test_head_and_body_of_a_short_answer_leave_together(connect):
    WRITTEN.clear()
    reader, writer = await connect(Recorded)
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer in WRITTEN


async def test_a_head_does_not_wait_for_a_body_that_comes_later(connect):
    reader, writer = await connect()
    writer.write(b"GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    GOING_ON.set()
    assert await rest(reader) == str(len("hosta" + "connectionclose")).encode()


async def test_an_answer_without_a_body_leaves_too(connect):
    reader, writer = await connect()
    writer.write(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("body", [b"6\r\nabcdef\r\n", b"3\r\nabc\r\n2\r\nde\r\n1\r\nf\r\n"], ids=["one piece", "three"])
async def test_a_body_is_whole_in_however_many_pieces_it_came(connect, body):
    reader, writer = await connect()
    writer.write(
        b"PUT /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    )
    assert (await rest(reader)).endswith(b"\r\n\r\nabcdef")
