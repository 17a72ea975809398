"""A scrub of one backend: what is there, compared with the record (docs/adr/0014).

Light, for each physical bucket: 1. its listing, page by page, 2. unfinished uploads, 3. one by one, what is on record and was not listed; or,
where no bucket is on record any more, the removal of the empty one. Deep: the bytes of all copies. Nothing is concluded from an error, and nothing
depends on the order of a listing. What becomes of a finding is said by ``verdicts`` (pure); each piece may be done twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

import structlog

from domicile_common.backends.port import BlobStore
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import BackendError, BackendRefused, BackendUnavailable, BlobMismatch, BlobNotFound, NamespaceNotFound
from domicile_common.metadata_client.retirement import NoteRemoved, Retire
from domicile_common.metadata_client.scrub import (
    CompareBlobs,
    CompareUploads,
    Copy,
    EndNamespace,
    Finding,
    ListCopies,
    Listed,
    ListNamespaces,
    ListUnseen,
    Namespace,
    ReportFindings,
    Scrub,
    Stranger,
)
from domicile_common.model import Blob, Value
from domicile_replicator import metrics
from domicile_replicator.execute import Executor
from domicile_replicator.pace import Share
from domicile_replicator.plan import Remove
from domicile_replicator.stamped import read_stamp_of
from domicile_replicator.tasks import Run
from domicile_replicator.throttle import Throttle, ThrottledStore
from domicile_replicator.verdicts import stranger_is
from domicile_replicator.verify import Verifier

log = structlog.get_logger()


class Position(Value, frozen=True):
    """``after``: the physical bucket before the present one. ``at``: the backend's token, or metadata's. ``since``: when this bucket was begun."""

    after: str = ""
    phase: Literal["listing", "uploads", "unseen"] = "listing"
    at: str = ""
    since: datetime = datetime(1970, 1, 1, tzinfo=UTC)


async def scrub(run: Run) -> None:
    """Raises ``BackendError`` when the backend is away; what concerns one blob alone is a finding."""
    asked = run.parameters(Scrub)
    store = run.directory.backfill.get(asked.backend_id)
    if store is None or run.directory.backends[asked.backend_id].paused:
        raise BackendUnavailable(asked.backend_id, "is not in service")
    throttle = Throttle(1, 1)
    throttle.adjust(Share(1, asked.bytes_per_second, asked.requests_per_second))
    await _Scrubber(run, asked, ThrottledStore(store, throttle, fresh=False)).work()


class _Scrubber:
    def __init__(self, run: Run, asked: Scrub, store: BlobStore) -> None:
        self._run = run
        self._asked = asked
        self._store = store
        self._executor = Executor({asked.backend_id: store})
        self._keeps_metadata = quirks_of(store.backend).keeps_metadata

    async def work(self) -> None:
        position = self._run.cursor(Position)
        while True:
            request = ListNamespaces(
                backend_id=self._asked.backend_id, tenant=self._asked.tenant, bucket=self._asked.bucket, after=position.after
            )
            page = await self._run.ask(request)
            if not page.namespaces:
                return
            home = page.namespaces[0]
            if position.since.timestamp() == 0:
                position = Position(position.after, since=page.now)
            await (self._light(home, position) if self._asked.depth == "light" else self._deep(home, position))
            self._run.progress["buckets"] += 1
            position = Position(home.namespace)
            await self._run.save(position)

    # --- light ---

    async def _light(self, home: Namespace, position: Position) -> None:
        try:
            await self._look(home, position)
        except BackendRefused as refused:
            if home.bucket_id:
                raise
            # What nobody has any more holds up nothing: the backend's key may have no right to remove buckets, say.
            log.warning(
                "a physical bucket of nobody stays", backend=self._asked.backend_id, bucket=home.namespace, why=str(refused)
            )
        await self._run.ask(
            EndNamespace(
                task_id=self._run.task.task_id,
                backend_id=self._asked.backend_id,
                namespace=home.namespace,
                bucket_id=home.bucket_id,
                since=position.since,
            )
        )

    async def _look(self, home: Namespace, position: Position) -> None:
        if home.is_own and position.phase == "listing":
            async for at in self._pages(home, position.at):
                await self._run.save(Position(position.after, "listing", at, position.since))
            position = Position(position.after, "uploads", "", position.since)
        if home.is_own and position.phase == "uploads":
            await self._end_uploads(home)
            position = Position(position.after, "unseen", "", position.since)
        if home.bucket_id:
            await self._look_at_unseen(home, position)
        elif home.is_own:
            await self._remove_empty(home)

    async def _pages(self, home: Namespace, at: str) -> AsyncIterator[str]:
        """The token behind each page that has been dealt with."""
        while True:
            try:
                page = await self._store.list_blobs(home.namespace, after=at)
            except NamespaceNotFound:  # then nothing is there, and all that should be is looked at one by one
                return
            await self._compare(home, [Listed(*entry) for entry in page.entries])
            at = page.next
            if not at:
                return
            yield at

    async def _compare(self, home: Namespace, listed: Sequence[Listed]) -> None:
        if not listed:
            return
        request = CompareBlobs(
            task_id=self._run.task.task_id,
            backend_id=self._asked.backend_id,
            namespace=home.namespace,
            blobs=tuple(listed),
        )
        compared = await self._run.ask(request)
        self._run.progress["listed"] += len(listed)
        await self._check(compared.suspects)
        for stranger in compared.strangers:
            await self._deal_with(home, stranger)

    async def _deal_with(self, home: Namespace, stranger: Stranger) -> None:
        blob = Blob(self._asked.backend_id, home.namespace, stranger.key)
        try:
            stamp = await read_stamp_of(self._store, blob)
        except (BlobNotFound, NamespaceNotFound):  # it went while we looked
            return
        kind, goes, why = stranger_is(stranger, stamp, self._asked, keeps_metadata=self._keeps_metadata, now=datetime.now(UTC))
        if goes:
            await self._executor.remove(Remove(blob))
        finding = Finding(
            kind=kind,
            blob=blob,
            done="removed" if goes else "reported",
            bucket_id=home.bucket_id if stranger.version_id else "",
            version_id=stranger.version_id,
            detail=why,
        )
        await self._report([finding])

    async def _end_uploads(self, home: Namespace) -> None:
        try:
            uploads = await self._store.list_all_uploads(home.namespace)
        except NamespaceNotFound:
            return
        request = CompareUploads(
            backend_id=self._asked.backend_id, namespace=home.namespace, keys=tuple(dict.fromkeys(key for key, _ in uploads))
        )
        leftovers = set((await self._run.ask(request)).keys) if uploads else set()
        for key, upload_id in uploads:
            if key in leftovers:
                blob = Blob(self._asked.backend_id, home.namespace, key)
                await self._store.abort_upload(blob, upload_id)
                await self._report([Finding(kind="upload", blob=blob, done="removed", detail="an unfinished upload of nobody")])

    async def _remove_empty(self, home: Namespace) -> None:
        """A physical bucket that no bucket has any more goes when it is empty, and the record will never use its name again (docs/adr/0052).

        That it is empty is looked at twice, since there are backends that remove buckets with what is in them.
        """
        place = {"backend_id": self._asked.backend_id, "namespace": home.namespace}
        try:
            if (
                not await self._is_empty(home)
                or not (await self._run.ask(Retire(**place))).is_free
                or not await self._is_empty(home)
            ):
                return
            if not await self._store.delete_namespace(home.namespace):
                return
            self._run.progress["buckets_removed"] += 1
        except NamespaceNotFound:  # it is gone already: so the record shall know, where it knows it as out of use
            pass
        await self._run.ask(NoteRemoved(**place))

    async def _is_empty(self, home: Namespace) -> bool:
        page = await self._store.list_blobs(home.namespace)
        return not (page.entries or page.next)

    async def _look_at_unseen(self, home: Namespace, position: Position) -> None:
        at = position.at
        while True:
            page = await self._run.ask(
                ListUnseen(
                    task_id=self._run.task.task_id,
                    backend_id=self._asked.backend_id,
                    bucket_id=home.bucket_id,
                    since=position.since,
                    after=at,
                )
            )
            for copy in page.copies:
                await self._look_at(copy)
            await self._report([_finding("misplaced", copy, "its policy does not want it here") for copy in page.misplaced])
            at = page.last
            if not at:
                return
            await self._run.save(Position(position.after, "unseen", at, position.since))

    async def _look_at(self, copy: Copy) -> None:
        try:
            info = await self._store.head(copy.blob)
        except (BlobNotFound, NamespaceNotFound) as error:
            await self._report([_finding("missing", copy, str(error), repair=True)])
            return
        if info.size != copy.digest.size:
            await self._check([copy])

    # --- deep ---

    async def _deep(self, home: Namespace, position: Position) -> None:
        at = position.at
        while home.bucket_id:
            request = ListCopies(
                backend_id=self._asked.backend_id, bucket_id=home.bucket_id, after=at, older_than=self._asked.older_than
            )
            page = await self._run.ask(request)
            await self._check(page.copies)
            at = page.last
            if not at:
                return
            await self._run.save(Position(position.after, at=at, since=position.since))

    async def _check(self, copies: Iterable[Copy]) -> None:
        """Reads these copies, and reports each at once: what was read need not be read again after a crash."""
        for copy in copies:
            finding = await self._read(copy)
            if finding is not None:
                await self._report([finding])
            else:
                await self._run.ask(ReportFindings(task_id=self._run.task.task_id, verified=(copy,)))

    async def _read(self, copy: Copy) -> Finding | None:
        """What is wrong with a copy; ``None`` when it is what the record describes. Raises ``BackendError`` while the backend does not answer."""
        try:
            fault = await self._fault(copy)
        except (BlobNotFound, NamespaceNotFound) as error:
            return _finding("missing", copy, str(error), repair=True)
        except BlobMismatch as error:
            return _finding("corrupt", copy, str(error), repair=True)
        except BackendError as error:
            await self._store.head(copy.blob)  # a backend that does not answer to that either is away
            return _finding("unreadable", copy, str(error))
        self._run.progress["read"] += 1
        return None if fault is None else _finding("corrupt", copy, fault, repair=True)

    async def _fault(self, copy: Copy) -> str | None:
        verifier = Verifier(copy.digest)
        source = await self._store.open_get(copy.blob)
        try:
            if source.info.size != copy.digest.size:
                return f"{source.info.size} bytes instead of {copy.digest.size}"
            async for chunk in source.chunks():
                verifier.update(chunk)
                self._run.progress["bytes"] += len(chunk)
        finally:
            await source.close()
        return verifier.fault()

    async def _report(self, findings: Sequence[Finding]) -> None:
        if not findings:
            return
        for finding in findings:
            self._run.progress[finding.kind] += 1
            metrics.FINDINGS.labels(self._asked.backend_id, finding.kind).inc()
            log.warning("a scrub found something", kind=finding.kind, blob=finding.blob, done=finding.done, why=finding.detail)
        await self._run.ask(ReportFindings(task_id=self._run.task.task_id, findings=tuple(findings)))


def _finding(
    kind: Literal["missing", "corrupt", "unreadable", "misplaced"], copy: Copy, why: str, *, repair: bool = False
) -> Finding:
    return Finding(
        kind=kind,
        blob=copy.blob,
        done="repair" if repair else "reported",
        bucket_id=copy.bucket_id,
        version_id=copy.version_id,
        detail=why,
    )
