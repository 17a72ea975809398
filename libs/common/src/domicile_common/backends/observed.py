"""What is counted of requests to backends, and told to the trace that they belong to."""

from __future__ import annotations

import time
import weakref
from functools import cache
from typing import Final, Protocol

from prometheus_client import Counter, Gauge, Histogram

from domicile_common.backends.http1 import Client, Exchange, HttpError
from domicile_common.tracing import Span, SpanKind

CALLS: Final = Counter(
    "domicile_backend_calls",
    "Requests to backends, by HTTP method and by status, or how they ended without one.",
    ["backend", "method", "outcome"],
)
SECONDS: Final = Histogram(
    "domicile_backend_call_seconds",
    "From taking a connection to the head of the answer: with the body of a PUT, without that of a GET.",
    ["backend", "method"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
CONNECTIONS: Final = Gauge("domicile_backend_connections", "Connections to a backend that are open.", ["backend", "state"])

_calls = cache(CALLS.labels)  # finding a labelled child costs more than counting
_seconds = cache(SECONDS.labels)


class Call:
    """One request. ``end`` must follow; only the first one counts."""

    __slots__ = ("_backend_id", "_began", "_ended", "_span", "exchange", "method")

    exchange: Exchange

    def __init__(self, backend_id: str, method: str) -> None:
        self.method = method
        self._backend_id = backend_id
        self._began = time.perf_counter()
        self._ended = False
        self._span = Span(f"{method} {backend_id}", SpanKind.CLIENT).begin()

    def answered(self, status: int) -> None:
        self._span.note({"http.response.status_code": status})
        self._end(str(status))

    def failed(self, error: BaseException) -> None:
        """Also when its caller gave it up."""
        name = type(error).__name__ if isinstance(error, HttpError) else "aborted"
        if not self._ended:
            self._span.fail(name)
        self._end(name)

    def abort(self) -> None:
        """As ``Exchange.abort``."""
        self.exchange.abort()
        self._end("aborted")

    def _end(self, outcome: str) -> None:
        if not self._ended:
            self._ended = True
            _calls(self._backend_id, self.method, outcome).inc()
            _seconds(self._backend_id, self.method).observe(time.perf_counter() - self._began)
            self._span.note({"domicile.backend": self._backend_id})
            self._span.end()


class Pool(Protocol):
    def clients(self) -> list[Client]: ...


def show_connections(backend_id: str, pool: Pool) -> None:
    """As long as there is this pool; the newest one of a backend counts."""
    owner = weakref.ref(pool)

    def count(*, idle: bool) -> float:
        alive = owner()
        return 0 if alive is None else sum(client.idle if idle else client.busy for client in alive.clients())

    CONNECTIONS.labels(backend_id, "busy").set_function(lambda: count(idle=False))
    CONNECTIONS.labels(backend_id, "idle").set_function(lambda: count(idle=True))
