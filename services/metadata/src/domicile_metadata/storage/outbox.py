"""The outbox: messages that a transaction owes the broker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from domicile_metadata.storage.database import Statements

NOTIFY_CHANNEL = "outbox"

Lane = Literal["fresh", "removal", "backfill"]  # see migrations/0070_pre_lanes.sql
UNHURRIED: Final[tuple[Lane, ...]] = ("removal", "backfill")  # in their order


class Queue(NamedTuple):
    """Which of a backend's two queues a row is for."""

    routing_key: str
    is_backfill: bool


@dataclass(frozen=True)
class Row:
    """``routing_key``: ``replicate.<backend id>`` or ``invalidate``. ``body``: the event as JSON. ``is_backfill``: it is for the second queue."""

    row_id: int
    routing_key: str
    body: bytes
    trace: str
    is_backfill: bool = False

    @property
    def queue(self) -> Queue:
        return Queue(self.routing_key, self.is_backfill)


async def take(statements: Statements, limit: int, aside: Collection[Queue] = ()) -> list[Row]:
    """The oldest due rows but for those of the queues ``aside``, locked until the transaction ends."""
    keys, kinds = [queue.routing_key for queue in aside], [queue.is_backfill for queue in aside]
    rows = await statements.fetch("take_outbox", limit, keys, kinds)
    return [Row(row["id"], row["routing_key"], row["body"].encode(), row["trace"], row["is_backfill"]) for row in rows]


async def delete(statements: Statements, rows: Sequence[Row]) -> None:
    await statements.execute("delete_outbox", [row.row_id for row in rows])


async def postpone(statements: Statements, rows: Sequence[Row], seconds: float) -> None:
    await statements.execute("postpone_outbox", [row.row_id for row in rows], seconds)


async def backend_ids(statements: Statements) -> list[str]:
    """Every backend that rows may be for."""
    return [row["backend_id"] for row in await statements.fetch("list_backend_ids")]


async def served_backend_ids(statements: Statements) -> list[str]:
    """Those that workers take jobs for."""
    return [row["backend_id"] for row in await statements.fetch("list_served_backend_ids")]


async def unrelayed_backfill(statements: Statements) -> Counter[str]:
    """Backend id → messages for its backfill queue that are not there yet."""
    return Counter({row["backend_id"]: row["messages"] for row in await statements.fetch("count_unrelayed_backfill")})


async def enqueue_due(statements: Statements, lane: Lane, room: Mapping[str, int], overdue_seconds: float) -> Counter[str]:
    """A row for each replica of a lane that is owed and due, which is then due again after ``overdue_seconds`` or more.

    ``room``: backend id → how many at most. Answers how many there were.
    """
    rows = await statements.fetch("enqueue_due", list(room), list(room.values()), lane, overdue_seconds)
    if rows:
        await statements.execute("notify", NOTIFY_CHANNEL, "")
    return Counter(row["backend_id"] for row in rows)
