"""The port on any S3-compatible provider (Amazon S3 API reference), over ``http1`` with our own signatures.

Bodies are sent as ``UNSIGNED-PAYLOAD``, in one piece and without trailers, which every provider takes; whoever wrote them compares the
bytes in the end.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

from domicile_common.backends import documents
from domicile_common.backends.http1 import EarlyAnswer, HttpError, Response
from domicile_common.backends.observed import Call
from domicile_common.backends.port import BlobInfo, Page, Sink, Source
from domicile_common.backends.quirks import quirks_of
from domicile_common.backends.wire import Wire
from domicile_common.errors import BackendUnavailable, BlobMismatch, UploadNotFound
from domicile_common.model import Backend, Blob, Part
from domicile_common.sigv4.canonical import UNSIGNED_PAYLOAD, encode

PAGE_KEYS = 1000
PARTS_AT_ONCE = 16
COMPLETE_SECONDS = 300.0  # assembling many parts may take minutes
COPY_SECONDS = 300.0  # and so may copying 5 GiB
NO_LOCATION = "us-east-1"

_DONE = (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
_CONTENT_RANGE = re.compile(rb"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})").fullmatch


class S3BlobStore:
    """A ``BlobStore``."""

    def __init__(self, backend: Backend, wire: Wire) -> None:
        self.backend = backend
        self._wire = wire
        self._present: set[str] = set()  # namespaces known to be there
        self._creating: dict[str, asyncio.Lock] = {}

    @property
    def wire(self) -> Wire:
        """For what is no part of the port: probing what kind of backend it is."""
        return self._wire

    async def list_namespaces(self) -> tuple[str, ...]:
        return self._wire.parsed(await self._wire.ask("GET", ""), documents.namespaces)

    async def ensure_namespace(self, namespace: str) -> None:
        if namespace in self._present:
            return
        async with self._creating.setdefault(namespace, asyncio.Lock()):
            try:
                if namespace not in self._present:
                    await self._create_namespace(namespace)
                    self._present.add(namespace)
            finally:
                self._creating.pop(namespace, None)

    def forget_namespace(self, namespace: str) -> None:
        self._present.discard(namespace)

    async def delete_namespace(self, namespace: str) -> bool:
        self.forget_namespace(namespace)
        reply = await self._wire.ask("DELETE", namespace)
        if reply.status in _DONE or reply.code == "NoSuchBucket":
            return True
        if reply.code == "BucketNotEmpty":
            return False
        raise self._wire.problem(reply)

    async def open_put(self, blob: Blob, length: int, headers: Mapping[str, str]) -> Sink:
        return await self._open_sink(blob, None, headers, length)

    async def open_get(self, blob: Blob, start: int = 0, end: int | None = None) -> Source:
        headers = {} if start == 0 and end is None else {"range": f"bytes={start}-{'' if end is None else end}"}
        response = await self._wire.response(await self._wire.open("GET", blob.namespace, blob.blob_key, headers=headers))
        if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise self._wire.problem(await self._wire.reply("GET", response))
        try:
            size = _whole_size(response, start, end)
        except ValueError as error:
            response.close()
            raise BackendUnavailable(self.backend.backend_id, f"GET: {error}") from None
        return S3Source(self._wire, response, _info(response, size))

    async def head(self, blob: Blob) -> BlobInfo:
        return await self._head(blob, {})

    async def find_tags(self, blob: Blob) -> dict[str, str]:
        reply = await self._wire.ask("GET", blob.namespace, blob.blob_key, {"tagging": ""})
        return self._wire.parsed(reply, documents.tags)

    async def part_sizes(self, blob: Blob, count: int) -> tuple[int, ...]:
        sizes: list[int] = []
        for start in range(1, count + 1, PARTS_AT_ONCE):
            numbers = range(start, min(start + PARTS_AT_ONCE, count + 1))
            infos = await asyncio.gather(*(self._head(blob, {"partNumber": str(number)}) for number in numbers))
            if any(info.headers.get("x-amz-mp-parts-count") != str(count) or _hides_md5(info) for info in infos):
                return ()
            sizes += [info.size for info in infos]
        return tuple(sizes)

    async def _head(self, blob: Blob, query: Mapping[str, str]) -> BlobInfo:
        """Of a part, ``size`` is the part's."""
        response = await self._wire.response(await self._wire.open("HEAD", blob.namespace, blob.blob_key, query))
        reply = await self._wire.reply("HEAD", response)
        length = response.header(b"content-length")
        if response.status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT) and length is not None:
            return _info(response, int(length))
        if response.status == HTTPStatus.NOT_FOUND:  # a HEAD has no body to tell what is absent: a GET says why it fails
            source = await self.open_get(blob, 0, 0)
            await source.close()
        raise self._wire.problem(reply)

    async def copy(self, source: Blob, target: Blob, headers: Mapping[str, str]) -> str:
        path = encode(f"{source.namespace}/{source.blob_key}".encode(), "/")
        sent = {**headers, "x-amz-copy-source": path, "x-amz-metadata-directive": "REPLACE"}
        reply = await self._wire.ask("PUT", target.namespace, target.blob_key, headers=sent, patience=COPY_SECONDS)
        return self._wire.parsed(reply, documents.copied_etag)

    async def delete(self, blob: Blob) -> None:
        reply = await self._wire.ask("DELETE", blob.namespace, blob.blob_key)
        if reply.status not in _DONE and reply.code not in ("NoSuchKey", "NoSuchBucket"):
            raise self._wire.problem(reply)

    async def create_upload(self, blob: Blob, headers: Mapping[str, str]) -> str:
        reply = await self._wire.ask("POST", blob.namespace, blob.blob_key, {"uploads": ""}, headers)
        return self._wire.parsed(reply, documents.upload_id)

    async def open_part(self, blob: Blob, upload_id: str, number: int, length: int) -> Sink:
        return await self._open_sink(blob, {"partNumber": str(number), "uploadId": upload_id}, None, length)

    async def complete_upload(self, blob: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
        body = documents.complete_request(parts)
        query = {"uploadId": upload_id}
        reply = await self._wire.ask("POST", blob.namespace, blob.blob_key, query, body=body, patience=COMPLETE_SECONDS)
        if (
            reply.code == "InternalError"
            and quirks_of(self.backend).vague_completion
            and upload_id not in await self.list_uploads(blob)
        ):
            raise UploadNotFound(self.backend.backend_id, "POST: InternalError, and there is no such upload")
        return self._wire.parsed(reply, documents.completed_etag) or (await self.head(blob)).etag

    async def abort_upload(self, blob: Blob, upload_id: str) -> None:
        reply = await self._wire.ask("DELETE", blob.namespace, blob.blob_key, {"uploadId": upload_id})
        if reply.status not in _DONE and reply.code not in ("NoSuchUpload", "NoSuchKey", "NoSuchBucket"):
            raise self._wire.problem(reply)

    async def list_uploads(self, blob: Blob) -> tuple[str, ...]:
        return tuple(upload_id for key, upload_id in await self._uploads(blob.namespace, blob.blob_key) if key == blob.blob_key)

    async def list_all_uploads(self, namespace: str) -> tuple[tuple[str, str], ...]:
        return tuple(await self._uploads(namespace, "")) if quirks_of(self.backend).multipart else ()

    async def _uploads(self, namespace: str, prefix: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        marker: dict[str, str] | None = {}
        while marker is not None:
            query = {"uploads": "", "prefix": prefix, **marker}  # a blob key needs no encoding to be carried by XML
            page = self._wire.parsed(await self._wire.ask("GET", namespace, query=query), documents.uploads)
            found += page.uploads
            if page.next == marker:
                raise BackendUnavailable(self.backend.backend_id, "GET: a page of uploads that leads to itself")
            marker = page.next
        return found

    async def list_parts(self, blob: Blob, upload_id: str) -> tuple[Part, ...]:
        found: list[Part] = []
        marker: dict[str, str] | None = {}
        while marker is not None:
            reply = await self._wire.ask("GET", blob.namespace, blob.blob_key, {"uploadId": upload_id, **marker})
            page = self._wire.parsed(reply, documents.parts)
            found += page.parts
            if page.next == marker:
                raise BackendUnavailable(self.backend.backend_id, "GET: a page of parts that leads to itself")
            marker = page.next
        return tuple(found)

    async def list_blobs(self, namespace: str, prefix: str = "", after: str = "") -> Page:
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": str(PAGE_KEYS)}
        if after:
            query["continuation-token"] = after
        return self._wire.parsed(await self._wire.ask("GET", namespace, query=query), documents.page)

    async def close(self) -> None:
        """Requests in progress end normally."""
        await self._wire.close()

    async def _create_namespace(self, namespace: str) -> None:
        quirks = quirks_of(self.backend)
        body = (
            documents.location_request(self.backend.region)
            if quirks.needs_location and self.backend.region != NO_LOCATION
            else b""
        )
        reply = await self._wire.ask("PUT", namespace, body=body)
        own = reply.code == "BucketAlreadyOwnedByYou" or (quirks.own_bucket_exists and reply.code == "BucketAlreadyExists")
        if reply.status != HTTPStatus.OK and not own:
            raise self._wire.problem(reply)

    async def _open_sink(
        self, blob: Blob, query: Mapping[str, str] | None, headers: Mapping[str, str] | None, length: int
    ) -> Sink:
        call = await self._wire.open(
            "PUT", blob.namespace, blob.blob_key, query, headers, payload=UNSIGNED_PAYLOAD, length=length
        )
        return S3Sink(self.backend.backend_id, self._wire, call, length)


class S3Sink:
    """A ``Sink``. Nothing is sent before the first byte or ``finish``, so an empty blob can be withheld too."""

    def __init__(self, backend_id: str, wire: Wire, call: Call, length: int) -> None:
        self._backend_id = backend_id
        self._wire = wire
        self._call = call
        self._left = length

    async def write(self, chunk: bytes) -> None:
        if not chunk:
            return
        self._left -= len(chunk)
        if self._left < 0:
            raise self._wrong_length()
        try:
            with self._wire.watching(self._call):
                await self._call.exchange.write(chunk)
        except EarlyAnswer:
            response = await self._wire.response(self._call)
            raise self._wire.problem(await self._wire.reply("PUT", response)) from None

    async def finish(self) -> str:
        if self._left:
            raise self._wrong_length()
        response = await self._wire.response(self._call)
        etag = response.header(b"etag")
        reply = await self._wire.reply("PUT", response)
        if reply.status != HTTPStatus.OK or etag is None:
            raise self._wire.problem(reply)
        return documents.bare_etag(etag.decode("latin-1"))

    async def abort(self) -> None:
        self._call.abort()

    def _wrong_length(self) -> BlobMismatch:
        self._call.abort()
        return BlobMismatch(self._backend_id, f"PUT: the length announced is off by {-self._left} bytes")


class S3Source:
    """A ``Source``."""

    def __init__(self, wire: Wire, response: Response, info: BlobInfo) -> None:
        self.info = info
        self._wire = wire
        self._response = response

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response:
                yield chunk
        except HttpError as error:
            raise self._wire.unavailable("GET", error) from error

    async def close(self) -> None:
        self._response.close()


def _info(response: Response, size: int) -> BlobInfo:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
    return BlobInfo(size=size, etag=documents.bare_etag(headers.get("etag", "")), headers=headers)


def _hides_md5(info: BlobInfo) -> bool:
    """With keys of a key management service, S3's ETags are no MD5s: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html."""
    return info.headers.get("x-amz-server-side-encryption", "AES256") != "AES256"


def _whole_size(response: Response, start: int, end: int | None) -> int:
    """Bytes of the whole blob; ``ValueError`` unless the body is exactly what was asked for."""
    length = response.header(b"content-length")
    if length is None:
        raise ValueError("no Content-Length")
    if match := _CONTENT_RANGE(response.header(b"content-range") or b""):  # rclone sends it with a 200
        first, size = int(match[1]), int(match[3])
    elif response.status == HTTPStatus.OK:
        first, size = 0, int(length)
    else:
        raise ValueError("no Content-Range")
    wanted = (size if end is None else min(end + 1, size)) - start
    if first != start or int(length) != wanted:
        raise ValueError("other bytes than asked for")
    return size
