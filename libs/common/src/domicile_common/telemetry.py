"""What every service shows of itself: JSON log lines, health and metrics (traces: ``tracing``); and how it runs and stops.

Log lines go to stdout, one JSON object each. Redaction is only a last net: code that holds a secret does not log it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, MutableMapping
from importlib.metadata import version
from typing import Any, TextIO, cast

import msgspec
import structlog
import uvicorn
import uvloop
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from structlog.tracebacks import ExceptionDictTransformer
from structlog.types import Processor

from domicile_common.errors import ConfigurationError
from domicile_common.http_protocol import BoundedProtocol
from domicile_common.tracing import exporting

# --- logs ---

REDACTED = "[redacted]"
LOST_LINES = Counter("domicile_log_lines_lost", "Log lines that could not be written.")
_SECRET_NAME = re.compile(
    r"secret|passw|passphrase|token|authorization|signature|cookie|api[_-]?key|admin[_-]?key|namespace[_-]?key",
    re.IGNORECASE,
)
_SECRET_TEXT = (
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^/@\s]+@", re.IGNORECASE), rf"\1{REDACTED}@"),  # the user part of a URL
    (re.compile(r"((?:signature|security-token)=)[^&\s,\"']+", re.IGNORECASE), rf"\1{REDACTED}"),  # SigV4 in a header or a query
)


def _clean(value: Any) -> Any:
    """``value`` without what looks like a secret, and without lone surrogates, which JSON cannot carry."""
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_clean(key): REDACTED if _SECRET_NAME.search(key) and item else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """A structlog processor: values become plain JSON types, and those named or shaped like secrets are masked."""
    cleaned: dict[str, Any] = _clean(msgspec.to_builtins(dict(event), str_keys=True, enc_hook=str))
    return cleaned


class _Output:
    """A stream of log lines. One that cannot be written, because a disk is full or nobody reads, is lost; the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            LOST_LINES.inc()


def configure_logging(service: str, level: str = "info") -> None:
    """Sends structlog's and the standard library's log lines to stdout as JSON; local variables never appear in tracebacks."""

    def add_service(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    output = cast("TextIO", _Output(sys.stdout))
    start: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
    ]
    end: list[Processor] = [
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=20)),
        redact,
        structlog.processors.JSONRenderer(serializer=lambda value, **_: msgspec.json.encode(value).decode()),
    ]
    structlog.configure(
        processors=[*start, *end],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=False,  # so that another level holds for every logger at once
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end], foreign_pre_chain=start
        )
    )
    logging.basicConfig(level=max(logging.getLevelName(level.upper()), logging.WARNING), handlers=[handler], force=True)


# --- health ---

Check = Callable[[], Awaitable[None]]
VERSION = version("domicile-common")  # all parts of a release have the same


async def _nothing() -> Iterable[str]:
    return ()


def health_routes(
    checks: Mapping[str, Check],
    *,
    degraded: Callable[[], Awaitable[Iterable[str]]] = _nothing,
    stop: asyncio.Event | None = None,
    timeout_seconds: float = 2.0,
    registry: CollectorRegistry = REGISTRY,
) -> list[BaseRoute]:
    """``/healthz`` (this process answers), ``/readyz`` (each check returns without an error in time), ``/metrics`` (Prometheus), ``/version``.

    ``degraded``: the names of what does not work as it should, without which requests are served all the same; a ready process tells them. A
    process that was told to ``stop`` is not ready.
    """

    async def failure(name: str, check: Check) -> str | None:
        try:
            async with asyncio.timeout(timeout_seconds):
                await check()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the answer is "not ready"
            structlog.get_logger().warning("not ready", check=name, error=repr(error))
            return name
        return None

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        if stop is not None and stop.is_set():
            return JSONResponse({"status": "stopping", "failed": ["stopping"]}, 503)
        failed = [name for name in await asyncio.gather(*(failure(*item) for item in checks.items())) if name]
        if failed:
            return JSONResponse({"status": "unready", "failed": failed}, 503)
        return JSONResponse({"status": "ready", "degraded": sorted(await _weak(degraded, timeout_seconds))})

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    routes = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/version": _tell_version}
    return [Route(path, endpoint) for path, endpoint in routes.items()]


