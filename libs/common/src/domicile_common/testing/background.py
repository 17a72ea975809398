"""An event loop in a thread of its own, so that a test that is not asynchronous can have fault proxies."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from domicile_common.testing.fault_proxy import Fault, FaultProxy

T = TypeVar("T")


class Background:
    """``proxies``: by name."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxies: Mapping[str, FaultProxy]) -> None:
        self._loop = loop
        self.proxies = dict(proxies)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def set(self, name: str, fault: Fault) -> None:
        """At once, also for connections that are already there."""

        async def change() -> None:
            self.proxies[name].fault = fault

        self.run(change())


@contextmanager
def fault_proxies(server_ports: Mapping[str, int], tls: ssl.SSLContext | None = None) -> Iterator[Background]:
    """A proxy before each of these ports of 127.0.0.1. ``tls``: what it shows, to clients that speak TLS."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    background = Background(loop, {name: FaultProxy(port, tls) for name, port in server_ports.items()})
    try:
        for proxy in background.proxies.values():
            background.run(proxy.accept())
        yield background
    finally:
        for proxy in background.proxies.values():
            background.run(proxy.refuse())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
