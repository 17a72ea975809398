"""The client against real sockets that misbehave in every way."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from domicile_common.backends import http1
from domicile_common.backends.http1 import (
    BadAnswer,
    Client,
    ConnectFailed,
    ConnectionLost,
    EarlyAnswer,
    Exchange,
    Limits,
    TimedOut,
)

pytestmark = pytest.mark.servers

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
QUICK = Limits(silence=0.3, idle=0.3)

Handler = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's end of one connection."""

    def __init__(self, server: "Server", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer

    async def request(self) -> bytes:
        """The head of the next request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.server.heads.append(head)
        return head

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


class Server:
    """``connections``: accepted so far; ``heads``: what was asked; ``now``, ``most``: connections open at once."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.connections = self.now = self.most = 0
        self.heads: list[bytes] = []
        self.port = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.handler(Peer(self, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.now -= 1
            writer.close()


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(handler)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls, limit=2**20)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await until(lambda: server.now == 0)


@asynccontextmanager
async def client_of(server: Server, limits: Limits | None = None) -> AsyncIterator[Client]:
    client = Client(server.origin, limits)
    try:
        yield client
    finally:
        await client.close()


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


def always(answer: bytes) -> Handler:
    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer)

    return handler


async def get(client: Client, target: str = "/", method: str = "GET") -> tuple[int, bytes]:
    response = await (await client.open(method, target)).response()
    return response.status, await response.read(1_000_000)


async def write_all(exchange: Exchange, size: int) -> None:
    for _ in range(size // 2**18):
        await exchange.write(bytes(2**18))


async def test_asks_and_reads_on_one_kept_connection():
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n\r\nhello"
    async with serving(always(answer)) as server, client_of(server) as client:
        for _ in range(3):
            exchange = await client.open("GET", "/a%2Fb?c=d", [("x-one", "1"), ("x-two", "\xe4")])
            response = await exchange.response()
            assert response.status == 200
            assert response.headers == [(b"set-cookie", b"a"), (b"set-cookie", b"b"), (b"content-length", b"5")]
            assert await response.read(5) == b"hello"
        assert server.connections == 1
        assert server.heads[0] == (
            b"GET /a%%2Fb?c=d HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nx-one: 1\r\nx-two: \xe4\r\n\r\n" % server.port
        )


@pytest.mark.parametrize(
    "answer, method, body",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "HEAD", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE", b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "GET", b"abcde"),
    ],
)
async def test_bodies_end_where_they_should(answer, method, body):
    async with serving(always(answer)) as server, client_of(server) as client:
        for _ in range(2):
            assert (await get(client, method=method))[1] == body
        assert server.connections == 1


async def test_a_body_may_end_with_the_connection():
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")

    async with serving(handler) as server, client_of(server) as client:
        assert await get(client) == (200, b"hello")
        assert await get(client) == (200, b"hello")
        assert server.connections == 2


@pytest.mark.parametrize("framing", [b"content-length: 10\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"])
async def test_a_short_body_is_an_error_after_what_arrived(framing):
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + framing)

    async with serving(handler) as server, client_of(server) as client:
        response = await (await client.open("GET", "/")).response()
        assert await anext(response) == b"hello"
        with pytest.raises(ConnectionLost):
            await anext(response)


async def test_reading_slowly_holds_the_server_back():
    size, passed = 32 * 2**20, 0

    async def handler(peer: Peer) -> None:
        nonlocal passed
        peer.writer.transport.set_write_buffer_limits(0)
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while passed < size:
            await peer.send(bytes(2**18))
            passed += 2**18

    async with serving(handler) as server, client_of(server) as client:
        response = await (await client.open("GET", "/")).response()
        first = len(await anext(response))
        await until(lambda: response.buffered > http1.READ_HIGH)
        await asyncio.sleep(0.2)  # nothing must happen
        assert passed < size / 2
        assert response.buffered < http1.READ_HIGH + 2**19
        got = sum([len(chunk) async for chunk in response])
        assert first + got == size


