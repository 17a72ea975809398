"""The relay against real sockets: an endpoint that answers as it is told to, and names that resolve as they are told to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from domicile_common.errors import RequestError, Unavailable
from domicile_common.sigv4.sign import Signer
from domicile_discovery.handlers.relay import Relayed
from domicile_discovery.relay import shares
from domicile_discovery.relay.relay import Asked, Bounds, Relay, RelayFailed

pytestmark = pytest.mark.servers

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SIGNER = Signer("AKEXAMPLE", "a-made-up-secret-key", "eu-1")
BOUNDS = Bounds(seconds=10, bytes=100_000, concurrency=4)
LISTING = b"<ListBucketResult>" + b"<Contents/>" * 100 + b"</ListBucketResult>"


def http(body=LISTING, status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Endpoint:
    """Answers every request with ``answer`` and remembers heads. ``hold``: says nothing until it is set."""

    def __init__(self) -> None:
        self.answer = http()
        self.heads = []
        self.names = []
        self.connections = 0
        self.hold = None
        self.asked = asyncio.Event()

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                if self.hold is not None:
                    self.asked.set()
                    await self.hold.wait()
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@pytest.fixture
async def endpoint():
    made = Endpoint()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    made.origin = f"http://127.0.0.1:{made.port}"
    yield made
    if made.hold is not None:
        made.hold.set()
    server.close()


@pytest.fixture
async def make_relay():
    made = []

    def make(*, bounds=BOUNDS, **fields):
        made.append(Relay(bounds, lambda: NOW, **fields))
        return made[-1]

    yield make
    for relay in made:
        await relay.close()


def asked(origin, path="/bucket", query="", method="GET", **headers):
    host = origin.partition("://")[2]
    return Asked(method, f"{origin}{path}?{SIGNER.presign(method, path, query, {'host': host}, expires=60, now=NOW)}", headers)


async def read(relay, request, client="one"):
    answer = await relay.open(request, client)
    try:
        body = b""
        while chunk := await answer.chunk():
            body += chunk
        return answer, body
    finally:
        answer.close()


async def test_a_listing_is_passed_on_as_it_was_signed_with_headers_that_say_nothing_of_elsewhere(endpoint, make_relay):
    endpoint.answer = http(
        LISTING, "200 OK", "x-amz-request-id: 7", "set-cookie: a=b", "location: http://127.0.0.1/", "server: x"
    )
    relay = make_relay(allowed={endpoint.origin})
    answer, body = await read(relay, asked(endpoint.origin, "/bucket/", "list-type=2"))
    assert (answer.status, body) == (200, LISTING)
    assert dict(answer.headers) == {b"content-length": str(len(LISTING)).encode(), b"x-amz-request-id": b"7"}
    (head,) = endpoint.heads
    assert head.startswith("GET /bucket/?list-type=2&X-Amz-Algorithm=")
    assert head.count("\r\n") == 3  # the request line, the host, and nothing that was not signed
    assert f"host: 127.0.0.1:{endpoint.port}\r\n" in head


async def test_a_head_has_no_body_and_an_error_keeps_its_status(endpoint, make_relay):
    relay = make_relay(allowed={endpoint.origin})
    endpoint.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5000000000\r\nx-amz-meta-a: b\r\n\r\n"
    answer, body = await read(relay, asked(endpoint.origin, "/bucket/key", method="HEAD"))
    assert (dict(answer.headers)[b"content-length"], dict(answer.headers)[b"x-amz-meta-a"], body) == (b"5000000000", b"b", b"")
    endpoint.answer = http(b"<Error><Code>AccessDenied</Code></Error>", "403 Forbidden")
    answer, body = await read(relay, asked(endpoint.origin))
    assert (answer.status, b"AccessDenied" in body) == (403, True)


async def test_connections_are_used_again(endpoint, make_relay):
    relay = make_relay(allowed={endpoint.origin})
    for _ in range(5):
        await read(relay, asked(endpoint.origin))
    assert (len(endpoint.heads), endpoint.connections) == (5, 1)


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_no_redirect_is_followed_and_none_is_passed_on(endpoint, make_relay, status):
    other = Endpoint()
    server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    there = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    endpoint.answer = http(b"<Error/>", status, f"location: {there}", "x-amz-bucket-region: eu-2")
    answer, _ = await read(make_relay(allowed={endpoint.origin}), asked(endpoint.origin))
    server.close()
    assert answer.status == int(status[:3])
    assert b"location" not in dict(answer.headers)
    assert other.connections == 0


@pytest.mark.parametrize(
    "body",
    [b"root:x:0:0:root:/root:/bin/sh\n" * 40, b'{"AccessKeyId": "AKIA", "SecretAccessKey": "x"}', b"<html>hi</html>", b"\x89PNG"],
)
async def test_what_is_no_listing_is_not_passed_on(endpoint, make_relay, body):
    endpoint.answer = http(body)
    with pytest.raises(RelayFailed, match="not that of an S3 listing"):
        await read(make_relay(allowed={endpoint.origin}), asked(endpoint.origin))


async def test_an_answer_that_is_too_large_breaks_off(endpoint, make_relay):
    endpoint.answer = http(b"<ListBucketResult>" + b"x" * 200_000)
    relay = make_relay(allowed={endpoint.origin})
    with pytest.raises(RelayFailed, match="larger than 100000 bytes"):
        await read(relay, asked(endpoint.origin))
    endpoint.answer = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n12\r\n<ListBucketResult>\r\n"
        + (b"10000\r\n" + b"y" * 65536 + b"\r\n") * 3
    )
    with pytest.raises(RelayFailed, match="larger than"):
        await read(relay, asked(endpoint.origin))


async def test_an_answer_that_stops_in_the_middle_is_not_taken_for_whole(endpoint, make_relay):
    endpoint.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<ListBucketResult>"
    with pytest.raises(RelayFailed, match="broke off: TimeoutError"):
        await read(make_relay(bounds=Bounds(seconds=0.3), allowed={endpoint.origin}), asked(endpoint.origin))


async def test_an_endpoint_that_says_nothing_is_given_up(endpoint, make_relay):
    endpoint.hold = asyncio.Event()
    with pytest.raises(RelayFailed, match="cannot be reached: TimeoutError"):
        await read(make_relay(bounds=Bounds(seconds=0.2), allowed={endpoint.origin}), asked(endpoint.origin))


async def test_no_more_is_under_way_than_may_be_and_places_come_back(endpoint, make_relay, monkeypatch):
    monkeypatch.setattr(shares, "WAIT_SECONDS", 0.05)
    endpoint.hold = asyncio.Event()
    relay = make_relay(bounds=Bounds(seconds=10, concurrency=1), allowed={endpoint.origin})
    busy = asyncio.create_task(read(relay, asked(endpoint.origin)))
    await asyncio.wait_for(endpoint.asked.wait(), 30)
    with pytest.raises(Unavailable):
        await read(relay, asked(endpoint.origin))
    endpoint.hold.set()
    await busy
    for _ in range(4):
        await read(relay, asked(endpoint.origin))


async def test_whoever_asks_for_too_much_is_told_so_and_when_to_come_back(endpoint, make_client, monkeypatch):
    monkeypatch.setattr(shares, "WAIT_SECONDS", 0.05)
    endpoint.hold = asyncio.Event()
    client = make_client(relay_for="page", relay_share=1, relay_endpoints=(endpoint.origin,))
    host = endpoint.origin.partition("://")[2]
    query = SIGNER.presign("GET", "/bucket", "", {"host": host}, expires=60, now=datetime.now(UTC))
    request = {"method": "GET", "url": f"{endpoint.origin}/bucket?{query}"}
    first = asyncio.create_task(client.post("/api/relay", json=request))
    await asyncio.wait_for(endpoint.asked.wait(), 30)
    second = await client.post("/api/relay", json=request)
    assert (second.status_code, second.json()["error"]["code"], second.headers["retry-after"]) == (429, "TooManyRequests", "2")
    endpoint.hold.set()
    assert (await first).headers["relay-status"] == "200"
    assert (await client.post("/api/relay", json=request)).status_code == 200


async def test_places_come_back_after_failures(endpoint, make_relay):
    relay = make_relay(bounds=Bounds(seconds=5, concurrency=1), allowed={endpoint.origin})
    endpoint.answer = http(b"nonsense" * 100)
    for _ in range(3):
        with pytest.raises(RelayFailed):
            await read(relay, asked(endpoint.origin))


# --- names and addresses ---


class Connects:
    """Sees where the loop would connect to, and lets it connect nowhere."""

    def __init__(self, monkeypatch) -> None:
        self.to = []
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", self._refuse)

    async def _refuse(self, _protocol, host, port, **_options):
        self.to.append((host, port))
        raise ConnectionRefusedError


def resolver(*answers):
    """Gives one answer after the other; the last one stays."""
    left = list(answers)
    asked_for = []

    async def resolve(host, port):
        asked_for.append(host)
        return left.pop(0) if len(left) > 1 else left[0]

    resolve.asked_for = asked_for
    return resolve


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["100.64.0.1"], ["::1"], ["::ffff:169.254.169.254"], ["fd00::1"], ["64:ff9b::a00:1"],
        ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "1.1.1.1", "fe80::1%2"], ["nonsense"],
    ],
)  # fmt: skip
async def test_a_name_with_an_address_that_is_not_public_is_connected_to_nowhere(make_relay, monkeypatch, addresses):
    connects = Connects(monkeypatch)
    with pytest.raises(RequestError) as refused:
        await read(make_relay(resolver=resolver(addresses)), asked("https://s3.example.com"))
    assert (refused.value.code, connects.to) == ("RelayRefused", [])


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[fd00:ec2::254]"])
async def test_an_address_in_the_url_is_checked_as_well(make_relay, monkeypatch, host):
    connects = Connects(monkeypatch)
    with pytest.raises(RequestError):
        await read(make_relay(), asked(f"https://{host}"))
    assert connects.to == []


async def test_a_name_that_changes_its_mind_gains_nothing(make_relay, monkeypatch):
    """DNS rebinding: public when it is checked, private when it would be looked up again."""
    connects = Connects(monkeypatch)
    names = resolver(["93.184.215.14"], ["127.0.0.1"])
    relay = make_relay(resolver=names)
    with pytest.raises(RelayFailed):
        await read(relay, asked("https://rebind.example.com"))
    assert (names.asked_for, connects.to) == (["rebind.example.com"], [("93.184.215.14", 443)])
    with pytest.raises(RequestError):
        await read(relay, asked("https://rebind.example.com"))
    assert connects.to == [("93.184.215.14", 443)]


async def test_the_next_address_is_tried_and_no_more(make_relay, monkeypatch):
    connects = Connects(monkeypatch)
    with pytest.raises(RelayFailed, match="ConnectFailed"):
        await read(make_relay(resolver=resolver(["8.8.8.8", "8.8.4.4", "1.1.1.1"])), asked("https://s3.example.com"))
    assert connects.to == [("8.8.8.8", 443), ("8.8.4.4", 443)]


@pytest.mark.parametrize("answer", [[], OSError("no such name"), UnicodeError("label too long")])
async def test_a_name_without_an_address_fails(make_relay, answer):
    async def resolve(_host, _port):
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(RelayFailed, match="has no address"):
        await read(make_relay(resolver=resolve), asked("https://s3.example.com"))


async def test_names_whose_servers_do_not_answer_keep_no_other_waiting(endpoint, make_relay, monkeypatch):
    """More of them than a loop has threads for, as long as the machine has fewer than 35 processors."""
    look_up, begun, ended = socket.getaddrinfo, [], threading.Event()

    def asked_of(host, *arguments, **options):
        if host != "silent.example.com":
            return look_up(host, *arguments, **options)
        begun.append(host)
        ended.wait(20)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", asked_of)
    relay = make_relay(bounds=Bounds(seconds=20, concurrency=40, share=40), allowed={endpoint.origin})
    silent = [asyncio.create_task(read(relay, asked("https://silent.example.com"))) for _ in range(39)]
    answer, _ = await asyncio.wait_for(read(relay, asked(endpoint.origin)), 15)
    ended.set()
    assert answer.status == 200
    assert {type(it) for it in await asyncio.gather(*silent, return_exceptions=True)} == {RelayFailed}
    assert len(begun) == 39


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Of s3.test.example, made here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "s3.test.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("s3.test.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "pair.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


async def test_the_checked_address_is_met_under_the_name_that_was_asked_for(make_relay, certificate):
    endpoint, names = Endpoint(), []
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(certificate)
    server_side.sni_callback = lambda _socket, name, _context: names.append(name)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    good, other = f"https://s3.test.example:{port}", f"https://other.test.example:{port}"
    relay = make_relay(
        allowed={good, other}, resolver=resolver(["127.0.0.1"]), tls=lambda: ssl.create_default_context(cafile=certificate)
    )
    answer, body = await read(relay, asked(good))
    assert (answer.status, body, names) == (200, LISTING, ["s3.test.example"])
    assert f"host: s3.test.example:{port}\r\n" in endpoint.heads[0]
    with pytest.raises(RelayFailed, match="ConnectFailed"):  # the certificate is not of this name
        await read(relay, asked(other))
    server.close()


async def test_nothing_of_a_signature_is_logged(endpoint, make_relay):
    relay = make_relay(allowed={endpoint.origin})
    with structlog.testing.capture_logs() as logs:
        await read(relay, asked(endpoint.origin, "/secret-bucket", "prefix=secret-prefix"))
        endpoint.answer = http(b"nonsense" * 100)
        with pytest.raises(RelayFailed):
            await read(relay, asked(endpoint.origin, "/secret-bucket", "prefix=secret-prefix"))
        with pytest.raises(RequestError):
            await read(relay, asked("http://10.0.0.1", "/secret-bucket"))
    assert [line["event"] for line in logs] == ["relayed", "not relayed"]
    for secret in ("secret-bucket", "secret-prefix", "AKEXAMPLE", "X-Amz", "Signature"):
        assert secret not in str(logs)


async def test_a_page_that_does_not_read_keeps_its_place_no_longer_than_others(endpoint, make_relay):
    relay = make_relay(bounds=Bounds(seconds=0.3, concurrency=1), allowed={endpoint.origin})

    async def never(_message):
        await asyncio.Event().wait()

    await Relayed(await relay.open(asked(endpoint.origin), "one"))({}, None, never)
    answer, _ = await read(relay, asked(endpoint.origin))
    assert answer.status == 200
