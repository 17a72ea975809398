"""The task ``export``: a bucket's current versions under their natural keys, with headers, metadata and tags, at any S3 bucket."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from domicile_common.backends.port import BlobStore
from domicile_common.errors import BackendError, BackendUnavailable, BlobNotFound, NamespaceNotFound, RequestError
from domicile_common.metadata_client.exports import Export, OpenTarget
from domicile_common.metadata_client.findings import Finding, NoteFindings
from domicile_common.metadata_client.models import FindBucket, ListObjects, Locate, Located, Work
from domicile_common.model import Blob, Bucket, Digest, Value
from domicile_common.policy import admits
from domicile_replicator.execute import Executor
from domicile_replicator.natural import natural_headers
from domicile_replicator.pages import each, patiently, probe
from domicile_replicator.plan import Copy, part_sizes
from domicile_replicator.tasks import Run

PAGE: Final = 500
COPIES_AT_ONCE: Final = 16
MULTIPART_BYTES: Final = 64 * 2**20
GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion"})


class Cursor(Value, frozen=True):
    """``after``: the last key of the page before. ``is_last``: there is none after it."""

    after: str = ""
    is_last: bool = False


async def export(run: Run) -> None:
    task, cursor = run.parameters(Export), run.cursor(Cursor)
    async with _target(run, task) as store:
        exporting = _Exporting(run, task, store)
        while not cursor.is_last:
            bucket = await exporting.check_lock()
            listing = ListObjects(bucket_id=bucket.bucket_id, prefix=task.prefix, after=cursor.after, limit=PAGE)
            page = await run.ask(listing)
            await exporting.take(bucket, [entry.key for entry in page.objects])
            cursor = Cursor(page.last, is_last=not page.truncated)
            await run.save(cursor)


@asynccontextmanager
async def _target(run: Run, task: Export) -> AsyncIterator[BlobStore]:
    """Where to: a registered backend, or one that only this task knows, whose secret is open here and nowhere else."""
    if task.target.backend_id:
        yield run.directory.store(task.target.backend_id)
        return
    store = run.directory.open(await run.ask(OpenTarget(task_id=run.task.task_id, worker=run.worker)))
    try:
        yield store
    finally:
        await store.close()


class _Exporting:
    def __init__(self, run: Run, task: Export, store: BlobStore) -> None:
        self._run = run
        self._task = task
        self._store = store
        self._target_id = store.backend.backend_id
        self._executor = Executor(ChainMap({self._target_id: store}, run.directory.backfill))

    async def check_lock(self) -> Bucket:
        """The bucket, whose lock binds here as well, and anew with each page. Raises ``RequestError``."""
        bucket = await self._run.ask(FindBucket(tenant_id=self._task.tenant, name=self._task.bucket))
        objection = admits(bucket.policy, self._store.backend)
        if objection and not self._task.allow_outside_lock:
            raise RequestError("AccessDenied", objection)
        return bucket

    async def take(self, bucket: Bucket, keys: list[str]) -> None:
        """One page. May be repeated: what is there already is skipped."""
        outcomes = await each(keys, lambda key: self._export(bucket, key), at_once=COPIES_AT_ONCE)
        findings = tuple(finding for finding in outcomes if finding)
        if findings:
            await self._run.ask(NoteFindings(task_id=self._run.task.task_id, findings=findings))

    async def _export(self, bucket: Bucket, key: str) -> Finding | None:
        """What there is to say about it. Raises ``BackendError`` when a backend does not serve at all."""
        try:
            located = await self._run.ask(Locate(bucket_id=bucket.bucket_id, key=key))
        except RequestError as error:
            if error.code in GONE:  # deleted since it was listed
                return None
            raise
        try:
            return await patiently(lambda: self._bring(located))
        except NamespaceNotFound as error:
            if error.backend_id == self._target_id:
                raise RequestError("NoSuchBucket", f"There is no bucket {self._task.to_bucket} at the target.") from None
            return self._failed(key, error)
        except BackendError as error:
            if isinstance(error, BackendUnavailable) and error.backend_id == self._target_id:
                await probe(self._store, self._task.to_bucket)
            return self._failed(key, error)

    def _failed(self, key: str, error: BackendError) -> Finding:
        self._run.progress["failed"] += 1
        return Finding(key, "failed", str(error))

    async def _bring(self, located: Located) -> Finding | None:
        version, progress = located.version, self._run.progress
        digest = version.digest
        target = Blob(self._target_id, self._task.to_bucket, version.key)
        if (there := await self._there(target, digest)) is not None:
            if there:
                progress["skipped"] += 1
                return None
            if not self._task.overwrite:
                progress["conflict"] += 1
                return Finding(version.key, "conflict", "the target holds something else under this key")
        copied = await self._executor.export(_step(located, target), natural_headers(version.facts))
        progress["exported"] += 1
        progress["exported_bytes"] += copied.sent
        if not digest.md5 and copied.learned is not None and copied.learned.given_etag:
            progress["trusted"] += 1
            return Finding(version.key, "trusted", "nothing on record could prove the bytes")
        progress["verified"] += 1
        return None

    async def _there(self, target: Blob, digest: Digest) -> bool | None:
        """Whether what the target holds is the same, as far as size and ETag tell; ``None`` when it holds nothing."""
        try:
            info = await self._store.head(target)
        except BlobNotFound:
            return None
        return info.size == digest.size and info.etag in {digest.etag, digest.stored_etag}


def _step(located: Located, target: Blob) -> Copy:
    version = located.version
    return Copy(
        Work("copy"),
        target,
        tuple(replica.blob for replica in located.replicas),
        version,
        part_sizes(version.digest, MULTIPART_BYTES),
    )
