"""Checksums of S3 by name: incremental, of parts, as headers show them. Pure.

Names are the algorithm's in lower case, as in ``x-amz-checksum-<name>``. On the wire a checksum is the base64 of its big-endian bytes.
Source: "Checking object integrity" of the Amazon S3 user guide.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Protocol

import msgspec
from awscrt import checksums as crt

from domicile_common.errors import RequestError

DEFAULT = "crc64nvme"
"""What S3 computes when the client names no checksum; it costs 20 ns per KiB here."""


OWN = "crc64nvme"
"""What every body is hashed with beside what its client chose: reading is checked with it."""


class Hasher(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes:
        """Of everything so far; big-endian."""


class _Crc:
    def __init__(self, step: Callable[[bytes, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    def __init__(self, new: Callable[[], crt.XXHash]) -> None:
        self._state = new()
        self.update = self._state.update

    def digest(self) -> bytes:
        digest: bytes = self._state.finalize()
        return digest


class Algorithm(msgspec.Struct, frozen=True):
    """``size``: bytes of the digest. ``join``: the CRC of two byte strings from their CRCs and the length of the second."""

    new: Callable[[], Hasher]
    size: int
    join: Callable[[int, int, int], int] | None = None


ALGORITHMS = {
    "crc32": Algorithm(partial(_Crc, zlib.crc32, 4), 4, crt.combine_crc32),
    "crc32c": Algorithm(partial(_Crc, crt.crc32c, 4), 4, crt.combine_crc32c),
    "crc64nvme": Algorithm(partial(_Crc, crt.crc64nvme, 8), 8, crt.combine_crc64nvme),
    "sha1": Algorithm(partial(hashlib.sha1, usedforsecurity=False), 20),
    "sha256": Algorithm(hashlib.sha256, 32),
    "sha512": Algorithm(hashlib.sha512, 64),
    "md5": Algorithm(partial(hashlib.md5, usedforsecurity=False), 16),
    "xxhash64": Algorithm(partial(_XxHash, crt.XXHash.new_xxhash64), 8),
    "xxhash3": Algorithm(partial(_XxHash, crt.XXHash.new_xxhash3_64), 8),
    "xxhash128": Algorithm(partial(_XxHash, crt.XXHash.new_xxhash3_128), 16),
}


class BodyHasher:
    """Several digests of one body in one pass. Every algorithm releases the GIL for chunks above a few KiB."""

    def __init__(self, names: Iterable[str]) -> None:
        self._hashers = {name: ALGORITHMS[name].new() for name in names}
        self._updates = [hasher.update for hasher in self._hashers.values()]

    def update(self, data: bytes) -> None:
        for update in self._updates:
            update(data)

    def digest(self, name: str) -> bytes:
        return self._hashers[name].digest()


def encode(digest: bytes) -> str:
    return b64encode(digest).decode("ascii")


def decode(text: str, size: int) -> bytes | None:
    """The digest of ``size`` bytes that ``encode`` writes as ``text``, or ``None``; other spellings of base64 are not taken."""
    try:
        digest = b64decode(text, validate=True)
    except ValueError:
        return None
    return digest if len(digest) == size and encode(digest) == text else None


def parse_content_md5(text: str) -> bytes:
    """The value of Content-MD5. Errors: ``InvalidDigest``."""
    digest = decode(text, 16)
    if digest is None:
        raise RequestError("InvalidDigest", "The Content-MD5 you specified was invalid.")
    return digest


def parse_checksum(name: str, text: str) -> bytes:
    """The value of ``x-amz-checksum-<name>``, header or trailer. Errors: ``InvalidRequest``."""
    digest = decode(text, ALGORITHMS[name].size)
    if digest is None:
        raise RequestError("InvalidRequest", f"Value for x-amz-checksum-{name} header is invalid.")
    return digest


def composite(name: str, parts: Iterable[str]) -> str:
    """``<checksum of the parts' binary checksums>-<parts>`` from the parts' base64 checksums in order."""
    digests = [b64decode(part) for part in parts]
    hasher = ALGORITHMS[name].new()
    hasher.update(b"".join(digests))
    return f"{encode(hasher.digest())}-{len(digests)}"


def full_object(name: str, parts: Iterable[tuple[str, int]]) -> str:
    """The CRC of the whole from the parts' base64 CRCs and sizes in bytes, in order; no byte is read again.

    Errors: ``InvalidRequest`` for an algorithm that cannot be joined, with S3's text.
    """
    algorithm = ALGORITHMS[name]
    join = algorithm.join
    if join is None:
        raise RequestError("InvalidRequest", f"The FULL_OBJECT checksum type cannot be used with the {name} checksum algorithm.")
    values = [(int.from_bytes(b64decode(text), "big"), size) for text, size in parts]
    whole = reduce(lambda left, right: join(left, right[0], right[1]), values, 0)
    return encode(whole.to_bytes(algorithm.size, "big"))


def multipart_md5(parts: Iterable[str]) -> str:
    """The MD5 over the parts' binary MD5s, all as 32 hex digits; the ETag is this, ``-`` and the number of parts."""
    return hashlib.md5(b"".join(bytes.fromhex(part) for part in parts), usedforsecurity=False).hexdigest()
