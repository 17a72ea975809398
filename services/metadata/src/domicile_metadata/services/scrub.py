"""Scrubs: what of a backend is compared with the record, and what follows from what was found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import RequestError
from domicile_common.metadata_client.base import Empty
from domicile_common.metadata_client.health import DoubtCopies
from domicile_common.metadata_client.scrub import (
    CompareBlobs,
    Compared,
    CompareUploads,
    Copies,
    Copy,
    EndNamespace,
    Leftovers,
    ListCopies,
    ListNamespaces,
    ListUnseen,
    Namespace,
    Namespaces,
    ReportFindings,
    Scrub,
    Stranger,
    Unseen,
)
from domicile_common.model import Backend, Blob
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.domain.scrub import is_leftover, judge, to_look_at, version_of
from domicile_metadata.services.backends import no_such_backend
from domicile_metadata.services.names import physical_name
from domicile_metadata.storage import directory, scrub
from domicile_metadata.storage.scrub import NamespaceRow, ShownFinding

NAMESPACES: Final = 100
COPIES: Final = 200  # the digest of one may have 10,000 parts
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class FindingPage(msgspec.Struct, frozen=True):
    findings: tuple[ShownFinding, ...]
    truncated: bool


async def check(context: Context, asked: Scrub) -> None:
    """Raises ``NoSuchBackend``, ``InvalidArgument``."""
    await _backend(context, asked.backend_id)
    if asked.bucket is not None and asked.tenant is None:
        raise RequestError("InvalidArgument", "bucket needs tenant.")


async def _backend(context: Context, backend_id: str) -> Backend:
    for backend in await directory.list_backends(context.database):
        if backend.backend_id == backend_id:
            return backend
    raise no_such_backend(backend_id)


def _check_ids(*ids: str) -> None:
    """Raises ``InvalidArgument``."""
    for each in ids:
        if not is_id(each):
            raise RequestError("InvalidArgument", "What should be an id is none.")


async def list_namespaces(context: Context, asked: ListNamespaces) -> Namespaces:
    rows = await scrub.list_namespaces(context.database, asked, NAMESPACES)
    listed = tuple(Namespace(row.namespace, row.bucket_id, _is_own(context, asked.backend_id, row)) for row in rows)
    return Namespaces(listed, await scrub.now(context.database))


def _is_own(context: Context, backend_id: str, row: NamespaceRow) -> bool:
    """It bears the name that only the holder of the namespace key can make up, so nobody else has anything there."""
    return row.namespace == physical_name(context, row.tenant_id, row.bucket, (backend_id, row.provider), row.counter)


async def compare_blobs(context: Context, asked: CompareBlobs) -> Compared:
    _check_ids(asked.task_id)
    md5 = quirks_of(await _backend(context, asked.backend_id)).etag_is_md5
    versions = {listed.key: version_of(listed.key) for listed in asked.blobs}
    known = await scrub.find_known(context.database, asked.backend_id, asked.namespace, _ids(versions.values()))
    seen, suspects, strangers = [], [], []
    for listed in asked.blobs:
        version_id = versions[listed.key] or ""
        verdict, it = judge(listed, known.get(version_id, ()), etag_is_md5=md5)
        if verdict in ("orphaned", "unknown", "foreign"):
            strangers.append(Stranger(listed.key, version_id, verdict == "orphaned"))
        elif it is not None and it.digest is not None and verdict != "known":
            seen.append((it.bucket_id, version_id))
            if verdict == "suspect":
                blob = Blob(asked.backend_id, asked.namespace, listed.key)
                suspects.append(Copy(it.bucket_id, version_id, blob, it.digest))
    await scrub.note_seen(context.database, asked.task_id, seen)
    return Compared(tuple(suspects), tuple(strangers))


async def compare_uploads(context: Context, asked: CompareUploads) -> Leftovers:
    versions = {key: version_of(key) for key in asked.keys}
    known = await scrub.find_known(context.database, asked.backend_id, asked.namespace, _ids(versions.values()))
    return Leftovers(tuple(key for key, version_id in versions.items() if is_leftover(key, known.get(version_id or "", ()))))


def _ids(found: Iterable[str | None]) -> list[str]:
    return [version_id for version_id in found if version_id is not None]


async def list_unseen(context: Context, asked: ListUnseen) -> Unseen:
    _check_ids(asked.task_id, asked.bucket_id, *_begins(asked.after))
    page = await scrub.list_copies(context.database, asked, COPIES, task_id=asked.task_id, since=asked.since)
    return Unseen(page.unseen, page.misplaced, page.last)


def _begins(after: str) -> tuple[str, ...]:
    """The version id that a page begins behind, if it does."""
    return (after.partition("/")[0],) if after else ()


async def list_copies(context: Context, asked: ListCopies) -> Copies:
    _check_ids(asked.bucket_id, *_begins(asked.after))
    page = await scrub.list_copies(context.database, asked, COPIES, since=LONG_AGO)
    due = zip(page.copies, page.ages, strict=True)
    return Copies(tuple(copy for copy, age in due if age is None or age >= asked.older_than), page.last)


async def report(context: Context, reported: ReportFindings) -> Empty:
    """In one transaction: what was found, and what follows from it."""
    for it in reported.findings:
        is_needed = it.done == "repair" or it.kind == "misplaced"
        _check_ids(*(each for each in (it.bucket_id, it.version_id) if each or is_needed))
    _check_ids(reported.task_id, *(each for copy in reported.verified for each in (copy.bucket_id, copy.version_id)))
    findings = list({(it.kind, it.blob): it for it in reported.findings}.values())
    lost = [it for it in findings if it.done == "repair"]
    removed = [it for it in findings if it.done == "removed" and it.bucket_id and it.version_id]
    misplaced = [it for it in findings if it.kind == "misplaced"]
    async with context.database.transaction() as session:
        if reported.verified:
            await scrub.verify(session, reported.verified)
        if lost or removed:  # a row that has come to mean a blob while it was being removed has lost it
            await scrub.lose(session, lost + removed)
        if removed:
            await scrub.record_removals(session, removed)
        if misplaced:
            await scrub.look_again(session, misplaced)
        if findings:
            await scrub.record(session, reported.task_id, findings)
    return Empty()


async def doubt(context: Context, asked: DoubtCopies) -> Empty:
    """What reads have met. A worker is told to look first, as after any copy that may have been spoilt."""
    _check_ids(*(each for doubt in asked.doubts for each in (doubt.bucket_id, doubt.version_id)))
    async with context.database.transaction() as session:
        looked_at = to_look_at(asked.doubts, await scrub.lock_readable(session, asked.doubts))
        await scrub.lose(session, looked_at)
    return Empty()


async def end_namespace(context: Context, ended: EndNamespace) -> Empty:
    _check_ids(ended.task_id, *((ended.bucket_id,) if ended.bucket_id else ()))
    async with context.database.transaction() as session:
        await scrub.end_namespace(session, ended)
    return Empty()


async def list_findings(
    context: Context, before: int, backend_id: str | None, kind: str | None, limit: int, *, unresolved: bool
) -> FindingPage:
    found = await scrub.list_findings(context.database, before, backend_id, kind, limit + 1, unresolved=unresolved)
    return FindingPage(tuple(found[:limit]), len(found) > limit)
