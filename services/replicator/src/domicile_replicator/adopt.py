"""The task ``adopt``: lists a provider's bucket, asks for what a listing does not tell, and has the objects indexed where they are.

Each page is readable through the proxy as soon as it is indexed; the copies that the policy wants are jobs like any others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from domicile_common.backends.port import BlobStore
from domicile_common.errors import BackendError, BackendUnavailable, BlobNotFound
from domicile_common.metadata_client.adoption import Adoption, AdoptObjects, CompareListed, FindVanished, Found, Listed, Verdict
from domicile_common.metadata_client.findings import Finding, NoteFindings
from domicile_common.model import Blob, Value
from domicile_replicator.natural import Unservable, check_key, found_object
from domicile_replicator.pages import each, patiently, probe
from domicile_replicator.tasks import Run

HEADS_AT_ONCE: Final = 64


class Cursor(Value, frozen=True):
    """``token``: the provider's, of the next page. ``after``: up to where objects that have vanished were looked for."""

    token: str = ""
    is_listed: bool = False
    after: str = ""


class Outcome(NamedTuple):
    key: str
    size: int
    verdict: Verdict


async def adopt(run: Run) -> None:
    task, cursor = run.parameters(Adoption), run.cursor(Cursor)
    store = run.directory.store(task.backend)
    adopting = _Adopting(run, task, store)
    while not cursor.is_listed:
        page = await store.list_blobs(task.source, task.prefix, cursor.token)
        await adopting.take([Listed(*entry) for entry in page.entries])
        cursor = Cursor(page.next, is_listed=not page.next)
        await run.save(cursor)
    while keys := await adopting.find_vanished(cursor.after):
        cursor = Cursor(is_listed=True, after=keys[-1])
        await run.save(cursor)


class _Adopting:
    def __init__(self, run: Run, task: Adoption, store: BlobStore) -> None:
        self._run = run
        self._task = task
        self._store = store
        self._place: dict[str, Any] = {
            "bucket_id": task.bucket_id,
            "backend_id": task.backend,
            "source": task.source,
            "since": task.since,
        }

    async def take(self, listed: Sequence[Listed]) -> None:
        """One page. May be repeated: what was indexed the first time is counted as such."""
        findings = [Finding(it.key, "failed", why) for it in listed if (why := _objection(it.key))]
        objects = [it for it in listed if not _objection(it.key)]
        verdicts = [*zip(objects, await self._compare(objects), strict=True)]
        new = [it for it, verdict in verdicts if verdict == "new"]
        examined = await each(new, self._examine, at_once=HEADS_AT_ONCE)
        found = [it for it in examined if isinstance(it, Found)]
        adopted = await self._adopt(found)
        findings += [it for it in examined if isinstance(it, Finding)]
        outcomes = [Outcome(it.key, it.size, verdict) for it, verdict in verdicts if verdict != "new"]
        outcomes += [Outcome(it.key, it.digest.size, verdict) for it, verdict in zip(found, adopted, strict=True)]
        findings += _disagreements(outcomes)
        self._count(listed, outcomes, findings)
        if findings:
            await self._run.ask(NoteFindings(task_id=self._run.task.task_id, findings=tuple(findings)))

    async def find_vanished(self, after: str) -> tuple[str, ...]:
        """The next of those that an earlier run has adopted and this one has not seen. They stay: somebody else removed their bytes."""
        request = FindVanished(**self._place, prefix=self._task.prefix, after=after)
        keys = (await self._run.ask(request)).keys
        if keys:
            findings = tuple(Finding(key, "vanished", "the provider does not list it any more") for key in keys)
            await self._run.ask(NoteFindings(task_id=self._run.task.task_id, findings=findings))
            self._run.progress["vanished"] += len(keys)
        return keys

    async def _compare(self, objects: Sequence[Listed]) -> Sequence[Verdict]:
        if not objects:
            return ()
        request = CompareListed(**self._place, objects=tuple(objects))
        return (await self._run.ask(request)).verdicts

    async def _adopt(self, found: Sequence[Found]) -> Sequence[Verdict]:
        if not found:
            return ()
        request = AdoptObjects(**self._place, objects=tuple(found))
        return (await self._run.ask(request)).verdicts

    async def _examine(self, listed: Listed) -> Found | Finding:
        """Raises ``BackendError`` when the provider does not serve at all."""
        blob = Blob(self._task.backend, self._task.source, listed.key)
        try:
            return await patiently(lambda: self._ask_provider(blob))
        except Unservable as why:
            return Finding(listed.key, "failed", str(why))
        except BlobNotFound:
            return Finding(listed.key, "failed", "it is listed, but not there")
        except BackendError as error:
            if isinstance(error, BackendUnavailable):
                await probe(self._store, self._task.source)
            return Finding(listed.key, "failed", str(error))

    async def _ask_provider(self, blob: Blob) -> Found:
        info = await self._store.head(blob)
        tags = await self._store.find_tags(blob) if int(info.headers.get("x-amz-tagging-count") or 0) else {}
        return found_object(blob.blob_key, info, tags, self._store.backend)

    def _count(self, listed: Sequence[Listed], outcomes: Iterable[Outcome], findings: Iterable[Finding]) -> None:
        progress = self._run.progress
        progress["listed"] += len(listed)
        progress["listed_bytes"] += sum(it.size for it in listed)
        for outcome in outcomes:
            progress[outcome.verdict] += 1
            if outcome.verdict == "indexed":
                progress["indexed_bytes"] += outcome.size
        progress["failed"] += sum(finding.kind == "failed" for finding in findings)


def _objection(key: str) -> str | None:
    try:
        check_key(key)
    except Unservable as why:
        return str(why)
    return None


def _disagreements(outcomes: Iterable[Outcome]) -> Iterator[Finding]:
    for outcome in outcomes:
        if outcome.verdict == "conflict":
            yield Finding(outcome.key, "conflict", "the key holds what was written or deleted through Domicile")
        elif outcome.verdict == "leaving":
            yield Finding(outcome.key, "leaving", "the object that was there is just being removed")
