"""Backends in memory, which can be told to misbehave, and made-up versions and jobs to try on them."""
# ruff: noqa: ARG002 - the signatures are those of the port

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from domicile_common.backends.port import BlobInfo, Page
from domicile_common.checksums import ALGORITHMS, OWN, composite, encode, multipart_md5
from domicile_common.errors import BackendUnavailable, BlobMismatch, BlobNotFound, NamespaceNotFound, UploadNotFound
from domicile_common.metadata_client.models import Work
from domicile_common.model import Backend, Blob, Digest, Facts, Part, Version

VERSION_ID = "0192f0c1d2e37abc8def012345678901"
NAMESPACE = "s3gw-0011223344556677-test"
CHUNK = 7


def backend(backend_id: str, country: str = "FI", **changes: Any) -> Backend:
    values: dict[str, Any] = {
        "provider": backend_id,
        "endpoint": f"http://{backend_id}",
        "country": country,
        "jurisdictions": (country,),
        "access_key": "ak",
        "sealed_secret": "",
        "quirks": "seaweedfs",
        **changes,
    }
    return Backend(backend_id, **values)


def blob(backend_id: str) -> Blob:
    return Blob(backend_id, NAMESPACE, f"a/b/{VERSION_ID}")


def digest_of(body: bytes, part_sizes: tuple[int, ...] = (), *algorithms: str, composed: bool = False) -> Digest:
    """The record of a body, uploaded in parts of these sizes."""
    pieces, rest = [], body
    for size in part_sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    parts = tuple(Part(number, len(piece), md5(piece)) for number, piece in enumerate(pieces, 1))
    checksums = {
        name: composite(name, [hashed(name, piece) for piece in pieces]) if composed else hashed(name, body)
        for name in algorithms
    }
    return Digest(
        size=len(body),
        md5=multipart_md5(part.etag for part in parts) if parts else md5(body),
        checksums=checksums,
        checksum_type="COMPOSITE" if composed else "FULL_OBJECT",
        parts=parts,
        crc=hashed(OWN, body),
    )


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def hashed(name: str, body: bytes) -> str:
    hasher = ALGORITHMS[name].new()
    hasher.update(body)
    return encode(hasher.digest())


def version_of(digest: Digest, **facts: Any) -> Version:
    return Version("b" * 32, "a/b", VERSION_ID, datetime(2026, 1, 1, tzinfo=UTC), Facts(**facts), digest)


def work_for(digest: Digest, action: Literal["copy", "delete", "stamp"] = "copy", **changes: Any) -> Work:
    values: dict[str, Any] = {
        "target": blob("de"),
        "sources": (blob("fi"),),
        "version": version_of(digest, headers={"content-type": "text/plain"}),
        "tenant_id": "acme",
        "bucket": "photos",
        "policy_version": 3,
        **changes,
    }
    return Work(action, **values)


class MemorySink:
    def __init__(self, store: MemoryStore, length: int, keep: Callable[[bytes], str]) -> None:
        self.store = store
        self.length = length
        self.keep = keep
        self.body = b""
        self.ended = False

    async def write(self, chunk: bytes) -> None:
        assert not self.ended
        self.body += chunk
        assert len(self.body) <= self.length
        self.store.received += len(chunk)
        self.store.trip("write")

    async def finish(self) -> str:
        assert len(self.body) == self.length
        self.store.trip("finish")
        self.ended = True
        return self.keep(self.store.garble(self.body))

    async def abort(self) -> None:
        self.ended = True
        self.store.calls["sink.abort"] += 1


class MemorySource:
    def __init__(self, store: MemoryStore, body: bytes, info: BlobInfo, length: int) -> None:
        self.length = length
        self.store = store
        self.body = body
        self.info = info

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), CHUNK):
            self.store.trip("read")
            yield self.body[start : start + CHUNK]
        if len(self.body) < self.length:
            raise BackendUnavailable(self.store.backend.backend_id, "the body ended early")

    async def close(self) -> None:
        self.store.open_sources -= 1