async def test_writing_waits_for_a_slow_server():
    size, may_read = 32 * 2**20, asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await may_read.wait()
        await peer.reader.readexactly(size)
        await peer.send(OK)

    async with serving(handler) as server, client_of(server) as client:
        exchange = await client.open("PUT", "/", length=size)
        written = 0

        async def write() -> None:
            nonlocal written
            while written < size:
                await exchange.write(bytes(2**18))
                written += 2**18

        writing = asyncio.create_task(write())
        await until(lambda: written > 0)
        await asyncio.sleep(0.2)  # nothing must happen
        assert written < size / 2
        may_read.set()
        await writing
        assert await (await exchange.response()).read(10) == b"ok"
        assert b"content-length: %d\r\n" % size in server.heads[0]


async def test_nothing_is_sent_before_the_first_byte_of_the_body():
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reader.readexactly(5)
        await peer.send(OK)

    async with serving(handler) as server, client_of(server) as client:
        exchange = await client.open("PUT", "/", length=5)
        await until(lambda: server.connections == 1)
        await asyncio.sleep(0.05)  # nothing must happen
        assert not server.heads
        await exchange.write(b"he")
        await exchange.write(b"llo")
        assert (await exchange.response()).status == 200


async def test_an_empty_put_says_its_length():
    async with serving(always(OK)) as server, client_of(server) as client:
        assert await get(client, method="PUT") == (200, b"ok")
        assert b"content-length: 0\r\n" in server.heads[0]


@pytest.mark.parametrize("closes", [True, False])
async def test_an_early_answer_stops_the_writer_and_can_be_read(closes):
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reader.readexactly(1)
        await peer.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nno!!")
        if not closes:
            await peer.reader.read(-1)

    async with serving(handler) as server, client_of(server) as client:
        exchange = await client.open("PUT", "/", length=100 * 2**20)
        with pytest.raises(EarlyAnswer):
            await write_all(exchange, 100 * 2**20)
        response = await exchange.response()
        assert response.status == 403
        assert await response.read(10) == b"no!!"
        await until(lambda: server.now == 0)


