"""One trace from client to the last verified copy: its ids go along everywhere, its spans go to a collector where one is named.

Traces are W3C Trace Context ``traceparent`` values (https://www.w3.org/TR/trace-context/#traceparent-header): in HTTP, in internal calls,
in PostgreSQL beside what is owed, and in AMQP headers. Log lines carry the trace id always. Spans are made only where
``OTEL_EXPORTER_OTLP_ENDPOINT`` says where to send them; everywhere else a step costs a look at one variable.

A span holds names of operations, backends and queues, ids and statuses: never a key, an object's name or a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import NamedTuple, Self

import structlog
from opentelemetry import trace as otel
from opentelemetry.context import Context as OtelContext

from domicile_common.errors import ConfigurationError

SpanKind = otel.SpanKind

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_current: ContextVar[str] = ContextVar("traceparent", default="")
_tracer: ContextVar[otel.Tracer | None] = ContextVar(
    "tracer", default=None
)  # set before the event loop, so that every task has it

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Trace(NamedTuple):
    """``trace_id``: 32 hex digits, one per client request. ``span_id``: 16 hex digits, one per step. ``flags``: 2 hex digits."""

    trace_id: str
    span_id: str
    flags: str = "01"

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    def child(self) -> Trace:
        """The next step of the same request."""
        return self._replace(span_id=os.urandom(8).hex())


def new_trace() -> Trace:
    return Trace(os.urandom(16).hex(), os.urandom(8).hex())


def parse_trace(header: str) -> Trace | None:
    """The trace in a ``traceparent`` header; ``None`` when it is malformed, which by the recommendation starts a new one."""
    match = _TRACEPARENT.fullmatch(header.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Trace(trace_id, span_id, flags)


def current_trace() -> str:
    """The ``traceparent`` of the step at hand, to be handed on; ``""`` outside of any."""
    return _current.get()


def is_exporting() -> bool:
    return _tracer.get() is not None


class Span:
    """A step of a request, as a context manager: ``trace`` is what it hands on.

    Where nothing is exported, or the request has no trace, a step is its caller's: ``trace`` is ``parent``.
    """

    __slots__ = ("_before", "_kind", "_name", "_span", "trace")

    def __init__(self, name: str, kind: SpanKind = SpanKind.INTERNAL, *, parent: str = "") -> None:
        self._name = name
        self._kind = kind
        self._span: otel.Span | None = None
        self._before: Token[str] | None = None
        self.trace = parent or _current.get()

    @property
    def trace_id(self) -> str:
        return self.trace.split("-")[1]

    def begin(self) -> Self:
        """For steps that do not end where they begin; ``end`` must follow."""
        tracer = _tracer.get()
        if tracer is not None and (parent := parse_trace(self.trace)) is not None:
            self._open(tracer, _remote(parent))
        return self

    def note(self, attributes: Mapping[str, str | int]) -> None:
        if self._span is not None:
            self._span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        """What the step turned out to be."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, why: str) -> None:
        """``why``: one word, such as the type of an error."""
        if self._span is not None:
            self._span.set_status(otel.StatusCode.ERROR, why)

    def end(self) -> None:
        if self._span is not None:
            self._span.end()
            self._span = None

    def __enter__(self) -> Self:
        self.begin()
        if self._span is not None:
            self._before = _current.set(self.trace)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.fail(kind.__name__)
        if self._before is not None:
            _current.reset(self._before)
        self.end()

    def _open(self, tracer: otel.Tracer, context: OtelContext) -> None:
        self._span = tracer.start_span(self._name, context, self._kind)
        made = self._span.get_span_context()
        self.trace = str(Trace(f"{made.trace_id:032x}", f"{made.span_id:016x}", f"{made.trace_flags:02x}"))


class Arrival(Span):
    """The first step of a process for a request or a message: goes on with the caller's trace in ``header``, or begins one.

    Until it ends, log lines of this task and its children carry the trace's id.
    """

    __slots__ = ()

    def __init__(self, name: str, kind: SpanKind, header: str = "") -> None:
        super().__init__(name, kind)
        self.trace = header  # never that of a step before it

    def begin(self) -> Self:
        tracer, parent = _tracer.get(), parse_trace(self.trace)
        if tracer is None:
            self.trace = str(parent.child() if parent else new_trace())
        else:
            self._open(tracer, _remote(parent) if parent else OtelContext())
        _current.set(self.trace)
        structlog.contextvars.bind_contextvars(trace_id=self.trace_id)
        return self


def _remote(parent: Trace) -> OtelContext:
    flags = otel.TraceFlags(int(parent.flags, 16))
    context = otel.SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)
    return otel.set_span_in_context(otel.NonRecordingSpan(context), OtelContext())


@contextmanager
def exporting(service: str) -> Iterator[None]:
    """Spans of this process go to the collector that the environment names, by OpenTelemetry's own settings; without one there are none.

    To be entered before the event loop is made; what is left is sent on leaving. Raises ``ConfigurationError``.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        yield
        return
    for name in PROTOCOLS:
        if os.environ.get(name, "http/protobuf") != "http/protobuf":
            raise ConfigurationError(f"{name} must be http/protobuf: nothing else is spoken")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - 15 MB that most do without
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME") or f"domicile-{service}"
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    before = _tracer.set(provider.get_tracer("domicile"))
    try:
        yield
    finally:
        _tracer.reset(before)
        provider.shutdown()
