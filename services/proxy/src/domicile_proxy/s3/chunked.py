r"""Bodies in S3's own chunked encoding (aws-chunked): a decoder that is fed what arrives. Pure.

Three forms: signed chunks, signed chunks with signed trailers, and unsigned chunks with trailers::

    <hex size>[;chunk-signature=<64 hex digits>]\r\n<payload>\r\n      repeated; every chunk but the last has at least 8 KiB
    0[;chunk-signature=<64 hex digits>]\r\n
    [<name>:<value>\r\n [x-amz-trailer-signature:<64 hex digits>\r\n]]
    \r\n

Source: "Transferring Payload in Multiple Chunks" and "Including Trailing Headers" of the Amazon S3 API reference. The reference ends the
line of a trailer with ``\n\r\n`` and the SDKs end it with ``\r\n``; minio-go follows the reference, so both are read.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Collection
from hashlib import sha256

from domicile_common.errors import RequestError
from domicile_common.sigv4.canonical import EMPTY_SHA256
from domicile_common.sigv4.streaming import ChunkChain

MIN_CHUNK = 8192
MAX_LINE = 256
"""Bytes; the longest line that is allowed has 121: the trailer of a SHA-512."""

_SIGNED = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})\r\n").fullmatch
_UNSIGNED = re.compile(rb"([0-9a-fA-F]{1,16})()\r\n").fullmatch
_TRAILER = re.compile(rb"([!#-9;-~]+):[ \t]*([!-~]+)[ \t]*(\r?\n)").fullmatch
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class ChunkedDecoder:
    """Turns wire bytes into payload bytes, however they were split; holds no more than one line.

    Payload is handed out as it comes. In the signed forms a chunk's signature can only be checked when its last byte has been seen: whoever
    passes the payload on must withhold the last piece until ``finish`` returns.

    Args:
        length: x-amz-decoded-content-length, bytes.
        chain: the chunks' signatures, or ``None`` for unsigned chunks.
        trailers: the lower-case names announced by x-amz-trailer, or ``None`` for the form that has no trailers.

    All errors are ``RequestError``: ``SignatureDoesNotMatch``, ``IncompleteBody``, ``InvalidChunkSizeError``, ``MalformedTrailerError``.
    After an error the decoder must not be fed again.
    """

    def __init__(self, length: int, chain: ChunkChain | None, trailers: Collection[str] | None) -> None:
        self.trailers: dict[str, str] = {}
        self._chain = chain
        self._announced = trailers
        self._left = length
        self._left_in_chunk = 0
        self._chunks = 0
        self._size = MIN_CHUNK
        self._hash = sha256()
        self._signature = b""
        self._signed_trailers = sha256()
        self._partial = b""
        self._on_line: Callable[[bytes], None] = self._chunk_begins

    def feed(self, data: bytes) -> list[bytes]:
        """The payload in ``data``, in pieces that are not empty."""
        if self._partial:
            data, self._partial = self._partial + data, b""
        payload = []
        at = 0
        while at < len(data):
            if self._left_in_chunk:
                piece = data[at : at + self._left_in_chunk]
                at += len(piece)
                self._payload(piece)
                payload.append(piece)
            else:
                end = data.find(b"\n", at, at + MAX_LINE) + 1
                if not end:
                    self._partial = data[at:]
                    break
                self._on_line(data[at:end])
                at = end
        if len(self._partial) >= MAX_LINE:
            raise _incomplete()
        return payload

    def finish(self) -> None:
        """The wire has no more bytes; returns when the body was complete and everything signed was right."""
        if self._partial or self._on_line != self._after_end:
            raise _incomplete()

    def _chunk_begins(self, line: bytes) -> None:
        match = (_SIGNED if self._chain else _UNSIGNED)(line)
        if match is None:
            raise _incomplete()
        self._chunks += 1
        size = int(match[1], 16)
        self._signature = match[2]
        if size == 0:
            self._last_chunk()
            return
        if self._size < MIN_CHUNK:
            raise RequestError(
                "InvalidChunkSizeError",
                f"Only the last chunk is allowed to have a size less than {MIN_CHUNK} bytes",
                {"Chunk": str(self._chunks), "BadChunkSize": str(self._size)},
            )
        if size > self._left:
            raise _incomplete()
        self._size = self._left_in_chunk = size
        self._left -= size
        self._hash = sha256()

    def _payload(self, piece: bytes) -> None:
        self._left_in_chunk -= len(piece)
        if self._chain is not None:
            self._hash.update(piece)
        if not self._left_in_chunk:
            if self._chain is not None:
                _compare(self._chain.chunk(self._hash.hexdigest()), self._signature)
            self._on_line = self._chunk_ends

    def _chunk_ends(self, line: bytes) -> None:
        _expect_blank(line)
        self._on_line = self._chunk_begins

    def _last_chunk(self) -> None:
        if self._left:
            raise _incomplete()
        if self._chain is not None:
            _compare(self._chain.chunk(EMPTY_SHA256), self._signature)
        self._on_line = self._body_ends if self._announced is None else self._trailer

    def _trailer(self, line: bytes) -> None:
        """One trailer; the signature is the last one and signs the others, unsigned trailers end with a blank line."""
        if line == b"\r\n" and self._chain is None:
            self._check_announced()
            self._on_line = self._after_end
            return
        match = _TRAILER(line)
        if match is None:
            raise _malformed_trailer()
        name, value = match[1].decode("ascii").lower(), match[2].decode("ascii")
        if name == _TRAILER_SIGNATURE and self._chain is not None:
            self._check_announced()
            _compare(self._chain.trailer(self._signed_trailers.hexdigest()), match[2])
            self._on_line = self._body_ends
            return
        if name not in (self._announced or ()) or name in self.trailers:
            raise _malformed_trailer()
        self.trailers[name] = value
        self._signed_trailers.update(f"{name}:{value}\n".encode())
        if match[3] == b"\n":
            self._on_line = self._trailer_ends

    def _trailer_ends(self, line: bytes) -> None:
        _expect_blank(line)
        self._on_line = self._trailer

    def _check_announced(self) -> None:
        if len(self.trailers) != len(self._announced or ()):
            raise _malformed_trailer()

    def _body_ends(self, line: bytes) -> None:
        _expect_blank(line)
        self._on_line = self._after_end

    def _after_end(self, line: bytes) -> None:
        """Bytes after the end of the body."""
        del line
        raise _incomplete()


def _compare(expected: str, given: bytes) -> None:
    if not hmac.compare_digest(expected.encode(), given):
        raise RequestError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        )


def _expect_blank(line: bytes) -> None:
    if line != b"\r\n":
        raise _incomplete()


def _incomplete() -> RequestError:
    """S3's answer to whatever is wrong with the framing."""
    return RequestError("IncompleteBody", "The request body terminated unexpectedly")


def _malformed_trailer() -> RequestError:
    return RequestError(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