async def test_an_early_answer_wakes_a_waiting_writer():
    go = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.send(b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n")
        await peer.reader.read(-1)

    async with serving(handler) as server, client_of(server) as client:
        exchange = await client.open("PUT", "/", length=64 * 2**20)
        writing = asyncio.create_task(exchange.write(bytes(32 * 2**20)))
        await until(lambda: bool(server.heads))
        assert not writing.done()
        go.set()
        await writing
        with pytest.raises(EarlyAnswer):
            await exchange.write(b"x")
        assert (await exchange.response()).status == 503


async def test_more_than_announced_cannot_be_written():
    async with serving(always(OK)) as server, client_of(server) as client:
        exchange = await client.open("PUT", "/", length=3)
        with pytest.raises(ValueError):
            await exchange.write(b"four")
        exchange.abort()


async def test_a_connection_that_the_server_closed_is_not_used_again():
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    async with serving(handler) as server, client_of(server) as client:
        for _ in range(3):
            assert await get(client) == (200, b"ok")
            await until(lambda: server.now == 0)
        assert server.connections == 3


def stale_after_one(peers: list[Peer]) -> Handler:
    """Answers the first request of each connection and drops it at the second one."""

    async def handler(peer: Peer) -> None:
        peers.append(peer)
        await peer.request()
        await peer.send(OK)
        await peer.request()

    return handler


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_a_stale_connection_is_replaced_once_when_there_is_no_body(method):
    peers: list[Peer] = []
    async with serving(stale_after_one(peers)) as server, client_of(server) as client:
        await get(client)
        assert await get(client, "/again", method) == (200, b"ok")
        assert server.connections == 2
        assert [head.split()[1] for head in server.heads] == [b"/", b"/again", b"/again"]


async def test_a_request_with_a_body_is_not_repeated():
    peers: list[Peer] = []
    async with serving(stale_after_one(peers)) as server, client_of(server) as client:
        await get(client)
        exchange = await client.open("PUT", "/", length=3)
        await exchange.write(b"abc")
        with pytest.raises(ConnectionLost):
            await exchange.response()
        assert server.connections == 1


async def test_a_reserved_connection_that_is_lost_before_anything_was_sent_is_replaced():
    peers: list[Peer] = []
    async with serving(stale_after_one(peers)) as server, client_of(server) as client:
        await get(client)
        exchange = await client.open("PUT", "/", length=3)
        peers[0].writer.transport.abort()
        await until(lambda: server.now == 0)
        await asyncio.sleep(0.05)
        await exchange.write(b"abc")
        assert (await exchange.response()).status == 200
        assert server.connections == 2


async def test_a_new_connection_that_is_lost_is_not_replaced():
    async def handler(peer: Peer) -> None:
        await peer.request()

    async with serving(handler) as server, client_of(server) as client:
        with pytest.raises(ConnectionLost):
            await get(client)
        assert server.connections == 1


async def test_a_loss_after_the_first_byte_of_the_answer_is_not_repaired():
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(b"HTTP/1.1 20")

    async with serving(handler) as server, client_of(server) as client:
        await get(client)
        with pytest.raises(ConnectionLost):
            await get(client)
        assert server.connections == 1


async def test_refused(unused_port):
    client = Client(f"http://127.0.0.1:{unused_port}")
    with pytest.raises(ConnectFailed, match="ConnectionRefusedError"):
        await client.open("GET", "/")
    await client.close()


async def silent(peer: Peer) -> None:
    await peer.reader.read(-1)


async def test_a_handshake_that_never_comes_is_given_up():
    async with serving(silent) as server:
        client = Client(server.origin.replace("http:", "https:"), Limits(connect=0.3))
        with pytest.raises(ConnectFailed, match="Timeout"):
            await client.open("GET", "/")
        await client.close()


async def test_silence_before_the_answer_is_given_up():
    async with serving(silent) as server, client_of(server, QUICK) as client:
        with pytest.raises(TimedOut):
            await get(client)
        await until(lambda: server.now == 0)


async def test_patience_can_be_longer_for_one_answer():
    async def handler(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.8)
        await peer.send(OK)

    async with serving(handler) as server, client_of(server, QUICK) as client:
        response = await (await client.open("POST", "/")).response(5)
        assert await response.read(10) == b"ok"


async def test_silence_in_the_body_is_given_up():
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await peer.reader.read(-1)

    async with serving(handler) as server, client_of(server, QUICK) as client:
        response = await (await client.open("GET", "/")).response()
        with pytest.raises(TimedOut):
            await response.read(10)


async def test_a_server_that_takes_nothing_is_given_up():
    async def handler(peer: Peer) -> None:
        await peer.request()
        await until(lambda: stop)
        peer.writer.transport.abort()

    stop = False
    async with serving(handler) as server, client_of(server, QUICK) as client:
        exchange = await client.open("PUT", "/", length=64 * 2**20)
        with pytest.raises(TimedOut):
            await exchange.write(bytes(64 * 2**20))
        stop = True


async def test_a_slow_reader_is_not_silence():
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n" + bytes(2_000_000)
    async with serving(always(answer)) as server, client_of(server, QUICK) as client:
        response = await (await client.open("GET", "/")).response()
        await asyncio.sleep(1)
        assert len(await response.read(2_000_000)) == 2_000_000


@pytest.mark.parametrize("garbage", [b"220 smtp ready\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, b"\x00" * 100])
async def test_garbage_is_a_bad_answer(garbage):
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(garbage)
        await peer.reader.read(-1)

    async with serving(handler) as server, client_of(server) as client:
        with pytest.raises(BadAnswer):
            await get(client)
        await until(lambda: server.now == 0)


async def test_more_than_the_answer_spoils_the_connection():
    async with serving(always(OK + b"more")) as server, client_of(server) as client:
        assert await get(client) == (200, b"ok")
        assert await get(client) == (200, b"ok")
        assert server.connections == 2


async def test_words_without_a_question_spoil_the_connection():
    peers: list[Peer] = []

    async def handler(peer: Peer) -> None:
        peers.append(peer)
        await always(OK)(peer)

    async with serving(handler) as server, client_of(server) as client:
        await get(client)
        await peers[0].send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await until(lambda: server.now == 0)
        assert await get(client) == (200, b"ok")
        assert server.connections == 2


async def test_no_more_connections_than_allowed_and_everyone_gets_a_turn():
    async with serving(always(OK)) as server, client_of(server, Limits(connections=2)) as client:
        answers = await asyncio.gather(*(get(client) for _ in range(20)))
        assert answers == [(200, b"ok")] * 20
        assert server.most == 2


async def test_a_pool_that_stays_full_is_given_up():
    async with serving(silent) as server, client_of(server, Limits(connections=1, connect=1)) as client:
        first = await client.open("GET", "/")
        with pytest.raises(ConnectFailed, match="busy"):
            await client.open("GET", "/")
        first.abort()
        (await client.open("GET", "/")).abort()


async def test_unused_connections_are_closed_after_a_while():
    async with serving(always(OK)) as server, client_of(server, QUICK) as client:
        await get(client)
        assert server.now == 1
        await until(lambda: server.now == 0)


async def test_a_cancelled_wait_closes_its_connection_and_gives_back_its_place():
    async with serving(silent) as server, client_of(server, Limits(connections=1)) as client:
        waiting = asyncio.create_task(get(client))
        await until(lambda: server.now == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: server.now == 0)
        (await client.open("GET", "/")).abort()


async def test_aborting_fails_whoever_waits():
    async with serving(silent) as server, client_of(server) as client:
        exchange = await client.open("GET", "/")
        waiting = asyncio.create_task(exchange.response())
        await until(lambda: server.now == 1)
        await asyncio.sleep(0)
        exchange.abort()
        exchange.abort()
        with pytest.raises(ConnectionLost):
            await waiting
        await until(lambda: server.now == 0)


async def test_a_body_that_is_not_wanted_closes_the_connection():
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n" + bytes(9_000_000)
    async with serving(always(answer)) as server, client_of(server) as client:
        response = await (await client.open("GET", "/")).response()
        response.close()
        await until(lambda: server.now == 0)
        response = await (await client.open("GET", "/")).response()
        with pytest.raises(BadAnswer, match="too large"):
            await response.read(10)
        await until(lambda: server.now == 0)


async def test_closing_lets_the_exchange_in_progress_end():
    go = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.send(OK)
        await peer.reader.read(-1)

    async with serving(handler) as server:
        client = Client(server.origin)
        waiting = asyncio.create_task(get(client))
        await until(lambda: bool(server.heads))
        await client.close()
        go.set()
        assert await waiting == (200, b"ok")
        await until(lambda: server.now == 0)


@pytest.mark.parametrize("header", [("x", "a\r\nb: c"), ("x\n", "a"), ("x", "a\rb")])
async def test_headers_cannot_smuggle_lines(header):
    client = Client("http://127.0.0.1:1")
    with pytest.raises(ValueError):
        await client.open("GET", "/", [header])


@pytest.mark.parametrize(
    "origin, authority",
    [
        ("http://a.example", "a.example"),
        ("https://a.example:443", "a.example"),
        ("https://a.example:80/", "a.example:80"),
        ("http://[::1]:9000", "[::1]:9000"),
    ],
)
async def test_authority(origin, authority):
    assert Client(origin).authority == authority


@pytest.mark.parametrize("origin", ["ftp://a", "a.example", "http://", "http://user:secret@a"])
async def test_bad_origins(origin):
    with pytest.raises(ValueError) as caught:
        Client(origin)
    assert "secret" not in str(caught.value)


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "tls.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


async def test_tls_trusts_what_ssl_cert_file_names_and_nothing_else(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    body = bytes(3_000_000)
    async with serving(always(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n" + body), context) as server:
        origin = server.origin.replace("http:", "https:")
        stranger = Client(origin)
        with pytest.raises(ConnectFailed, match="SSLCertVerificationError"):
            await stranger.open("GET", "/")
        await stranger.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = Client(origin)
        for _ in range(2):
            response = await (await client.open("GET", "/")).response()
            assert await response.read(3_000_000) == body
        assert server.connections == 1  # the stranger's was none
        await client.close()