class MemoryStore:
    """``fail``: operation → errors to raise at its next calls (``None``: let one pass). ``served``: blob → what GET answers instead.

    ``tags``, ``sizes`` (of parts): by blob key. ``garble``: what becomes of bytes on their way here, ``damage``: of those that are stored.
    ``calls`` counts operations.
    """

    def __init__(self, registered: Backend) -> None:
        self.backend = registered
        self.blobs: dict[tuple[str, str], tuple[bytes, dict[str, str], str]] = {}
        self.namespaces = {NAMESPACE}
        self.uploads: dict[str, tuple[Blob, dict[str, str], dict[int, bytes]]] = {}
        self.fail: dict[str, list[Exception | None]] = {}
        self.served: dict[str, bytes] = {}
        self.announced: dict[str, int] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.sizes: dict[str, tuple[int, ...]] = {}
        self.damage: Callable[[bytes], bytes] = bytes
        self.garble: Callable[[bytes], bytes] = bytes
        self.calls: Counter[str] = Counter()
        self.received = 0
        self.open_sources = 0

    def trip(self, operation: str) -> None:
        self.calls[operation] += 1
        if self.fail.get(operation) and (error := self.fail[operation].pop(0)):
            raise error

    def put(self, where: Blob, body: bytes, headers: Mapping[str, str] | None = None, etag: str | None = None) -> str:
        self.blobs[where.namespace, where.blob_key] = (body, dict(headers or {}), etag or md5(body))
        return etag or md5(body)

    def body(self, where: Blob) -> bytes | None:
        found = self.blobs.get((where.namespace, where.blob_key))
        return found and found[0]

    def _find(self, where: Blob) -> tuple[bytes, dict[str, str], str]:
        self._check(where.namespace)
        if (where.namespace, where.blob_key) not in self.blobs:
            raise BlobNotFound(self.backend.backend_id, "NoSuchKey")
        return self.blobs[where.namespace, where.blob_key]

    def _check(self, namespace: str) -> None:
        if namespace not in self.namespaces:
            raise NamespaceNotFound(self.backend.backend_id, "NoSuchBucket")

    async def list_namespaces(self) -> tuple[str, ...]:
        self.trip("list_namespaces")
        return tuple(sorted(self.namespaces))

    async def ensure_namespace(self, namespace: str) -> None:
        self.trip("ensure_namespace")
        self.namespaces.add(namespace)

    def forget_namespace(self, namespace: str) -> None:
        self.calls["forget_namespace"] += 1

    async def delete_namespace(self, namespace: str) -> bool:
        self.namespaces.discard(namespace)
        return True

    async def open_put(self, where: Blob, length: int, headers: Mapping[str, str]) -> MemorySink:
        self.trip("open_put")
        self._check(where.namespace)
        kept = dict(headers)
        expected = kept.pop("content-md5", "")

        def keep(body: bytes) -> str:
            if expected and b64decode(expected).hex() != md5(body):
                raise BlobMismatch(self.backend.backend_id, "BadDigest")
            return self.put(where, self.damage(body), kept)

        return MemorySink(self, length, keep)

    async def open_get(self, where: Blob, start: int = 0, end: int | None = None) -> MemorySource:
        self.trip("open_get")
        body, headers, etag = self._find(where)
        size = self.announced.get(where.blob_key, len(body))
        if start and start >= size:
            raise BlobMismatch(self.backend.backend_id, "InvalidRange")
        self.open_sources += 1
        served = self.served.get(where.blob_key, body)[start:]
        return MemorySource(self, served, BlobInfo(size, etag, headers), size - start)

    async def head(self, where: Blob) -> BlobInfo:
        self.trip("head")
        body, headers, etag = self._find(where)
        return BlobInfo(len(body), etag, headers)

    async def find_tags(self, where: Blob) -> dict[str, str]:
        self.trip("find_tags")
        self._find(where)
        return self.tags.get(where.blob_key, {})

    async def part_sizes(self, where: Blob, count: int) -> tuple[int, ...]:
        self.trip("part_sizes")
        self._find(where)
        return self.sizes.get(where.blob_key, ())

    async def copy(self, source: Blob, target: Blob, headers: Mapping[str, str]) -> str:
        self.trip("copy")
        self._check(target.namespace)
        return self.put(target, self._find(source)[0], headers)

    async def delete(self, where: Blob) -> None:
        self.trip("delete")
        self.blobs.pop((where.namespace, where.blob_key), None)

    async def create_upload(self, where: Blob, headers: Mapping[str, str]) -> str:
        self.trip("create_upload")
        self._check(where.namespace)
        upload_id = f"upload-{self.calls['create_upload']}"
        self.uploads[upload_id] = (where, dict(headers), {})
        return upload_id

    async def open_part(self, where: Blob, upload_id: str, number: int, length: int) -> MemorySink:
        self.trip("open_part")
        parts = self._upload(upload_id)[2]

        def keep(body: bytes) -> str:
            parts[number] = self.damage(body)
            return md5(parts[number])

        return MemorySink(self, length, keep)

    async def complete_upload(self, where: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
        self.trip("complete_upload")
        _, headers, stored = self._upload(upload_id)
        etag = f"{multipart_md5(part.etag for part in parts)}-{len(parts)}"
        self.put(where, b"".join(stored[part.number] for part in parts), headers, etag)
        del self.uploads[upload_id]
        self.trip("answer_complete_upload")
        return etag

    def _upload(self, upload_id: str) -> tuple[Blob, dict[str, str], dict[int, bytes]]:
        if upload_id not in self.uploads:
            raise UploadNotFound(self.backend.backend_id, "NoSuchUpload")
        return self.uploads[upload_id]

    async def abort_upload(self, where: Blob, upload_id: str) -> None:
        self.trip("abort_upload")
        self.uploads.pop(upload_id, None)

    async def list_uploads(self, where: Blob) -> tuple[str, ...]:
        self.trip("list_uploads")
        self._check(where.namespace)
        return tuple(upload_id for upload_id, (target, _, _) in self.uploads.items() if target == where)

    async def list_parts(self, where: Blob, upload_id: str) -> tuple[Part, ...]:
        self.trip("list_parts")
        return tuple(Part(number, len(body), md5(body)) for number, body in sorted(self._upload(upload_id)[2].items()))

    async def list_all_uploads(self, namespace: str) -> tuple[tuple[str, str], ...]:
        self.trip("list_uploads")
        self._check(namespace)
        return tuple((where.blob_key, name) for name, (where, _, _) in self.uploads.items() if where.namespace == namespace)

    async def list_blobs(self, namespace: str, prefix: str = "", after: str = "") -> Page:
        """Pages of two, in an order that is not that of bytes."""
        self.trip("list_blobs")
        self._check(namespace)
        found = sorted(
            ((key, len(body), etag) for (where, key), (body, _, etag) in self.blobs.items() if where == namespace), reverse=True
        )
        start = int(after or 0)
        return Page(tuple(found[start : start + 2]), str(start + 2) if start + 2 < len(found) else "")

    async def close(self) -> None:
        self.calls["close"] += 1
