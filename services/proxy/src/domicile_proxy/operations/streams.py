"""Bytes on their way: from the client to the backends of a write, and from whichever backend serves to the client.

Nothing here holds more than a few chunks, or a short body that does not tell its length, and readers check each replica against the
bucket's lock once more before they open it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from domicile_common import checksums
from domicile_common.backends.port import BlobInfo, Source
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import (
    BackendError,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    RequestError,
    Unavailable,
)
from domicile_common.metadata_client.health import Doubt
from domicile_common.metadata_client.models import Located, Replica
from domicile_common.model import Backend, Bucket, Digest
from domicile_common.policy import admits
from domicile_proxy import metrics
from domicile_proxy.context import Context
from domicile_proxy.health import Health
from domicile_proxy.operations.fan_out import FanOut
from domicile_proxy.request import KnownBody, S3Request
from domicile_proxy.s3.body import BodyPlan, BodyVerifier, plan_body

BATCH = 256 * 1024  # bytes that are worth a thread's attention
MOST_BREAKS = 16
MOST_UNANNOUNCED = 5 * 1024 * 1024
"""Bytes of a body whose head does not tell its length (``Transfer-Encoding: chunked``); backends have to be told. S3 takes no such body."""

T = TypeVar("T")

log = structlog.get_logger()

# --- writing ---


def plan(request: S3Request, *, default: str = checksums.DEFAULT, checksum_of_body: bool = True) -> BodyPlan:
    """How the body is to be read. Raises ``RequestError`` before a byte of it was."""
    claim, headers = request.claim, request.incoming.raw_headers
    if claim is not None and claim.presigned:  # its query may name the checksum
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    return plan_body(headers, claim, default=default, checksum_of_body=checksum_of_body)


async def with_length(request: S3Request) -> S3Request:
    """The same with a known length, for which a short body is read. Raises ``RequestError`` MissingContentLength, ``ClientGone``."""
    incoming = request.incoming
    known = {
        *request.headers,
        *(name.decode("latin-1") for name, _ in incoming.raw_headers),
    }  # a form has its file's among the latter
    if incoming.wire.finished or known & {"content-length", "x-amz-decoded-content-length"}:
        return request
    body = bytearray()
    async for chunk in incoming.wire:
        body += chunk
        if len(body) > MOST_UNANNOUNCED:
            raise RequestError("MissingContentLength")
    return with_body(request, bytes(body))


def with_body(request: S3Request, body: bytes) -> S3Request:
    """The same, its body read already, and the length in its head."""
    length = str(len(body))
    raw_headers = [*request.incoming.raw_headers, (b"content-length", length.encode())]
    arrived = replace(request.incoming, wire=KnownBody(body), raw_headers=raw_headers)
    return replace(request, incoming=arrived, headers={**request.headers, "content-length": length})


async def receive_whole(request: S3Request, body: BodyPlan) -> tuple[bytes, Digest]:
    """A short body, verified; the caller has looked at ``body.length``. Raises ``RequestError``, ``ClientGone``."""
    verifier = BodyVerifier(body, request.verified)
    pieces: list[bytes] = []
    async for wire in request.body():
        pieces += verifier.feed(wire)
    last, digest = verifier.finish()
    return b"".join((*pieces, last)), digest


async def receive_into(request: S3Request, body: BodyPlan, fan_out: FanOut) -> tuple[Digest, dict[str, str]]:
    """Streams the body to all targets; its last piece only after all of it was verified. The caller aborts on any error.

    Returns what the body was, and the ETag that each backend gave it.
    """
    verifier = BodyVerifier(body, request.verified)

    def feed(wire: list[bytes]) -> list[bytes]:
        return [piece for chunk in wire for piece in verifier.feed(chunk)]

    async with aclosing(one_ahead(request.body(), feed)) as verified:
        async for pieces in verified:
            for piece in pieces:
                await fan_out.write(piece)
    last, digest = verifier.finish()
    await fan_out.write(last)
    return digest, await fan_out.finish(digest.md5)


async def one_ahead(chunks: AsyncIterator[bytes], work: Callable[[list[bytes]], T]) -> AsyncGenerator[T, None]:
    """What ``work`` makes of the chunks, batch by batch and in order, one batch ahead of the reader in a thread.

    For work that hashes, and so releases the interpreter's lock. Waiting for a thread at every chunk would cost more processor time
    than MD5 itself; batches of which one is always under way cost no more than hashing on the loop, which then moves bytes meanwhile.
    """
    loop = asyncio.get_running_loop()
    batch: list[bytes] = []
    size = 0
    ahead: asyncio.Future[T] | None = None
    async for chunk in chunks:
        batch.append(chunk)
        size += len(chunk)
        if size >= BATCH:
            before, ahead = ahead, None
            done = [await before] if before else []
            ahead = loop.run_in_executor(None, work, batch)
            ahead.add_done_callback(_take_exception)
            batch, size = [], 0
            for result in done:
                yield result
    if ahead:
        yield await ahead
    if batch:
        yield work(batch)


def _take_exception(future: asyncio.Future[Any]) -> None:
    """Nobody may be left to be told."""
    if not future.cancelled():
        future.exception()


# --- reading ---

_CHEAP = ("crc64nvme", "crc32c", "crc32")


class BlobReader:
    """Bytes ``start`` to ``end`` (inclusive, at least one) of a version, from the replicas in turn.

    A replica that cannot be opened, is not what the record says, falls silent or breaks off is replaced by the next one, from the byte
    where it stopped. One that had delivered something may be asked again after the others; one that delivered nothing may not.
    Where the record has a CRC of the whole and the whole is read, the last chunk is withheld until they were found to agree.
    """

    def __init__(self, context: Context, bucket: Bucket, located: Located, start: int, end: int) -> None:
        self._context = context
        self._bucket = bucket
        self._version = located.version
        self._start = self._position = start
        self._end = end
        self._waiting = best_first(located.replicas, context.health)
        self._source: Source | None = None
        self._breaks = 0
        self._crc = _whole_crc(located.version.digest, start, end)
        self._hasher = checksums.BodyHasher(self._crc)

    async def open(self) -> None:
        """Opens the next replica that serves. Raises ``Unavailable`` when there is none."""
        while self._waiting:
            hedge = self._context.settings.read_hedge_seconds
            try:
                self._replica, self._source = await (self._open_either(hedge) if hedge else self._open(self._waiting.pop(0)))
            except BackendError as error:
                self._judge(error)
            else:
                return
        raise Unavailable("no copy of the object can be read now")

    async def _open_either(self, hedge: float) -> tuple[Replica, Source]:
        """The next replica; when it does not answer in time, the first to answer of that and the one after it."""
        tasks = [asyncio.ensure_future(self._open(self._waiting.pop(0)))]
        try:
            await asyncio.wait(tasks, timeout=hedge)
            if not tasks[0].done() and self._waiting:
                tasks.append(asyncio.ensure_future(self._open(self._waiting.pop(0))))
            while True:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                first = done.pop()
                tasks.remove(first)
                error = first.exception()
                if error is None or not tasks:
                    return first.result()
                if not isinstance(error, BackendError):
                    raise error
                self._judge(error)
        finally:
            await _give_up(tasks)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Raises ``Unavailable`` when no replica is left, ``BlobMismatch`` when the bytes were not those of the record."""
        last = b""
        while self._position <= self._end:
            if self._source is None:
                await self.open()
            assert self._source is not None
            before = self._position
            try:
                async for chunk in self._source.chunks():
                    self._advance(chunk)
                    if self._position <= self._end:
                        yield chunk
                    else:
                        last = chunk
                self._expect_end()
            except BackendError as error:
                await self._break_off(error, progressed=self._position > before)
        await self.close()
        self._verify()
        yield last

    async def read(self) -> bytes:
        """All of it, for a short one; bytes that are not those of the record are read from another replica."""
        while True:
            try:
                return b"".join([chunk async for chunk in self.chunks()])
            except BlobMismatch as error:
                self._judge(error)
                self._position = self._start
                self._hasher = checksums.BodyHasher(self._crc)

    async def close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            await source.close()

    async def _open(self, replica: Replica) -> tuple[Replica, Source]:
        blob, began = replica.blob, time.monotonic()
        store = await self._context.directory.store(blob.backend_id)
        if objection := admits(self._bucket.policy, store.backend):
            raise BlobMismatch(blob.backend_id, objection)
        whole = self._end == self._version.digest.size - 1
        try:
            source = await store.open_get(blob, self._position, None if whole else self._end)
        except BlobNotFound:
            self._doubt(replica)
            raise
        if objection := _unlike_record(source.info, self._version.digest, store.backend, replica.etag):
            self._doubt(replica)
            await source.close()
            raise BlobMismatch(blob.backend_id, objection)
        self._context.health.answered(blob.backend_id, time.monotonic() - began)
        return replica, source

    def _advance(self, chunk: bytes) -> None:
        if len(chunk) > self._end + 1 - self._position:
            raise BackendUnavailable(self._replica.blob.backend_id, "more bytes than were asked for")
        self._position += len(chunk)
        self._hasher.update(chunk)

    def _expect_end(self) -> None:
        if self._position <= self._end:
            raise BackendUnavailable(self._replica.blob.backend_id, "fewer bytes than were asked for")

    def _verify(self) -> None:
        for name, expected in self._crc.items():
            if checksums.encode(self._hasher.digest(name)) != expected:
                self._doubt(self._replica)
                raise BlobMismatch(self._replica.blob.backend_id, f"the {name} of version {self._version.version_id} differs")

    def _doubt(self, replica: Replica) -> None:
        if not replica.etag:  # others may change what was adopted, and adoption looks after it
            log.warning("a copy is doubted", backend=replica.blob.backend_id, version_id=self._version.version_id)
            self._context.health.doubt(Doubt(self._bucket.bucket_id, self._version.version_id, replica.blob))

    async def _break_off(self, error: BackendError, *, progressed: bool) -> None:
        await self.close()
        self._breaks += 1
        if progressed and self._breaks < MOST_BREAKS:
            log.warning("a read broke off", backend=error.backend_id, error=str(error))
            self._waiting.append(self._replica)
        else:
            self._judge(error)

    def _judge(self, error: BackendError) -> None:
        metrics.FAILOVERS.labels(error.backend_id).inc()
        log.warning("a replica could not be read", backend=error.backend_id, error=str(error))
        if isinstance(error, BackendUnavailable):
            self._context.health.failed(error.backend_id)


