from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter
from pydantic import SecretStr
from starlette.applications import Starlette

from domicile_common import telemetry
from domicile_common.model import Backend
from domicile_common.telemetry import configure_logging, health_routes, serve
from domicile_common.tracing import Arrival, SpanKind

SECRET = "wJalrXUtnFEMI/K7MDENG"
HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def logged(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def lines():
        return [json.loads(line) for line in output.getvalue().splitlines()]

    configure_logging("metadata", "debug")
    structlog.configure(cache_logger_on_first_use=False)
    yield lines
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_log_lines_are_json_with_service_level_time_and_trace(logged):
    with Arrival("request", SpanKind.SERVER, HEADER):
        structlog.get_logger().info("stored", size=3)
    (line,) = logged()
    assert (line["event"], line["service"], line["level"], line["size"]) == ("stored", "metadata", "info", 3)
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert line["timestamp"].endswith("Z")


def test_the_standard_library_logs_the_same_way(logged):
    logging.getLogger("aio_pika").warning("lost %s", "amqp://user:hunter2@broker/")
    logging.getLogger("uvicorn.error").info("chatter")
    (line,) = logged()
    assert (line["event"], line["level"]) == ("lost amqp://[redacted]@broker/", "warning")


def test_a_full_disk_costs_log_lines_and_nothing_else(monkeypatch):
    before = telemetry.LOST_LINES._value.get()
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        configure_logging("metadata")
        structlog.get_logger().info("stored", size=3)
        logging.getLogger("aio_pika").warning("lost")
        full.buffer.raw.close()
    assert telemetry.LOST_LINES._value.get() >= before + 2


@pytest.mark.parametrize(
    "fields",
    [
        {"secret_key": SECRET},
        {"headers": {"Authorization": SECRET, "X-Admin-Key": SECRET}},
        {"items": [{"password": SECRET}, {"session_token": (SECRET,)}]},
        {"setting": SecretStr(SECRET)},
        {"backend": Backend("fi", "acme", "http://s3", "FI", ("FI",), "AK", SECRET)},
        {"url": f"postgresql://domicile:{SECRET.replace('/', '')}@db/domicile"},
        {"query": f"X-Amz-Date=1&X-Amz-Signature={SECRET}&x=1"},
    ],
)
def test_secrets_are_masked_at_any_depth(logged, fields):
    structlog.get_logger().info("seen", **fields)
    (line,) = logged()
    assert SECRET not in json.dumps(line)
    assert SECRET.replace("/", "") not in json.dumps(line)


def test_names_that_only_resemble_secrets_stay_readable(logged):
    structlog.get_logger().info("seen", access_key="AK1", blob_key="a/b", key="c", password=None)
    (line,) = logged()
    assert (line["access_key"], line["blob_key"], line["key"], line["password"]) == ("AK1", "a/b", "c", None)


def test_tracebacks_hold_no_local_variables(logged):
    def fail(secret):
        raise RuntimeError("broken")

    try:
        fail(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("died")
    (line,) = logged()
    assert line["exception"][0]["exc_value"] == "broken"
    assert SECRET not in json.dumps(line)


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.binary() | st.integers() | st.none(), st.lists, max_leaves=20)))
def test_no_value_breaks_a_log_line(event):
    json.dumps(telemetry.redact(None, "info", event)).encode()


def test_lone_surrogates_are_escaped():
    assert telemetry.redact(None, "info", {"key": "a\udcff"}) == {"key": "a\\udcff"}


async def _healthy():
    return None


async def _broken():
    raise ConnectionError(SECRET)


async def _stuck():
    await asyncio.Event().wait()


def _client(checks, **more):
    registry = CollectorRegistry()
    Counter("puts", "Writes.", registry=registry).inc()
    app = Starlette(routes=health_routes(checks, timeout_seconds=0.05, registry=registry, **more))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://probe")


async def test_health_ready_and_metrics_answer():
    async with _client({"database": _healthy}) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ready", "degraded": []}
        assert (await client.get("/version")).json() == {"version": version("domicile-common"), "revision": "unknown"}
        assert "puts_total 1.0" in (await client.get("/metrics")).text


async def test_a_failed_or_stuck_dependency_is_named_but_not_why():
    async with _client({"database": _healthy, "rabbitmq": _broken, "metadata": _stuck}) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unready", "failed": ["rabbitmq", "metadata"]}


async def test_what_is_degraded_is_told_by_who_is_ready_all_the_same():
    async def weak():
        return ["outbox", "backend de"]

    for degraded, names in ((weak, ["backend de", "outbox"]), (_broken, ["unknown"]), (_stuck, ["unknown"])):
        async with _client({"database": _healthy}, degraded=degraded) as client:
            answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready", "degraded": names})


PROGRAM = """
import asyncio, sys
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from domicile_common.telemetry import run, serve

async def slow(request):
    print("begun", flush=True)
    await asyncio.sleep(0.5)
    return PlainTextResponse("whole")

app = Starlette(routes=[Route("/slow", slow)])
sys.exit(run("probe", lambda stop: serve(app, "127.0.0.1", int(sys.argv[1]), stop=stop, grace_seconds=5)))
"""


@pytest.fixture
def program():
    children = []

    def start(port):
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _wait_for(port, deadline_seconds=20):
    deadline = time.monotonic() + deadline_seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(port)


@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_request_in_flight_finish_and_ends_with_0(program, number):
    port = _free_port()
    child = program(port)
    await asyncio.to_thread(_wait_for, port)
    answer = asyncio.create_task(asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/slow")))
    assert await asyncio.to_thread(child.stdout.readline) == "begun\n"
    os.kill(child.pid, number)
    with await answer as response:
        assert response.read() == b"whole"
        assert "server" not in {name.lower() for name in response.headers}
    assert await asyncio.to_thread(child.wait, 10) == 0


@pytest.mark.servers
async def test_a_process_that_stops_gives_notice_first():
    stop, left, port = asyncio.Event(), [], _free_port()
    app = Starlette(routes=health_routes({"database": _healthy}, stop=stop))
    serving = asyncio.create_task(serve(app, "127.0.0.1", port, stop=stop, notice_seconds=1, leave=lambda: left.append(port)))
    await asyncio.to_thread(_wait_for, port)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        before = await client.get("/readyz")
        assert (before.status_code, before.headers.get("connection")) == (200, None)
        stop.set()
        for _ in range(2):  # new connections are served, too
            after = await client.get("/readyz")
            assert (after.status_code, after.headers["connection"]) == (503, "close")
            assert left == []
        await serving
        assert left == [port]
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


@pytest.mark.servers
def test_a_taken_port_is_one_clear_line_and_status_2(program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = program(port)
        output, errors = child.communicate(timeout=20)
    assert (child.returncode, output) == (2, "")
    assert errors == f"probe: the address 127.0.0.1:{port} is already in use\n"


def test_a_crash_is_logged_and_ends_with_1(logged):
    async def main(stop):
        raise RuntimeError("out of luck")

    assert telemetry.run("probe", main) == 1
    (line,) = logged()
    assert line["event"] == "died"
