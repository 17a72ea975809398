"""A real browser in front of the shared installation. Whatever it complains of fails the test, and what it looked like is kept in ``build/screenshots``."""

from __future__ import annotations

import os
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from domicile_common.sigv4 import canonical
from domicile_common.sigv4.sign import Signer

expect.set_options(timeout=20_000)

ROOT = Path(__file__).parents[3]
AXE = ROOT / "services/discovery/web/node_modules/axe-core/axe.min.js"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-precise-memory-info",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for longer than a module: meanwhile this thread has a running loop, which asynchronous tests cannot have."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def harmless(request) -> list[str]:
    """Patterns of console errors that the test expects. An answer of 4xx, which the browser notes as well, is an answer.

    Marked ``explores``: a provider that lets no other page read its answers is asked through the relay, but the browser tells of the first try.
    """
    elsewhere = [r"blocked by CORS policy", r"Failed to load resource: net::ERR_FAILED"]
    answers = [r"Failed to load resource: the server responded with a status of 4\d\d"]
    return answers + (elsewhere if request.node.get_closest_marker("explores") else [])


@pytest.fixture
def page(browser, domicile, harmless) -> Iterator[Page]:
    """A tab at the page's beginning, in a profile of its own."""
    context = browser.new_context(
        base_url=domicile.suite.discovery_url,
        viewport={"width": 1280, "height": 800},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(20_000)
    errors: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(re.search(pattern, message.text) for pattern in harmless):
            errors.append(message.text)

    context.on("console", on_console)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    tab = context.new_page()
    tab.goto("/")
    yield tab
    context.close()
    assert not errors


@pytest.fixture
def operator(page, domicile) -> Page:
    """A tab in which an operator has signed in."""
    return _signed_in(page, "/api/session/operator", {}, {"admin_key": domicile.suite.admin_key})


@pytest.fixture
def tenant(page, domicile) -> Page:
    """A tab in which tenant ``one`` has signed in."""
    key, path = domicile.keys["one"], "/api/session/tenant"
    signer = Signer(key.access_key, key.secret_key, "us-east-1")
    host = domicile.suite.discovery_url.partition("://")[2]
    headers = signer.sign("POST", path, "", {"host": host}, payload=canonical.EMPTY_SHA256, now=datetime.now(UTC))
    return _signed_in(page, path, headers, None)


def _signed_in(page: Page, path: str, headers: dict[str, str], document: dict[str, str] | None) -> Page:
    answer = page.request.post(path, data=document, headers={**headers, "X-Domicile-Request": "1"})
    assert answer.status == 201, answer.text()
    page.reload()
    return page


@pytest.fixture
def look() -> Callable[[Page, str], None]:
    """``look(page, name)``: keeps screenshots, light, dark and on a phone, and fails on what axe finds serious. Once the page has settled."""

    def check(page: Page, name: str) -> None:
        folder = ROOT / "build" / "screenshots"
        page.evaluate(AXE.read_text())
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            serious = [
                f"{it['id']}: {node['html']} ({node['failureSummary']})"
                for it in found["violations"]
                if it["impact"] in {"serious", "critical"}
                for node in it["nodes"]
            ]
            assert not serious, "\n".join(serious)
        page.emulate_media(color_scheme="light")
        size = page.viewport_size
        page.set_viewport_size({"width": 390, "height": 844})
        page.screenshot(path=folder / f"{name}-phone.png")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a phone has to scroll sideways"
        page.set_viewport_size(size)

    return check


class Tap:
    """Stands before a server on this machine and keeps what is sent to it. ``url``: in place of the server's."""

    def __init__(self, server: str) -> None:
        kept = self._kept = bytearray()
        target = urlsplit(server)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((target.hostname, target.port)) as onward:
                    back = threading.Thread(target=_pour, args=(onward, self.request, bytearray()))
                    back.start()
                    _pour(self.request, onward, kept)
                    back.join()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def seen(self) -> bytes:
        return bytes(self._kept)


def _pour(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            kept += piece
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def tap() -> Iterator[Callable[[str], Tap]]:
    """``tap(url)``: see ``Tap``."""
    made: list[Tap] = []

    def make(server: str) -> Tap:
        made.append(Tap(server))
        return made[-1]

    yield make
    for each in made:
        each.server.shutdown()
        each.server.server_close()
