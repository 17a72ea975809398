"""The streaming port to a backend: what Domicile needs of an S3-compatible store, and nothing else. Pure.

Every method raises only the ``BackendError`` family of ``errors``. Writers push: one reader of the client's body can feed several
sinks at the speed of the slowest, and the last chunk can be withheld until the body has been verified, so that a bad body never
completes at a backend.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from domicile_common.model import Backend, Blob, Part, Value


def content_md5(md5: str) -> dict[str, str]:
    """The header by which most backends refuse other bytes. ``md5``: 32 hex digits, or ``""`` when it is not known."""
    return {"content-md5": b64encode(bytes.fromhex(md5)).decode()} if md5 else {}


class BlobInfo(Value, frozen=True):
    """What a HEAD or the head of a GET tells. ``etag`` without quotes; ``headers`` by lower-case name; ``size`` of the whole blob in bytes."""

    size: int
    etag: str
    headers: dict[str, str]


class Sink(Protocol):
    """One PUT or part upload in progress. ``length`` bytes must be written before ``finish``."""

    async def write(self, chunk: bytes) -> None:
        """Waits while the backend is slow (back-pressure)."""

    async def finish(self) -> str:
        """The backend has stored everything; its ETag without quotes."""

    async def abort(self) -> None:
        """Breaks off, so that nothing becomes visible at the backend unless it has got everything already. Safe at any time.

        After a ``finish`` that failed the backend may have stored the blob, or may yet.
        """


class Source(Protocol):
    """One GET in progress."""

    info: BlobInfo

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; fewer bytes than announced raise ``BackendUnavailable``."""

    async def close(self) -> None:
        """Gives the connection back, or closes it when the body was not read to its end."""


class Page(Value, frozen=True):
    """One page of a listing at a backend: ``(key, size, etag)`` rows, in the backend's own order.

    ``next``: the backend's token for the next page, to be given as ``after`` (``""`` at the end).
    """

    entries: tuple[tuple[str, int, str], ...]
    next: str


class BlobStore(Protocol):
    """One backend."""

    backend: Backend

    async def list_namespaces(self) -> tuple[str, ...]:
        """All physical buckets of these credentials."""

    async def ensure_namespace(self, namespace: str) -> None:
        """Creates the physical bucket unless it is there; remembers that it is."""

    def forget_namespace(self, namespace: str) -> None:
        """A write answered NoSuchBucket: look again next time."""

    async def delete_namespace(self, namespace: str) -> bool:
        """True when the bucket is gone (also if it was already), False while it is not empty."""

    async def open_put(self, blob: Blob, length: int, headers: Mapping[str, str]) -> Sink:
        """``headers``: content-type, the stamp's ``x-amz-meta-*``, and content-md5, other bytes than whose most backends refuse."""

    async def open_get(self, blob: Blob, start: int = 0, end: int | None = None) -> Source:
        """Bytes ``start`` to ``end`` inclusive (to the last one when ``None``)."""

    async def head(self, blob: Blob) -> BlobInfo: ...

    async def find_tags(self, blob: Blob) -> dict[str, str]: ...

    async def part_sizes(self, blob: Blob, count: int) -> tuple[int, ...]:
        """Bytes of each of the ``count`` parts it was uploaded in; none where that, or what its ETag is made of, cannot be told."""

    async def copy(self, source: Blob, target: Blob, headers: Mapping[str, str]) -> str:
        """The backend copies one of its own blobs, with other headers (as in ``open_put``); the new blob's ETag."""

    async def delete(self, blob: Blob) -> None:
        """An absent blob is no error."""

    async def create_upload(self, blob: Blob, headers: Mapping[str, str]) -> str:
        """The backend's upload id."""

    async def open_part(self, blob: Blob, upload_id: str, number: int, length: int) -> Sink: ...

    async def complete_upload(self, blob: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
        """The blob's ETag. An upload that is gone raises ``UploadNotFound`` (it may have been completed already: look with ``head``)."""

    async def abort_upload(self, blob: Blob, upload_id: str) -> None:
        """An absent upload is no error."""

    async def list_uploads(self, blob: Blob) -> tuple[str, ...]:
        """Upload ids in progress for exactly this blob key."""

    async def list_parts(self, blob: Blob, upload_id: str) -> tuple[Part, ...]:
        """What an upload in progress holds. ``etag`` is ``""`` where the store cannot tell. ``UploadNotFound`` when it is gone."""

    async def list_all_uploads(self, namespace: str) -> tuple[tuple[str, str], ...]:
        """(blob key, upload id) of all uploads in progress, as far as the backend tells without being asked for a key."""

    async def list_blobs(self, namespace: str, prefix: str = "", after: str = "") -> Page: ...

    async def close(self) -> None: ...
