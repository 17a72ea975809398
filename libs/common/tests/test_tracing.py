from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import ConfigurationError
from domicile_common.tracing import Arrival, Span, SpanKind, Trace, current_trace, exporting, new_trace, parse_trace

HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_child_keeps_the_trace_and_has_a_span_of_its_own():
    parent = new_trace()
    child = parent.child()
    assert child.trace_id == parent.trace_id
    assert child.span_id != parent.span_id
    assert parse_trace(str(child)) == child


def test_a_future_version_is_read_and_answered_as_version_00():
    assert parse_trace("cc" + HEADER[2:] + "-what-the-future-holds") == Trace(HEADER[3:35], HEADER[36:52])


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        HEADER + "-more",
        "ff" + HEADER[2:],
        HEADER.upper(),
        HEADER[:-1],
        f"00-{'0' * 32}-{'b' * 16}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
    ],
)
def test_a_malformed_traceparent_starts_a_new_trace(header):
    assert parse_trace(header) is None
    with Arrival("request", SpanKind.SERVER, header) as entry:
        assert parse_trace(entry.trace)
        assert entry.trace[3:35] != HEADER[3:35]


def test_an_arrival_without_a_header_does_not_go_on_with_the_one_before():
    with Arrival("request", SpanKind.SERVER, HEADER):
        pass
    with Arrival("request", SpanKind.SERVER) as entry:
        assert entry.trace[3:35] != HEADER[3:35]


@given(st.text())
def test_any_text_is_parsed_without_an_error(header):
    parse_trace(header)


async def test_the_current_trace_belongs_to_its_task():
    async def request():
        with Arrival("request", SpanKind.SERVER) as entry:
            await asyncio.sleep(0)
            return current_trace() == entry.trace

    assert all(await asyncio.gather(*(asyncio.create_task(request()) for _ in range(5))))


def test_where_nothing_is_exported_a_step_is_its_callers():
    with Arrival("request", SpanKind.SERVER, HEADER) as entry, Span("step") as step:
        assert entry.trace[3:35] == HEADER[3:35]
        assert entry.trace != HEADER
        assert step.trace == current_trace() == entry.trace
        assert Span("step", parent=HEADER).begin().trace == HEADER


def test_a_protocol_that_is_not_spoken_stops_the_start(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_PROTOCOL"), exporting("proxy"):
        pass
