"""One write, from its intent to its commit.

Between the two, bytes may exist at backends that no version points to: whatever goes wrong in that time ends in ``abandon``, and should
this process die instead, metadata's sweeper finds the intent past its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from domicile_common.backends.port import BlobStore, Sink, content_md5
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import BackendError, BackendUnavailable, NamespaceNotFound, RequestError, Unavailable
from domicile_common.metadata_client.models import UNCONDITIONAL, Abort, Begin, Commit, Condition, Intent, Renew, Stored
from domicile_common.model import Blob, Bucket, Digest, Facts, Lock, Version
from domicile_common.stamps import Stamp, stamp_header, stamped_facts
from domicile_common.tracing import current_trace
from domicile_proxy.context import Context
from domicile_proxy.operations.fan_out import FanOut, open_all
from domicile_proxy.s3.headers import object_policy

ATTEMPTS = 3
"""Placements that one write may try, when what failed can be done again without the client."""
SHORTEST_RENEWAL = 1.0  # seconds; clocks may differ

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Draft:
    """A version that somebody wants to write. ``length``: bytes. ``condition``: decided in the commit, and looked at before."""

    bucket: Bucket
    key: str
    facts: Facts
    length: int
    trace: str
    lock: Lock | None = None
    condition: Condition = UNCONDITIONAL


async def begin(draft: Draft, context: Context, avoid: frozenset[str] = frozenset(), *, upload: bool = False) -> Intent:
    """TX1: nothing goes to a backend before it is committed. Raises ``RequestError`` (policy refusals), ``Unavailable``."""
    call = Begin(
        bucket_id=draft.bucket.bucket_id,
        key=draft.key,
        facts=draft.facts,
        policy=object_policy(draft.facts),
        avoid=tuple(avoid.union(context.health.avoided())),
        upload=upload,
        lock=draft.lock,
        size=draft.length,
        condition=draft.condition,
        trace=draft.trace,
    )
    return await context.metadata.call(call)


async def place(
    draft: Draft, context: Context, fill: Callable[[Intent], Awaitable[T]], *, upload: bool = False
) -> tuple[Intent, T]:
    """Begins, and lets ``fill`` bring what it has to the chosen backends; one that fails is avoided by the next attempt.

    Raises the last ``BackendError`` when the attempts are used up.
    """
    avoid: set[str] = set()
    for left in reversed(range(ATTEMPTS)):
        intent = await begin(draft, context, frozenset(avoid), upload=upload)
        try:
            return intent, await fill(intent)
        except BackendError as error:
            log.warning("a write could not be placed", backend=error.backend_id, error=str(error), attempts_left=left)
            await abandon(intent, context)
            if not left:
                raise
            if not isinstance(error, NamespaceNotFound):  # that one is made anew by the next attempt
                avoid.add(error.backend_id)
        except BaseException:
            await abandon(intent, context)
            raise
    raise AssertionError("the last attempt returns or raises")


async def open_targets(draft: Draft, intent: Intent, digest: Digest | None, context: Context) -> FanOut:
    """Opens all backends of ``decision.write``. ``digest``: what the bytes will be, when that is known already.

    Then the backends are told as well: a write that was given up, and comes to its end late, does not put other bytes in the place of the copy
    that was made instead.
    """
    headers = blob_headers(draft, intent, digest) | (content_md5(digest.md5) if digest else {})

    async def open_put(store: BlobStore, blob: Blob) -> Sink:
        await store.ensure_namespace(blob.namespace)
        return await store.open_put(blob, draft.length, headers)

    return await open_all(written_blobs(intent), intent.decision.least, open_put, context)


async def store_whole(draft: Draft, intent: Intent, body: bytes, digest: Digest, context: Context) -> dict[str, str]:
    """A short body, head and body in one go. Returns backend id → ETag."""
    fan_out = await open_targets(draft, intent, digest, context)
    try:
        await fan_out.write(body)
        return await fan_out.finish(digest.md5)
    except BaseException as error:
        await fan_out.abort()
        if isinstance(error, BackendUnavailable):
            context.health.failed(error.backend_id)
        raise


def written_blobs(intent: Intent) -> list[Blob]:
    """The targets that get the bytes before the client is answered."""
    return [blob for blob in intent.blobs if blob.backend_id in intent.decision.write]


def blob_headers(draft: Draft, intent: Intent, digest: Digest | None) -> dict[str, str]:
    """What is kept with the bytes at a backend: the content type, and the stamp unless it is too long for a header."""
    content_type = {"content-type": draft.facts.headers.get("content-type", "binary/octet-stream")}
    return content_type | (_stamp(draft, intent, digest) or {})


def is_stamped(draft: Draft, intent: Intent, digest: Digest | None) -> bool:
    """Whether ``blob_headers`` holds a whole stamp; otherwise a sidecar is owed."""
    return digest is not None and _stamp(draft, intent, digest) is not None


def _stamp(draft: Draft, intent: Intent, digest: Digest | None) -> dict[str, str] | None:
    stamp = Stamp(
        version_id=intent.version_id,
        tenant_id=draft.bucket.tenant_id,
        bucket=draft.bucket.name,
        key=draft.key,
        policy_version=intent.decision.policy_version,
        facts=stamped_facts(draft.facts),
        digest=digest,
        is_null=draft.bucket.versioning != "enabled",
    )
    return stamp_header(stamp)


@asynccontextmanager
async def renewed(intent: Intent, context: Context, trace: str) -> AsyncIterator[None]:
    """Keeps the intent alive while a long body streams: three times in the time that it was given."""
    task = asyncio.ensure_future(_renew(intent, context, trace))
    try:
        yield
    finally:
        task.cancel()


async def _renew(intent: Intent, context: Context, trace: str) -> None:
    life = (intent.deadline - context.clock()).total_seconds()
    while True:
        await asyncio.sleep(max(life / 3, SHORTEST_RENEWAL))
        try:
            await context.metadata.call(Renew(bucket_id=intent.bucket_id, version_id=intent.version_id, trace=trace))
        except Unavailable as error:
            log.warning("an intent could not be renewed", version_id=intent.version_id, error=str(error))
        except RequestError:
            return  # swept, or its bucket is gone: the commit will say so


async def commit(
    draft: Draft, intent: Intent, digest: Digest, etags: dict[str, str], context: Context, *, stamped: bool
) -> Version:
    """TX2: from here on the object is there, and the rest of its copies is owed. Raises ``RequestError`` (conditions), ``Unavailable``.

    A commit without an answer may have been done; abandoning it is right in either case.
    """
    try:
        stored = [Stored(backend_id, etag, stamped and await keeps(backend_id, context)) for backend_id, etag in etags.items()]
        call = Commit(
            bucket_id=intent.bucket_id,
            version_id=intent.version_id,
            digest=digest,
            stored=tuple(stored),
            condition=draft.condition,
            blobs=tuple(written_blobs(intent)),
            trace=draft.trace,
        )
        return (await context.metadata.call(call)).version
    except BaseException:
        await abandon(intent, context)
        raise


async def keeps(backend_id: str, context: Context) -> bool:
    """Whether a stamp in a blob's headers is there to stay."""
    return quirks_of((await context.directory.store(backend_id)).backend).keeps_metadata


async def abandon(intent: Intent, context: Context, fan_out: FanOut | None = None) -> None:
    """Ends the intent, so that what it left at backends is removed. Failing does no harm, nor does an intent that is gone already."""
    await asyncio.shield(_abandon(intent, context, fan_out))


async def _abandon(intent: Intent, context: Context, fan_out: FanOut | None) -> None:
    if fan_out is not None:
        await fan_out.abort()
    try:
        await context.metadata.call(Abort(bucket_id=intent.bucket_id, version_id=intent.version_id, trace=current_trace()))
    except (RequestError, Unavailable) as error:
        log.warning("an intent is left to the sweeper", version_id=intent.version_id, error=str(error))
