"""HTTP at every service: uvicorn's protocol, with fewer packets and copies, and bounded in what somebody who is not known yet may cost."""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAXIMUM_HEAD = 64 * 1024
"""Bytes of a head that has not ended, beside what came with its first ones; how long a whole one may be is for the application to say."""
MAXIMUM_HEADERS = 256


class _Joining:
    """A transport on which the head of an answer leaves with the first bytes of its body: one call of the kernel, and one packet, instead of two.

    uvicorn writes them one after the other, and uvloop sends at once what it is given. A head that nothing follows leaves in the loop's next turn.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.abort, self.is_closing, self.get_extra_info = transport.abort, transport.is_closing, transport.get_extra_info
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(b"HTTP/"):  # a body that begins so is only late by a turn
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head and not self.is_closing():
            self.write(b"")


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection that is one too many, whose head does not end, in bytes or in time, whose body hardly comes, or that takes no answer.

    ``head_seconds``: from the connection, or the first byte of a further request, to the end of the head. In every ``body_seconds`` in
    which a body is waited for, ``body_bytes`` of it must come: 500 a second, as Apache has it
    (https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html). Time in which we did not read ourselves does not count.
    ``answer_seconds``: how long an answer may wait for a client that takes none of it; ``None``: the
    application sees to that.
    """

    head_seconds: ClassVar = 60.0
    body_seconds: ClassVar = 30.0
    body_bytes: ClassVar = 15_000
    answer_seconds: ClassVar[float | None] = 60.0
    maximum_connections: ClassVar = 8192

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._timer: TimerHandle | None = None  # of the head
        self._in_head = False
        self._begun = False  # during this call of data_received
        self._taken = 0
        self._watch: TimerHandle | None = None  # of the body
        self._in_body = False
        self._came = 0  # bytes of the body, since the watch began
        self._giving_up: TimerHandle | None = None  # the client
        self._held = False  # reading was paused at some time since then

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joining(transport, self.loop))  # type: ignore[arg-type] # all of a transport that uvicorn asks for
        if len(self.connections) > self.maximum_connections:
            self._refuse(503, "SlowDown", "Please reduce your request rate: there are too many connections.")
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()
        self._stop_watching()
        self._stop_giving_up()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.answer_seconds is not None:
            self._giving_up = self.loop.call_later(self.answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_giving_up()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        self._begun = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and not self._begun:
            self._taken += len(data)
            if self._taken > MAXIMUM_HEAD:
                self._refuse_head()
                return
        if self._in_body:
            self._came += len(data)
            self._held = self._held or self._we_wait()
            if self._watch is None:
                self._watch_body()
        if self.cycle is None or self.cycle.response_complete:
            self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._begun = True
        self._taken = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        if len(self.headers) > MAXIMUM_HEADERS:
            self._refuse_head()
            return
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._stop_watching()
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            _spare_copies(self.cycle)
            super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(400, "BadRequest", "An error occurred when parsing the HTTP request.")

    def document(self, status: int, code: str, message: str) -> tuple[str, bytes]:
        """The content type and the body of a refusal."""
        del status
        return "application/json", msgspec.json.encode({"error": {"code": code, "message": message}})

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch_body(self) -> None:
        self._came = 0
        self._held = self._we_wait()
        self._watch = self.loop.call_later(self.body_seconds, self._look_at_body)

    def _look_at_body(self) -> None:
        if self._came >= self.body_bytes or self._held or self._we_wait():
            self._watch_body()
        elif self.cycle.response_started:
            self.transport.close()
        else:
            self._refuse(
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period.",
            )

    def _we_wait(self) -> bool:
        """It is not the client that keeps the body back."""
        return self.flow.read_paused or self.cycle.waiting_for_100_continue

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _stop_giving_up(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def _refuse_head(self) -> None:
        self._refuse(400, "RequestHeaderSectionTooLarge", "Your request header section exceeds the maximum allowed size.")

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._stop_waiting()
        self._stop_watching()
        kind, body = self.document(status, code, message)
        reason = "Service Unavailable\r\nretry-after: 1" if status == 503 else "Bad Request"  # noqa: PLR2004 - HTTP's own
        head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()


def _spare_copies(cycle: RequestResponseCycle) -> None:
    """The first piece of a body is left as it is until it is read, and mostly it is the only one: uvicorn's bytearray would copy it twice."""
    if not cycle.body:
        cycle.body = b""  # type: ignore[assignment] # adding a piece to this gives the piece itself
    elif isinstance(cycle.body, bytes):  # many small pieces must not be copied each time that one is added
        cycle.body = bytearray(cycle.body)
