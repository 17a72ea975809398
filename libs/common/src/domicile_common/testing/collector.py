"""A small OTLP receiver, for tests and for looking at traces without a trace store: ``python -m domicile_common.testing.collector 4318``.

It keeps all it gets. As a program it prints each trace as a tree, once nothing of it has come for some seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

QUIET_SECONDS: Final = 10.0  # an exporter sends every five
BAR: Final = 40  # characters


class Seen(NamedTuple):
    """A span. ``begin``, ``end``: nanoseconds since the epoch."""

    span_id: str
    parent_id: str
    service: str
    name: str
    begin: int
    end: int


class Collector(ThreadingHTTPServer):
    """``traces``: trace id → its spans by id. ``bodies``: what came, unread."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Receive)
        self.traces: dict[str, dict[str, Seen]] = {}
        self.latest: dict[str, float] = {}  # trace id → when a span came, on the monotonic clock
        self.bodies: list[bytes] = []

    def take(self, body: bytes) -> None:
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(each.value.string_value for each in resource.resource.attributes if each.key == "service.name")
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                ids = span.span_id.hex(), span.parent_span_id.hex()
                seen = Seen(
                    *ids, service.removeprefix("domicile-"), span.name, span.start_time_unix_nano, span.end_time_unix_nano
                )
                self.latest[span.trace_id.hex()] = time.monotonic()
                self.traces.setdefault(span.trace_id.hex(), {})[seen.span_id] = seen

    def paths(self, trace_id: str) -> set[str]:
        """Each span of a trace with those above it, such as ``proxy: PutObject > proxy: PUT fi``."""
        found = dict(self.traces.get(trace_id, {}))

        def path(span: Seen) -> str:
            step = f"{span.service}: {span.name}"
            return f"{path(found[span.parent_id])} > {step}" if span.parent_id in found else step

        return {path(span) for span in found.values()}

    def tree(self, trace_id: str) -> str:
        """For a person: who did what, under whom, when, and for how long."""
        found = dict(self.traces.get(trace_id, {}))
        first, last = min(span.begin for span in found.values()), max(span.end for span in found.values())
        scale = BAR / max(last - first, 1)

        def lines(parent_id: str, depth: int) -> Iterator[str]:
            children = [span for span in found.values() if (span.parent_id if span.parent_id in found else "") == parent_id]
            for span in sorted(children, key=lambda each: each.begin):
                label = f"{'  ' * depth}{span.name}"
                bar = " " * int((span.begin - first) * scale) + "█" * max(1, int((span.end - span.begin) * scale))
                yield f"{label:42} {span.service:10} {(span.begin - first) / 1e6:9.1f} {(span.end - span.begin) / 1e6:8.1f}  {bar}"
                yield from lines(span.span_id, depth + 1)

        head = f"{'trace ' + trace_id:42} {'service':10} {'begin ms':>9} {'took ms':>8}"
        return "\n".join([head, *lines("", 0)])


class _Receive(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.take(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    port = int(sys.argv[1]) if sys.argv[1:] else 4318
    host = sys.argv[2] if sys.argv[2:] else "127.0.0.1"
    with Collector(host, port) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        while True:
            time.sleep(1)
            for trace_id in [each for each, at in collector.latest.items() if time.monotonic() - at > QUIET_SECONDS]:
                print(collector.tree(trace_id), end="\n\n", flush=True)  # noqa: T201 - for a person
                del collector.latest[trace_id], collector.traces[trace_id]


if __name__ == "__main__":
    main()
