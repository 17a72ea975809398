"""One HTTP/1.x response as bytes in and parts out, without I/O (RFC 9112)."""

from __future__ import annotations

from collections import deque

import httptools

MAX_HEAD = 64 * 1024
FINAL = 200  # lower statuses announce another response
BODYLESS = frozenset({204, 304})


class Answer:
    """Takes bytes as they arrive; ``headers`` in order, repeated ones kept, names in lower case.

    ``begun``: status and headers are there. ``complete``: so is the last byte of the body. ``buffered``: bytes in ``chunks``.
    ``keep_alive``: the connection is in step and may carry another exchange. The ``on_`` methods are called by httptools.
    """

    def __init__(self, *, bodyless: bool) -> None:
        """``bodyless``: this answers a HEAD."""
        self._bodyless = bodyless
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._head_size = 0
        self._left = -1  # bytes of the body still to come, when Content-Length tells
        self._chunked = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: deque[bytes] = deque()
        self.buffered = 0
        self.begun = False
        self.complete = False
        self.keep_alive = False

    def feed(self, data: bytes) -> None:
        """Takes bytes from the connection; ``ValueError`` when they are no HTTP response."""
        if self.begun and self._left > 0:  # only body is left: no need to parse or to copy it
            if len(data) > self._left:
                data, self.keep_alive = data[: self._left], False
            self.on_body(data)
            self.complete = not self._left
            return
        assert self._parser is not None  # nothing is fed after the end
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.keep_alive = False
            if not self.complete:
                raise ValueError(type(error).__name__) from error
        if self.complete:
            self._parser = None  # it refers back to this object
        if not self.begun:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                raise ValueError("an endless head")

    def end(self) -> bool:
        """The connection has ended. True when the body is whole, also because nothing else delimits it (RFC 9112, 6.3)."""
        if self.begun and self._left < 0 and not self._chunked:
            self.complete = True
        self.keep_alive = False
        return self.complete

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, by lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    def take(self) -> bytes:
        """The next chunk of the body."""
        chunk = self.chunks.popleft()
        self.buffered -= len(chunk)
        return chunk

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.begun:  # a trailer
            return
        name = name.lower()
        self.headers.append((name, value))
        if name == b"content-length":
            self._left = int(value)
        elif name == b"transfer-encoding":
            self._chunked = True

    def on_headers_complete(self) -> None:
        if self.begun:  # a second answer to one request
            self.keep_alive = False
            return
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        if self.status < FINAL:
            self.headers.clear()
            self._left, self._chunked = -1, False
            return
        self.begun = True
        self.keep_alive = self._parser.should_keep_alive()
        self.complete = self._bodyless or self.status in BODYLESS

    def on_body(self, chunk: bytes) -> None:
        if self.complete:  # a body where none may be
            self.keep_alive = False
            return
        if self._left > 0:
            self._left -= len(chunk)
        self.buffered += len(chunk)
        self.chunks.append(chunk)

    def on_message_complete(self) -> None:
        if self.begun:
            self.complete = True