async def _give_up(opening: Sequence[asyncio.Task[tuple[Replica, Source]]]) -> None:
    """Nobody wants what they open any more."""
    for task in opening:
        task.cancel()
    for opened in await asyncio.gather(*opening, return_exceptions=True):
        if isinstance(opened, tuple):
            await opened[1].close()


def best_first(replicas: Sequence[Replica], health: Health) -> list[Replica]:
    """By health, then as the record orders them: verified ones first, then by cost; among equals the one that answers soonest.

    One that is doubted comes after all others.
    """
    if len(replicas) == 1:
        return [*replicas]
    avoided = health.avoided()

    def place(replica: Replica) -> tuple[bool, bool, bool, int, float]:
        backend_id = replica.blob.backend_id
        return health.doubts(replica.blob), backend_id in avoided, not replica.verified, replica.cost, health.seconds(backend_id)

    return sorted(replicas, key=place)


def _whole_crc(digest: Digest, start: int, end: int) -> dict[str, str]:
    """The cheapest CRC on record to check a read of the whole with, by name; empty when there is none."""
    if start or end != digest.size - 1:
        return {}
    if digest.crc:
        return {checksums.OWN: digest.crc}
    if digest.checksum_type != "FULL_OBJECT":
        return {}
    return next(({name: digest.checksums[name]} for name in _CHEAP if name in digest.checksums), {})


def _unlike_record(info: BlobInfo, digest: Digest, backend: Backend, adopted_etag: str) -> str | None:
    """How a blob differs from what the record says of it, as far as its head tells.

    An ETag of another form is no contradiction: a copy may have been uploaded in other parts than the original. An adopted object has the
    ETag that it was adopted with, or somebody has put another one in its place.
    """
    if info.size != digest.size:
        return f"has {info.size} bytes instead of {digest.size}"
    if adopted_etag:
        return None if info.etag == adopted_etag else "has another ETag than when it was adopted"
    expected = digest.stored_etag
    same_form = info.etag.partition("-")[2] == expected.partition("-")[2]
    if expected and quirks_of(backend).etag_is_md5 and same_form and info.etag != expected:
        return "has another ETag"
    return None
