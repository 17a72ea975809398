"""Links pass bytes faithfully until a test says otherwise."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time

import pytest

from domicile_common.testing.links import Links

pytestmark = pytest.mark.servers


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


@pytest.fixture
def link(unused_ports):
    """A link in front of a server that sends back what it gets."""
    with EchoServer(("127.0.0.1", unused_ports()), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with Links({"echo": (unused_ports(), server.server_address[1])}) as links:
            yield links.by_name["echo"]
        server.shutdown()
        thread.join()


def connect(link):
    return socket.create_connection(("127.0.0.1", link.port), timeout=30)


def receive(connection, size, data=None):
    data = bytearray() if data is None else data
    while len(data) < size and (more := connection.recv(65536)):
        data += more
    return data


def test_a_healthy_link_passes_every_byte_both_ways(link):
    body = bytes(range(256)) * 100
    with connect(link) as connection:
        connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection, len(body) + 1) == body


def test_a_cut_link_resets_and_refuses_until_it_is_healed(link):
    with connect(link) as connection:
        connection.sendall(b"x")
        assert receive(connection, 1) == b"x"
        link.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(link)
    link.heal()
    connect(link).close()


def test_a_stalled_link_accepts_and_passes_nothing_until_it_is_healed(link):
    link.stall()
    with connect(link) as connection:
        connection.sendall(b"x")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(30)
        link.heal()
        assert receive(connection, 1) == b"x"


def test_a_link_breaks_in_the_middle_of_a_body(link):
    link.break_after(10_000)
    with connect(link) as connection:
        connection.sendall(bytes(20_000))
        received = bytearray()
        with pytest.raises(ConnectionResetError):
            receive(connection, 20_000, received)
        assert len(received) <= 10_000


def test_a_garbled_link_inverts_the_middle_of_what_is_large_enough(link):
    link.garble(every=1, least=3)
    with connect(link) as connection:
        connection.sendall(b"ab")
        assert receive(connection, 2) == b"ab"
        connection.sendall(b"abc")
        assert receive(connection, 3) == b"abc"  # there and back
        link.garble(every=2, least=3)
        connection.sendall(b"abc")
        assert receive(connection, 3) == bytes([ord("a"), ord("b") ^ 0xFF, ord("c")])
        link.heal()
        connection.sendall(b"abc")
        assert receive(connection, 3) == b"abc"


def test_a_slow_link_takes_its_time(link):
    link.delay(0.3)
    with connect(link) as connection:
        began = time.monotonic()
        connection.sendall(b"x")
        assert receive(connection, 1) == b"x"
        assert time.monotonic() - began >= 0.6
