"""HTTP as it arrives: the server's protocol, bounded where it is not by itself, in what somebody who is not known yet may cost."""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from domicile_proxy.s3.errors import CODES, Failure, render

MAXIMUM_HEAD = 64 * 1024
"""Bytes of a head that has not ended, beside what came with its first ones; how long a whole one may be is for S3 to say."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose head does not end, in bytes or in time, and answers what is no HTTP as S3 does.

    ``head_seconds``: from the connection, or the first byte of a further request, to the end of the head.
    """

    head_seconds = 60.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._timer: TimerHandle | None = None
        self._in_head = False
        self._begun = False  # during this call of data_received
        self._taken = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        self._begun = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and not self._begun:
            self._taken += len(data)
            if self._taken > MAXIMUM_HEAD:
                self._refuse("RequestHeaderSectionTooLarge", CODES["RequestHeaderSectionTooLarge"][1])
                return
        if self.cycle is None or self.cycle.response_complete:
            self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._begun = True
        self._taken = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse("BadRequest", "An error occurred when parsing the HTTP request.")

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, code: str, message: str) -> None:
        body = render(Failure(400, code, message, {}), "", "")
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/xml\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()
