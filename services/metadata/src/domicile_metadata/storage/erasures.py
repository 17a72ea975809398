"""What is gone of a key, a prefix, a bucket or a tenant, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domicile_metadata.storage.database import Session


@dataclass(frozen=True, slots=True)
class Subject:
    """``bucket``: ``None`` for all of the tenant's. ``key`` or ``prefix``, or neither."""

    tenant: str
    bucket: str | None = None
    key: str | None = None
    prefix: str | None = None

    def arguments(self) -> tuple[str, str | None, bytes | None, bytes | None]:
        return self.tenant, self.bucket, _encoded(self.key), _encoded(self.prefix)


@dataclass(frozen=True, slots=True)
class Counts:
    """``unattributed``: removals in the bucket, done or owed, whose key is not known, so that they may be the subject's.

    ``unexplained``: what a scrub or a rebuild has found there that is Domicile's, and of which the record says nothing.
    """

    versions: int
    delete_markers: int
    size: int
    unfinished: int
    unconfirmed: int
    unattributed: int
    unexplained: int


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


async def hold_snapshot(session: Session) -> None:
    """First of all: everything that the transaction reads belongs together."""
    await session.execute("hold_snapshot")


async def count(session: Session, subject: Subject) -> Counts:
    row = await session.row("count_erasure", *subject.arguments())
    assert row is not None
    versions, delete_markers, size = row["present"]
    return Counts(versions, delete_markers, size, row["unfinished"], row["unconfirmed"], row["unattributed"], row["unexplained"])


async def list_erased(session: Session, subject: Subject, after: int, limit: int) -> list[dict[str, Any]]:
    """In the order of ``removal_id``, behind ``after``."""
    return [dict(row) for row in await session.fetch("list_erased", *subject.arguments(), after, limit)]


async def list_owed(session: Session, subject: Subject, limit: int) -> list[dict[str, Any]]:
    return [dict(row) for row in await session.fetch("list_owed_removals", *subject.arguments(), limit)]


async def list_left(session: Session, subject: Subject, limit: int) -> list[dict[str, Any]]:
    return [dict(row) for row in await session.fetch("list_left", *subject.arguments(), limit)]
