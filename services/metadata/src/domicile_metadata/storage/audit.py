"""The audit log, which is only ever added to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from domicile_metadata.domain.audit import BEGINNING, Entry, Row, chain
from domicile_metadata.storage.database import Session, Statements

LOCK: Final = 0x0D0_A0D17  # any number that nothing else locks
LATEST: Final = 2**63 - 1


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for; ``None``: everything. ``about``: a part of action or target. ``until`` is exclusive."""

    tenant: str | None = None
    actor: str | None = None
    role: str | None = None
    about: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    refused: bool | None = None


async def append(session: Session, entry: Entry) -> Row:
    """The last thing that a transaction does, since nobody else can add anything until it ends."""
    await session.execute("lock_audit", LOCK)
    last = await session.row("find_last_audit")
    row = chain(entry, last[0] + 1 if last else 1, last[1] if last else BEGINNING)
    await session.execute("insert_audit", *msgspec.structs.astuple(row))
    return row


async def list_page(statements: Statements, asked: Filter, before: int, limit: int) -> list[Row]:
    """Newest first."""
    return _rows(await statements.fetch("list_audit", before, limit, *msgspec.structs.astuple(asked)))


async def walk(statements: Statements, after: int, limit: int, tenant_id: str | None = None) -> list[Row]:
    """Oldest first."""
    return _rows(await statements.fetch("walk_audit", after, limit, tenant_id))


def _rows(rows: Iterable[Any]) -> list[Row]:
    return [Row(*row) for row in rows]
