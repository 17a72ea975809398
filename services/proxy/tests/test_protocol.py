"""Heads that do not end, in bytes or in time, and what is no HTTP: on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from domicile_proxy.protocol import MAXIMUM_HEAD, BoundedProtocol


class Hasty(BoundedProtocol):
    head_seconds = 0.3


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self):
        yield


async def app(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Answers with how many bytes of headers there were."""
    while (await receive())["more_body"]:
        pass
    body = str(sum(len(name) + len(value) for name, value in scope["headers"])).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    servers = {}
    for protocol in (BoundedProtocol, Hasty):
        path = str(tmp_path / protocol.__name__)
        config = uvicorn.Config(app, uds=path, http=protocol, ws="none", lifespan="off", log_config=None)
        server = Server(config)
        servers[path] = (server, asyncio.ensure_future(server.serve()))
        while not server.started:  # noqa: ASYNC110 -- uvicorn tells it in no other way
            await asyncio.sleep(0.01)

    writers = []

    async def connection(*, hasty: bool = False) -> Streams:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / (Hasty if hasty else BoundedProtocol).__name__))
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
    reader, writer = await connect(hasty=True)
    writer.write(begun)
    assert await rest(reader) == b""


@pytest.mark.parametrize("begun", [b"\r\n", b"GE", b"GET / HTTP/1.1\r\nhost: a\r\n"])
async def test_nor_after_a_first_request(connect, begun):
    reader, writer = await connect(hasty=True)
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
