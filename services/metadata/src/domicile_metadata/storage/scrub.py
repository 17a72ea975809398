"""What scrubs compare, and what they have found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from domicile_common.metadata_client.health import Doubt
from domicile_common.metadata_client.scrub import Copy, EndNamespace, Finding, FindingKind, ListCopies, ListNamespaces, ListUnseen
from domicile_common.model import Blob, Digest, Value
from domicile_metadata.domain.scrub import Known
from domicile_metadata.storage.database import Session, Statements

BEFORE_ALL: Final = UUID(int=0).hex

_DIGEST = msgspec.json.Decoder(Digest)

Seen = tuple[str, str]  # bucket id, version id


class NamespaceRow(Value, frozen=True):
    tenant_id: str
    bucket: str
    namespace: str
    counter: int
    provider: str
    bucket_id: str


class ShownFinding(Value, frozen=True, kw_only=True):
    """``seen_at``: when it was last found. ``resolved_at``: when it was over."""

    finding_id: int
    kind: FindingKind
    done: str
    detail: str
    tenant_id: str | None
    bucket: str | None
    version_id: str | None
    backend_id: str
    namespace: str
    blob_key: str
    task_id: str
    found_at: datetime
    seen_at: datetime
    resolved_at: datetime | None


async def now(statements: Statements) -> datetime:
    """By the clock that all rows go by."""
    time: datetime = await statements.value("find_time")
    return time


async def list_namespaces(statements: Statements, asked: ListNamespaces, limit: int) -> list[NamespaceRow]:
    rows = await statements.fetch("list_physical_buckets", asked.backend_id, asked.tenant, asked.bucket, asked.after, limit)
    return [
        NamespaceRow(
            tenant_id=row["tenant_id"],
            bucket=row["bucket"],
            namespace=row["namespace"],
            counter=row["counter"],
            provider=row["provider"],
            bucket_id=row["bucket_id"].hex if row["bucket_id"] else "",
        )
        for row in rows
    ]


async def find_known(
    statements: Statements, backend_id: str, namespace: str, version_ids: Iterable[str]
) -> dict[str, list[Known]]:
    """Version id → what is on record of it, in the buckets that have or had this physical name."""
    homes = [row["bucket_id"] for row in await statements.fetch("list_buckets_of_namespace", backend_id, namespace)]
    known = defaultdict(list)
    for row in await statements.fetch("find_listed", backend_id, homes, list(version_ids)):
        known[row["version_id"].hex].append(
            Known(
                bucket_id=row["bucket_id"].hex,
                state=row["state"],
                blob_key=row["blob_key"] or "",
                digest=None if row["digest"] is None else _DIGEST.decode(row["digest"]),
                written_to=tuple(row["written_to"]),
                removed=tuple(row["removed"]),
                is_at_rest=bool(row["is_at_rest"]),
            )
        )
    return known


async def note_seen(statements: Statements, task_id: str, seen: Sequence[Seen]) -> None:
    await statements.execute(
        "note_scrubbed", task_id, [bucket_id for bucket_id, _ in seen], [version_id for _, version_id in seen]
    )


class PageOfCopies(Value, frozen=True):
    """Good copies; ``ages``: of each, seconds since it was verified, ``None`` when it never was. ``unseen``, ``misplaced``: some of them.

    ``last``: version and backend id of the page's end; ``""`` at the end of the bucket.
    """

    copies: tuple[Copy, ...]
    ages: tuple[float | None, ...]
    unseen: tuple[Copy, ...]
    misplaced: tuple[Copy, ...]
    last: str


async def list_copies(
    statements: Statements, asked: ListUnseen | ListCopies, limit: int, *, task_id: str = BEFORE_ALL, since: datetime
) -> PageOfCopies:
    """``task_id``, ``since``: unseen is what that task has not met, unless it has come into its state since then."""
    version_id, _, at = (asked.after or BEFORE_ALL).partition("/")
    rows = await statements.fetch("list_copies", asked.bucket_id, version_id, at, limit, task_id, since, asked.backend_id)
    good = [row for row in rows if row["is_good"] and row["digest"] is not None]
    copies = tuple(_copy(asked.bucket_id, row) for row in good)
    return PageOfCopies(
        copies=copies,
        ages=tuple(row["age"] for row in good),
        unseen=tuple(copy for row, copy in zip(good, copies, strict=True) if not row["is_seen"]),
        misplaced=tuple(copy for row, copy in zip(good, copies, strict=True) if row["is_misplaced"]),
        last=f"{rows[-1]['version_id'].hex}/{rows[-1]['backend_id']}" if len(rows) == limit else "",
    )


def _copy(bucket_id: str, row: Any) -> Copy:
    blob = Blob(row["backend_id"], row["namespace"], row["blob_key"])
    return Copy(bucket_id, row["version_id"].hex, blob, _DIGEST.decode(row["digest"]))


async def lock_readable(session: Session, doubts: Iterable[Doubt]) -> dict[str, list[Blob]]:
    """Version id → its good copies where workers may write, of the versions in question, until the transaction ends."""
    versions = {doubt.version_id: doubt.bucket_id for doubt in doubts}
    readable = defaultdict(list)
    for row in await session.fetch("lock_readable", list(versions.values()), list(versions)):
        readable[row["version_id"].hex].append(Blob(row["backend_id"], row["namespace"], row["blob_key"]))
    return readable


async def lose(session: Session, copies: Sequence[Finding | Doubt]) -> None:
    await session.execute("lose_copies", *_replicas(copies))


async def verify(session: Session, copies: Sequence[Copy]) -> None:
    await session.execute("verify_copies", *_replicas(copies))


def _replicas(found: Sequence[Finding | Copy | Doubt]) -> tuple[list[str], list[str], list[str], list[str]]:
    return (
        [it.bucket_id for it in found],
        [it.version_id for it in found],
        [it.blob.backend_id for it in found],
        [it.blob.blob_key for it in found],
    )


async def look_again(session: Session, findings: Sequence[Finding]) -> None:
    await session.execute("look_at_versions", [it.bucket_id for it in findings], [it.version_id for it in findings])


async def record(session: Session, task_id: str, findings: Sequence[Finding]) -> None:
    kinds = [it.kind for it in findings]
    places = (
        [it.blob.backend_id for it in findings],
        [it.blob.namespace for it in findings],
        [it.blob.blob_key for it in findings],
    )
    await session.execute(
        "record_findings",
        task_id,
        kinds,
        *places,
        [it.bucket_id or None for it in findings],
        [it.version_id or None for it in findings],
        [it.detail for it in findings],
        [it.done for it in findings],
    )
    gone = [it for it in findings if it.done == "removed"]
    await session.execute(
        "close_removed",
        [it.kind for it in gone],
        [it.blob.backend_id for it in gone],
        [it.blob.namespace for it in gone],
        [it.blob.blob_key for it in gone],
    )


async def record_removals(session: Session, findings: Sequence[Finding]) -> None:
    await session.execute(
        "record_removals",
        [it.bucket_id for it in findings],
        [it.version_id for it in findings],
        [it.blob.backend_id for it in findings],
        [it.blob.namespace for it in findings],
        [it.blob.blob_key for it in findings],
    )


async def end_namespace(session: Session, ended: EndNamespace) -> None:
    if ended.bucket_id:
        await session.execute("forget_seen", ended.task_id, ended.bucket_id)
    await session.execute("resolve_not_found_again", ended.backend_id, ended.namespace, ended.since)


async def settle(statements: Statements) -> dict[str, int]:
    """Closes findings that are over: how many of each kind are left."""
    await statements.execute("resolve_findings")
    await statements.execute("forget_seen_by_finished")
    return {row["kind"]: row["count"] for row in await statements.fetch("count_open_findings")}


async def list_findings(
    statements: Statements, before: int, backend_id: str | None, kind: str | None, limit: int, *, unresolved: bool
) -> list[ShownFinding]:
    return [
        ShownFinding(
            finding_id=row["finding_id"],
            kind=row["kind"],
            done=row["done"],
            detail=row["detail"],
            tenant_id=row["tenant_id"],
            bucket=row["bucket"],
            version_id=row["version_id"].hex if row["version_id"] else None,
            backend_id=row["backend_id"],
            namespace=row["namespace"],
            blob_key=row["blob_key"],
            task_id=row["task_id"].hex,
            found_at=row["found_at"],
            seen_at=row["seen_at"],
            resolved_at=row["resolved_at"],
        )
        for row in await statements.fetch("list_scrub_findings", before, backend_id, kind, unresolved, limit)
    ]


async def due(statements: Statements, intervals: dict[str, float]) -> list[tuple[str, str]]:
    """(backend id, depth) of the scrubs that are due. ``intervals``: depth → seconds."""
    rows = await statements.fetch("list_due_scrubs", list(intervals), list(intervals.values()))
    return [(row["backend_id"], row["depth"]) for row in rows]
