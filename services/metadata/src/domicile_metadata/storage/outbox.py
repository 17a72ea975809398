"""The outbox: messages that a transaction owes the broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domicile_metadata.storage.database import Statements

NOTIFY_CHANNEL = "outbox"


@dataclass(frozen=True)
class Row:
    """``routing_key``: ``replicate.<backend id>`` or ``invalidate``. ``body``: the event as JSON."""

    row_id: int
    routing_key: str
    body: bytes
    trace: str


async def take(statements: Statements, limit: int) -> list[Row]:
    """The oldest due rows, locked until the transaction ends."""
    rows = await statements.fetch("take_outbox", limit)
    return [Row(row["id"], row["routing_key"], row["body"].encode(), row["trace"]) for row in rows]


async def delete(statements: Statements, rows: Sequence[Row]) -> None:
    await statements.execute("delete_outbox", [row.row_id for row in rows])


async def postpone(statements: Statements, rows: Sequence[Row], seconds: float) -> None:
    await statements.execute("postpone_outbox", [row.row_id for row in rows], seconds)


async def backend_ids(statements: Statements) -> list[str]:
    """Every backend that rows may be for."""
    return [row["backend_id"] for row in await statements.fetch("list_backend_ids")]


async def enqueue_overdue(statements: Statements, limit: int, overdue_seconds: float) -> int:
    """A row for each replica that is owed and due, which is then due again after ``overdue_seconds`` or more: how many."""
    made = await statements.execute("enqueue_overdue", limit, overdue_seconds)
    if made:
        await statements.execute("notify", NOTIFY_CHANNEL, "")
    return made
