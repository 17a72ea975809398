"""Copies of large blobs in parts, which go on where an earlier worker stopped.

What the target holds of an unfinished upload is kept if the parts are cut alike. That their bytes are right is believed only of an MD5:

- Where the version was uploaded in the same parts, the record has the MD5 of each, computed when the client's bytes came, and the target's
  ETag shows the same: these parts are neither read nor sent again.
- Otherwise the bytes are read from a source once more and hashed, but not sent; where ETags are MD5s, each part must have the right one.

Where ETags prove nothing, the finished blob is read back as a whole, like every other copy there (``execute``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from domicile_common.backends.port import BlobStore
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import BackendError, BlobMismatch, UploadNotFound
from domicile_common.model import Blob, Part, Value
from domicile_replicator.feed import Feed
from domicile_replicator.plan import Copy
from domicile_replicator.verify import Verifier


class Uploaded(Value, frozen=True):
    """``sent``: bytes. ``resumed``: the headers are those that an earlier worker gave. ``source``: the backend that all bytes came from."""

    etag: str
    sent: int
    resumed: bool = False
    source: str = ""


async def upload_parts(
    store: BlobStore, step: Copy, headers: Mapping[str, str], open_feed: Callable[[Verifier, int], Feed]
) -> tuple[Uploaded, Verifier]:
    """``open_feed``: the version's bytes from a byte on. Whatever was uploaded is kept when this fails, except when bytes were wrong."""
    target = step.target
    upload_id, there = await _unfinished(store, step)
    is_new = upload_id is None
    if upload_id is None:
        upload_id = await store.create_upload(target, headers)
    try:
        proven = _proven(store, step, there)
        verifier = Verifier(step.version.digest, step.parts, proven)
        async with open_feed(verifier, sum(step.parts[:proven])) as feed:
            parts = await _send(store, step, upload_id, there, (feed, verifier, proven))
        etag = await complete(store, target, upload_id, parts)
    except BlobMismatch:
        with contextlib.suppress(BackendError):  # the next copy to this blob removes it, and so does the blob's removal
            await store.abort_upload(target, upload_id)
        raise
    return Uploaded(etag, feed.sent, resumed=not is_new, source=feed.only), verifier


async def _send(
    store: BlobStore, step: Copy, upload_id: str, there: Mapping[int, Part], reading: tuple[Feed, Verifier, int]
) -> tuple[Part, ...]:
    """All parts as the target has them in the end. ``reading``: how many of the first are proven, and the bytes behind them."""
    feed, verifier, proven = reading
    parts = [there[number] for number in range(1, proven + 1)]
    for number, size in enumerate(step.parts[proven:], proven + 1):
        if number in there:
            await feed.skip(size)
            parts.append(_checked(store, there[number], verifier.part_md5(number)))
            continue
        sink = await store.open_part(step.target, upload_id, number, size)
        try:
            await feed.pour(sink, size, last=number == len(step.parts))
            parts.append(_checked(store, Part(number, size, await sink.finish()), verifier.part_md5(number)))
        except BaseException:
            await sink.abort()
            raise
    if len(step.parts) in there:
        await feed.end()
    return tuple(parts)


def _checked(store: BlobStore, part: Part, md5: str) -> Part:
    """A part that is there, as the completion is to name it. With other bytes the blob would take the place of a good one."""
    if part.etag and part.etag != md5 and quirks_of(store.backend).etag_is_md5:
        raise BlobMismatch(store.backend.backend_id, f"part {part.number} has the MD5 {part.etag} instead of {md5}")
    return part if part.etag else Part(part.number, part.size, md5)


def _proven(store: BlobStore, step: Copy, there: Mapping[int, Part]) -> int:
    """How many of the first parts are there with the MD5 that is on record."""
    recorded = step.version.digest.parts
    if not quirks_of(store.backend).etag_is_md5 or step.parts != tuple(part.size for part in recorded):
        return 0
    known = (number in there and there[number].etag == part.etag for number, part in enumerate(recorded, 1))
    return next((count for count, is_there in enumerate(known) if not is_there), len(recorded))


async def _unfinished(store: BlobStore, step: Copy) -> tuple[str | None, dict[int, Part]]:
    """The upload to go on with, and its parts by number: the one with most of them. The others are ended, as are those that are cut otherwise."""
    found: dict[str, dict[int, Part]] = {}
    for upload_id in await store.list_uploads(step.target):
        with contextlib.suppress(UploadNotFound):
            parts = {part.number: part for part in await store.list_parts(step.target, upload_id)}
            if all(number <= len(step.parts) and part.size == step.parts[number - 1] for number, part in parts.items()):
                found[upload_id] = parts
                continue
        await store.abort_upload(step.target, upload_id)
    best = max(found, key=lambda upload_id: len(found[upload_id]), default=None)
    for upload_id in found.keys() - {best}:
        await store.abort_upload(step.target, upload_id)
    return (None, {}) if best is None else (best, found[best])


async def complete(store: BlobStore, target: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
    try:
        return await store.complete_upload(target, upload_id, parts)
    except UploadNotFound:  # completed, and only the answer was lost; what is there is read back unless its ETag is the right one
        return (await store.head(target)).etag


async def abort_uploads(store: BlobStore, blob: Blob) -> None:
    for upload_id in await store.list_uploads(blob):
        await store.abort_upload(blob, upload_id)
