"""Multipart uploads at a provider whose own cannot be relied on: each part is a blob of its own until completion puts them together.

Under ``.domicile/parts/<SHA-256 of the blob key>/<upload id>/`` lie ``begun``, which holds the headers and without which there is no
upload, and ``<number>.<attempt>`` for each time that a part was sent. So parts may come in any order, again, and with other bytes; numbers
may be left out; and an upload survives the backend's restart. The price: completion reads all of it from the backend and writes it back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping

from domicile_common.backends.port import Sink
from domicile_common.backends.s3 import S3BlobStore
from domicile_common.backends.wire import Wire
from domicile_common.errors import BlobMismatch, BlobNotFound, NamespaceNotFound, UploadNotFound
from domicile_common.model import Backend, Blob, Part
from domicile_common.stamps import SIDECAR_FOLDER

BEGUN = "begun"


class StagingS3BlobStore(S3BlobStore):
    """A ``BlobStore`` without multipart uploads of the provider's. An ETag of a part is the MD5 of its bytes."""

    def __init__(self, backend: Backend, wire: Wire) -> None:
        super().__init__(backend, wire)
        self._completing: dict[str, asyncio.Lock] = {}

    async def create_upload(self, blob: Blob, headers: Mapping[str, str]) -> str:
        upload_id = uuid.uuid4().hex
        body = json.dumps(dict(headers)).encode()
        sink = await self.open_put(_staged(blob, upload_id, BEGUN), len(body), {"content-type": "application/json"})
        await sink.write(body)
        await sink.finish()
        return upload_id

    async def open_part(self, blob: Blob, upload_id: str, number: int, length: int) -> Sink:
        part = _staged(blob, upload_id, f"{number}.{uuid.uuid4().hex}")
        return _PartSink(self, await self.open_put(part, length, {}), part, _staged(blob, upload_id, BEGUN))

    async def complete_upload(self, blob: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
        """One completion of an upload at a time; who waited for another finds it gone, as after any completion."""
        async with self._completing.setdefault(upload_id, asyncio.Lock()):
            try:
                return await self._complete(blob, upload_id, parts)
            finally:
                self._completing.pop(upload_id, None)

    async def abort_upload(self, blob: Blob, upload_id: str) -> None:
        """What lets an upload be goes first: a part that arrives later finds it gone, and takes itself away."""
        await self.delete(_staged(blob, upload_id, BEGUN))
        for each in await self._names(blob, f"{upload_id}/"):
            await self.delete(_staged(blob, upload_id, each.partition("/")[2]))

    async def list_uploads(self, blob: Blob) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name.partition("/")[0] for name in await self._names(blob)))

    async def list_parts(self, blob: Blob, upload_id: str) -> tuple[Part, ...]:
        """Of a part that was sent several times, any: completion looks which one is meant. What their bytes are, only reading would tell."""
        try:
            await self.head(_staged(blob, upload_id, BEGUN))
        except (BlobNotFound, NamespaceNotFound):
            raise UploadNotFound(self.backend.backend_id, "there is no such upload") from None
        sizes = await self._staged_sizes(blob, f"{upload_id}/")
        numbers = {name.partition("/")[2].partition(".")[0]: size for name, size in sizes.items()}
        return tuple(sorted((Part(int(number), size, "") for number, size in numbers.items() if number != BEGUN), key=_number))

    async def _complete(self, blob: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
        try:
            headers = json.loads(b"".join([chunk async for chunk in self._chunks(_staged(blob, upload_id, BEGUN))]))
        except BlobNotFound:
            raise UploadNotFound(self.backend.backend_id, "there is no such upload") from None
        sent = await self._sent(blob, upload_id)
        places = [await self._choose(part, sent[part.number]) for part in parts]
        sink = await self.open_put(blob, sum(part.size for part in parts), headers)
        try:
            await self._pour(sink, parts, places)
            etag = await sink.finish()
        except BaseException:
            await sink.abort()
            raise
        await self.abort_upload(blob, upload_id)
        return etag

    async def _names(self, blob: Blob, inside: str = "") -> list[str]:
        return list(await self._staged_sizes(blob, inside))

    async def _staged_sizes(self, blob: Blob, inside: str) -> dict[str, int]:
        """What is staged for a blob key, by ``<upload id>/<name>``: its size; of one upload, when ``inside`` its folder."""
        folder = _folder(blob)
        sizes: dict[str, int] = {}
        after: str | None = ""
        while after is not None:
            try:
                page = await self.list_blobs(blob.namespace, folder + inside, after)
            except NamespaceNotFound:
                break
            sizes |= {key.removeprefix(folder): size for key, size, _ in page.entries}
            after = page.next or None
        return sizes

    async def _sent(self, blob: Blob, upload_id: str) -> Mapping[int, list[Blob]]:
        """Part number → what was sent for it."""
        sent: defaultdict[int, list[Blob]] = defaultdict(list)
        for each in await self._names(blob, f"{upload_id}/"):
            name = each.partition("/")[2]
            if name != BEGUN:
                sent[int(name.partition(".")[0])].append(_staged(blob, upload_id, name))
        return sent

    async def _choose(self, part: Part, sent: list[Blob]) -> Blob:
        """The attempt that is meant; which of several, their bytes tell."""
        for place in sent:
            if len(sent) == 1 or await self._md5(place) == part.etag:
                return place
        raise BlobMismatch(self.backend.backend_id, f"part {part.number} is not there")

    async def _pour(self, sink: Sink, parts: tuple[Part, ...], places: list[Blob]) -> None:
        """The last bytes only when all were found to be what is meant."""
        held = b""
        for part, place in zip(parts, places, strict=True):
            md5 = hashlib.md5(usedforsecurity=False)
            async for chunk in self._chunks(place):
                md5.update(chunk)
                await sink.write(held)
                held = chunk
            if md5.hexdigest() != part.etag:
                raise BlobMismatch(self.backend.backend_id, f"part {part.number} is not what was sent")
        await sink.write(held)

    async def _md5(self, place: Blob) -> str:
        md5 = hashlib.md5(usedforsecurity=False)
        async for chunk in self._chunks(place):
            md5.update(chunk)
        return md5.hexdigest()

    async def _chunks(self, place: Blob) -> AsyncIterator[bytes]:
        source = await self.open_get(place)
        try:
            async for chunk in source.chunks():
                yield chunk
        finally:
            await source.close()


class _PartSink:
    """A ``Sink``. ``begun``: without which the part is for nothing."""

    def __init__(self, store: S3BlobStore, sink: Sink, part: Blob, begun: Blob) -> None:
        self._store = store
        self._sink = sink
        self._part = part
        self._begun = begun
        self._md5 = hashlib.md5(usedforsecurity=False)

    async def write(self, chunk: bytes) -> None:
        self._md5.update(chunk)
        await self._sink.write(chunk)

    async def finish(self) -> str:
        await self._sink.finish()
        try:
            await self._store.head(self._begun)
        except BlobNotFound:
            await self._store.delete(self._part)
            raise UploadNotFound(self._part.backend_id, "there is no such upload (any more)") from None
        return self._md5.hexdigest()

    async def abort(self) -> None:
        await self._sink.abort()


def _number(part: Part) -> int:
    return part.number


def _folder(blob: Blob) -> str:
    return f"{SIDECAR_FOLDER}/parts/{hashlib.sha256(blob.blob_key.encode()).hexdigest()}/"


def _staged(blob: Blob, upload_id: str, name: str) -> Blob:
    return Blob(blob.backend_id, blob.namespace, f"{_folder(blob)}{upload_id}/{name}")
