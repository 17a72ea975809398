"""Bringing what exists in line with policies and backends.

A bucket's epoch is raised whenever they change. What was decided in an earlier epoch is compared with what they ask for now: first every
version, page by page in the order of their ids; then, where something waits (``unsettled``), each one when a worker has reported about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from domicile_common.model import Blob
from domicile_metadata.domain.arrangement import Copy
from domicile_metadata.storage.database import Session, Statements

Reference = tuple[str, str]  # bucket id, version id


@dataclass(frozen=True, slots=True)
class Open:
    """A bucket whose versions are being compared; those up to ``compared_to`` have been."""

    bucket_id: str
    epoch: int
    compared_to: str

    @property
    def is_new(self) -> bool:
        return not int(self.compared_to, 16)


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a version. ``key``: ``None`` when there is no such version; ``deadline``: of its intent, when there is one.

    ``copies_asked_for``: its tag ``replica-count``. ``removed_from``: backends where a blob of it was removed before. ``due_at``: when it is to
    be looked at (again), ``None`` when nobody has asked for that.
    """

    reference: Reference
    key: str | None
    storage_class: str
    copies_asked_for: str | None
    copies: tuple[Copy, ...]
    removed_from: frozenset[str]
    deadline: datetime | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """To be looked at again at ``due_at``, or (``None``) when a worker has reported. ``refusal``: why the policy cannot be satisfied."""

    reference: Reference
    due_at: datetime | None = None
    refusal: str | None = None


async def raise_epochs(session: Session, bucket_ids: Sequence[str] | None, cause: str) -> None:
    """Of all buckets, when ``None``. All their versions are compared from now on."""
    await session.execute("raise_epochs", bucket_ids, cause)


async def intents_outside(session: Session, bucket_ids: Sequence[str] | None) -> list[Reference]:
    """Writes that are to go where the locks do not allow it; nobody else ends them until the transaction ends."""
    return _references(await session.fetch("list_intents_outside", bucket_ids))


async def has_intents_outside(statements: Statements, bucket_id: str) -> bool:
    found: bool = await statements.value("has_intents_outside", bucket_id)
    return found


async def await_intents(session: Session, bucket_ids: Sequence[str] | None) -> None:
    """What becomes of the writes that have begun is compared as well."""
    await session.execute("await_intents", bucket_ids)


async def reconsider_refused(session: Session) -> None:
    await session.execute("reconsider_refused")


async def due(statements: Statements, limit: int) -> list[Reference]:
    return _references(await statements.fetch("list_due_versions", limit))


async def find_open(statements: Statements) -> Open | None:
    row = await statements.row("find_open_rearrangement")
    return None if row is None else Open(row["bucket_id"].hex, row["epoch"], row["compared_to"].hex)


async def list_ids(statements: Statements, bucket_id: str, after: str, limit: int) -> list[Reference]:
    return [(bucket_id, row["version_id"].hex) for row in await statements.fetch("list_version_ids", bucket_id, after, limit)]


async def read(statements: Statements, references: Sequence[Reference]) -> list[Found]:
    """One for each."""
    return [_found(row) for row in await statements.fetch("read_copies", *_columns(references))]


def _found(row: Any) -> Found:
    return Found(
        reference=(row["bucket_id"].hex, row["version_id"].hex),
        key=None if row["key"] is None else row["key"].decode(),
        storage_class=row["storage_class"] or "",
        copies_asked_for=row["copies_asked_for"],
        copies=copies_of(row["copies"]),
        removed_from=frozenset(row["removed_from"]),
        deadline=row["deadline"],
        due_at=row["due_at"],
    )


def copies_of(rows: Iterable[Any]) -> tuple[Copy, ...]:
    """Each an array of backend id, state and (if it is owed) its stamp."""
    return tuple(Copy(backend_id, state, stamped=owed is None) for backend_id, state, owed in rows)


async def hold(session: Session, references: Sequence[Reference]) -> set[Reference]:
    """Those versions that nobody else is changing: they and all their replicas stay until the transaction ends."""
    held = _references(await session.fetch("hold_versions", *_columns(references)))
    await hold_copies(session, held)
    await session.execute("hold_unsettled", *_columns(references))
    return set(held)


async def hold_copies(session: Session, references: Sequence[Reference]) -> None:
    """All replicas of these versions stay until the transaction ends."""
    await session.execute("hold_replicas", *_columns(references))


async def want(session: Session, blobs: Iterable[tuple[Reference, Blob]]) -> None:
    """Copies that are owed. Raises ``PolicyRefused`` when one lies outside its bucket's lock."""
    rows = sorted((*reference, blob.backend_id, blob.namespace, blob.blob_key) for reference, blob in blobs)
    await session.execute("want_replicas", *([row[column] for row in rows] for column in range(5)))


async def unwant(session: Session, replicas: Iterable[tuple[Reference, str]], grace_seconds: float) -> None:
    rows = sorted((*reference, backend_id) for reference, backend_id in replicas)
    await session.execute("unwant_replicas", *([row[column] for row in rows] for column in range(3)), grace_seconds)


async def redecide(session: Session, changes: Sequence[tuple[Reference, dict[str, Any]]]) -> None:
    """What changes of the decisions of versions."""
    documents = [msgspec.json.encode(change).decode() for _, change in changes]
    await session.execute("redecide_versions", *_columns([reference for reference, _ in changes]), documents)


async def unsettle(session: Session, versions: Sequence[Unsettled]) -> None:
    rows = sorted(versions, key=lambda row: row.reference)
    await session.execute(
        "unsettle_versions",
        *_columns([row.reference for row in rows]),
        [row.due_at for row in rows],
        [row.refusal for row in rows],
    )


async def postpone(session: Session, versions: Sequence[tuple[Found, datetime]]) -> None:
    """Until then, unless somebody has made one due since it was found."""
    rows = sorted(versions, key=lambda row: row[0].reference)
    await session.execute(
        "postpone_versions",
        *_columns([found.reference for found, _ in rows]),
        [found.due_at for found, _ in rows],
        [later for _, later in rows],
    )


async def settle(session: Session, references: Sequence[Reference]) -> None:
    await session.execute("settle_versions", *_columns(sorted(references)))


async def advance(statements: Statements, bucket: Open, compared_to: str | None, compared: int, changed: int) -> None:
    """``compared_to``: the last version of the page, ``None`` when it was the last page."""
    await statements.execute("advance_rearrangement", bucket.bucket_id, bucket.epoch, compared_to, compared, changed)


def _references(rows: Iterable[Any]) -> list[Reference]:
    return [(row["bucket_id"].hex, row["version_id"].hex) for row in rows]


def _columns(references: Sequence[Reference]) -> tuple[list[str], list[str]]:
    return [bucket_id for bucket_id, _ in references], [version_id for _, version_id in references]
