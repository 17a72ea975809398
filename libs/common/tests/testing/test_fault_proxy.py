import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from domicile_common.testing.fault_proxy import Fault, FaultProxy

pytestmark = pytest.mark.servers


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what it gets; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            writer.write(piece)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    async with echo() as port, FaultProxy(port) as proxy:
        yield proxy


@asynccontextmanager
async def connected(proxy: FaultProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def within(awaitable, seconds: float = 30):
    return await asyncio.wait_for(awaitable, seconds)


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    got = b""
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            got += piece
    return got


async def test_passes_everything_both_ways_and_ends(proxy):
    async with connected(proxy) as (reader, writer):
        body = bytes(300_000)
        writer.write(body)
        writer.write_eof()
        assert await within(reader.read(-1)) == body
    assert (proxy.connections, proxy.up, proxy.down) == (1, 300_000, 300_000)


async def test_cuts_the_answer_after_so_many_bytes(proxy):
    proxy.fault = Fault(cut_down=1000)
    async with connected(proxy) as (reader, writer):
        writer.write(b"x" * 5000)
        assert len(await within(read_to_end(reader))) == 1000


async def test_cuts_the_request_after_so_many_bytes(proxy):
    proxy.fault = Fault(cut_up=1000)
    async with connected(proxy) as (reader, writer):
        writer.write(b"x" * 5000)
        await within(read_to_end(reader))
    assert proxy.up == 1000


async def test_stalls_until_the_fault_is_gone(proxy):
    proxy.fault = Fault(stall_down=10)
    async with connected(proxy) as (reader, writer):
        writer.write(b"0123456789abcdef")
        assert await within(reader.readexactly(10)) == b"0123456789"
        with pytest.raises(TimeoutError):
            await within(reader.read(1), 0.1)
        proxy.fault = Fault()
        assert await within(reader.readexactly(6)) == b"abcdef"


async def test_takes_effect_on_connections_that_are_there(proxy):
    async with connected(proxy) as (reader, writer):
        writer.write(b"one")
        assert await within(reader.readexactly(3)) == b"one"
        proxy.fault = Fault(corrupt_up=1)
        writer.write(b"two")
        assert await within(reader.readexactly(3)) == b"t" + bytes([ord("w") ^ 0xFF]) + b"o"


async def test_delays(proxy):
    proxy.fault = Fault(delay=0.1)
    async with connected(proxy) as (reader, writer):
        began = asyncio.get_running_loop().time()
        writer.write(b"x")
        await within(reader.readexactly(1))
        assert asyncio.get_running_loop().time() - began >= 0.2


async def test_answers_instead_of_the_server(proxy):
    proxy.fault = Fault(answer=503)
    async with connected(proxy) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        writer.write_eof()
        assert (await within(reader.read(-1))).startswith(b"HTTP/1.1 503 ")
    assert proxy.up == 0


async def test_refuses_and_accepts_again_on_the_same_port(proxy):
    port = proxy.port
    async with connected(proxy) as (reader, _):
        await proxy.refuse()
        assert await within(reader.read(1)) == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await proxy.accept()
    assert proxy.port == port
    async with connected(proxy) as (reader, writer):
        writer.write(b"x")
        assert await within(reader.readexactly(1)) == b"x"
