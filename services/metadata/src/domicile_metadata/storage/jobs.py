"""What is owed for replicas, and what was given up for now or for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from domicile_common.model import Value
from domicile_metadata.storage.database import Session, Statements
from domicile_metadata.storage.work import Identity

Action = Literal["copy", "remove", "stamp"]


class Failure(Value, frozen=True):
    """``next_attempt_at``: ``None`` when it was parked then."""

    at: datetime
    error_class: str
    reason: str
    next_attempt_at: datetime | None = None


class Job(Value, frozen=True, kw_only=True):
    """What is owed for one replica, or was given up for now (``parked_reason``).

    ``key``: ``""`` when it is not known any more. ``lane``: ``fresh``, ``removal`` or ``backfill``. ``since``: when it came into its state.
    ``failures``: the last ten, oldest first.
    """

    bucket_id: str
    version_id: str
    backend_id: str
    tenant_id: str
    bucket: str
    key: str
    action: Action
    lane: str
    state: str
    stamped: bool
    attempt: int
    since: datetime
    next_attempt_at: datetime | None
    parked_reason: str | None
    error_class: str | None
    namespace: str
    blob_key: str
    failures: tuple[Failure, ...]

    @property
    def identity(self) -> Identity:
        return self.bucket_id, self.version_id, self.backend_id


class Which(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some jobs; ``None`` for any. ``bucket``: the name of one of ``tenant``. ``bucket_id``, ``version_id``: 32 hex digits."""

    backend_id: str | None = None
    tenant: str | None = None
    bucket: str | None = None
    action: Action | None = None
    error_class: str | None = None
    bucket_id: str | None = None
    version_id: str | None = None


class Backlog(Value, frozen=True):
    backend_id: str
    owed: int
    parked: int


class Held(Value, frozen=True):
    """A parked job that nobody else changes. ``others``: good copies of the version elsewhere."""

    identity: Identity
    action: Action
    others: int


class Drop(Value, frozen=True, kw_only=True):
    """A job that an operator has given up for good. ``parked_reason``: why it had been parked."""

    drop_id: int
    dropped_at: datetime
    action: Action
    reason: str
    parked_reason: str
    tenant_id: str
    bucket_id: str
    bucket: str
    key: str
    version_id: str
    backend_id: str
    namespace: str
    blob_key: str


async def count(statements: Statements) -> list[Backlog]:
    return [Backlog(*row) for row in await statements.fetch("count_jobs")]


async def list_page(
    statements: Statements,
    which: Which,
    limit: int,
    *,
    parked: bool | None = None,
    after: tuple[datetime, Identity] | None = None,
) -> list[Job]:
    """Oldest first. ``parked``: only those that are, or are not. ``after``: ``since`` and identity of the last one before."""
    since, identity = after or (None, (None, None, None))
    rows = await statements.fetch(
        "list_jobs",
        parked,
        which.backend_id,
        which.tenant,
        which.bucket,
        which.action,
        which.error_class,
        which.bucket_id,
        which.version_id,
        limit,
        since,
        *identity,
    )
    return [_job(row) for row in rows]


def _job(row: Any) -> Job:
    fields = _named(row)
    fields["since"] = fields.pop("changed_at")
    fields["failures"] = msgspec.json.decode(fields["failures"], type=tuple[Failure, ...])
    return Job(**fields)


def _named(row: Any) -> dict[str, Any]:
    fields = dict(row)
    names = {"bucket_id": fields["bucket_id"].hex, "version_id": fields["version_id"].hex, "key": (fields["key"] or b"").decode()}
    return fields | names


async def hold_parked(session: Session, ids: Sequence[Identity]) -> list[Held]:
    rows = await session.fetch("hold_parked", *_columns(ids))
    return [Held((row["bucket_id"].hex, row["version_id"].hex, row["backend_id"]), row["action"], row["others"]) for row in rows]


async def replay(session: Session, ids: Sequence[Identity]) -> None:
    await session.execute("replay_parked", *_columns(ids))


async def note_drops(session: Session, ids: Sequence[Identity], reason: str) -> None:
    """To be called before they are carried out."""
    await session.execute("note_drops", *_columns(ids), reason)


async def forget_removals(session: Session, ids: Sequence[Identity]) -> None:
    """The blobs stay where they are."""
    await session.execute("forget_removals", *_columns(ids))


async def list_drops(statements: Statements, tenant: str | None, bucket: str | None, before: int, limit: int) -> list[Drop]:
    """Latest first. ``before``: exclusive drop id."""
    return [Drop(**_named(row)) for row in await statements.fetch("list_drops", tenant, bucket, before, limit)]


async def count_parked(statements: Statements) -> dict[str, int]:
    """By backend, of all that are registered."""
    return {row["backend_id"]: row["parked"] for row in await statements.fetch("count_parked")}


async def find_parked(statements: Statements, ids: Sequence[Identity]) -> set[Identity]:
    """Which of these are parked."""
    rows = await statements.fetch("find_parked", *_columns(ids))
    return {(row["bucket_id"].hex, row["version_id"].hex, row["backend_id"]) for row in rows}


def _columns(ids: Sequence[Identity]) -> tuple[list[str], list[str], list[str]]:
    return [item[0] for item in ids], [item[1] for item in ids], [item[2] for item in ids]