async def _weak(degraded: Callable[[], Awaitable[Iterable[str]]], seconds: float) -> Iterable[str]:
    try:
        async with asyncio.timeout(seconds):
            return await degraded()
    except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody can tell
        structlog.get_logger().warning("cannot tell what is degraded", error=repr(error))
        return ["unknown"]


async def _tell_version(_request: Request) -> Response:
    return JSONResponse({"version": VERSION, "revision": os.environ.get("DOMICILE_REVISION", "unknown")})


# --- running and stopping ---

CONFIGURATION_EXIT = 2
_INTERRUPTED_EXIT = 130


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """``run`` owns the signals, because a process may serve several ports and do other work beside them."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = "is already in use" if error.errno == errno.EADDRINUSE else f"cannot be listened on: {error.strerror}"
        raise ConfigurationError(f"the address {host}:{port} {reason}") from None


async def serve(
    app: Any,
    host: str,
    port: int,
    *,
    stop: asyncio.Event,
    notice_seconds: float = 0,
    grace_seconds: int = 30,
    leave: Callable[[], None] = lambda: None,
    protocol: type[BoundedProtocol] = BoundedProtocol,
    maximum_connections: int = BoundedProtocol.maximum_connections,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serves an ASGI application until ``stop`` is set; then, for ``notice_seconds``, it goes on but asks clients to connect elsewhere.

    After that it refuses new connections, calls ``leave`` and lets requests in flight finish for ``grace_seconds``. So whoever balances
    requests over several processes has time to notice, and a client finds no connection closed that it is about to use.

    ``protocol``: what reads HTTP. Connections beyond ``maximum_connections`` are told to come again. ``tls``: with it, nothing else is spoken.

    Raises ``ConfigurationError`` when the address cannot be listened on.
    """
    server = _Server(
        uvicorn.Config(
            _asking_to_leave(app, stop),
            http=type(protocol.__name__, (protocol,), {"maximum_connections": maximum_connections}),
            ssl_context_factory=(lambda *_: tls) if tls else None,
            ws="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # addresses and schemes that a client claims are not believed
            timeout_keep_alive=75,  # longer than the idle timeout of common load balancers, so that they close first
            timeout_graceful_shutdown=grace_seconds,
        )
    )

    async def end() -> None:
        await stop.wait()
        await asyncio.sleep(notice_seconds)
        leave()
        server.should_exit = True

    with contextlib.closing(_listen(host, port)) as listening:
        ending = asyncio.create_task(end())
        try:
            await server.serve(sockets=[listening])
        finally:
            ending.cancel()


def _asking_to_leave(app: Any, stop: asyncio.Event) -> Any:
    """``app``, whose answers say ``Connection: close`` once ``stop`` is set."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        async def answer(message: MutableMapping[str, Any]) -> None:
            if stop.is_set() and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await app(scope, receive, answer)

    return serve


async def _until_signal(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    task = asyncio.ensure_future(main(stop))

    def on_signal() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    await task


def run(service: str, main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> int:
    """Runs a service on uvloop and returns its exit status.

    SIGTERM or SIGINT sets the event that ``main`` is given; a second one cancels ``main``. Status 2 with one line on stderr means that
    the operator must change a setting; 1 that the service died, with the reason in the log.
    """
    status = 0
    try:
        with exporting(service), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signal(main))
    except* ConfigurationError as faults:
        for fault in _leaves(faults):
            print(f"{service}: {fault}", file=sys.stderr)  # noqa: T201 - for the person who started it, perhaps before logging is set up
        status = CONFIGURATION_EXIT
    except* asyncio.CancelledError:
        status = _INTERRUPTED_EXIT
    except* Exception:  # noqa: BLE001 - the last handler of the process: it logs and ends with a status
        structlog.get_logger().exception("died")
        status = 1
    return status


def _leaves(group: BaseExceptionGroup[ConfigurationError]) -> Iterator[ConfigurationError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
