"""Two snapshots compared, and one held against a policy. Metadata keeps them; the work is done here, off the object path."""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import quote

import msgspec

from domicile_common.errors import RequestError
from domicile_common.snapshots import Diff, diff, merged
from domicile_common.sovereignty import Holding, MovePlan, plan
from domicile_common.value import Value
from domicile_discovery.metadata import Refused, Sources
from domicile_discovery.places import Question, candidates

SnapshotId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]


class Snapshot(Value, frozen=True):
    endpoint: str
    keys: str
    truncated: bool


class Shown(Value, frozen=True):
    """As the admin API shows a snapshot, as far as it matters here."""

    snapshot: Snapshot
    numbers: tuple[int, ...]
    totals: tuple[Holding, ...]


async def compare(there: Sources, before: str, after: str, limit: int) -> Diff:
    """Holds both compressed, a few MiB for each hundred thousand objects, and unpacks them as it goes."""
    old, new = await show(there, before), await show(there, after)
    if old.snapshot.keys != new.snapshot.keys:
        raise RequestError(
            "InvalidArgument", "The keys of one are kept in another way than those of the other: they cannot be compared."
        )
    old_pieces = [await _piece(there, before, number) for number in old.numbers]
    new_pieces = [await _piece(there, after, number) for number in new.numbers]
    return await asyncio.to_thread(diff, merged(old_pieces), merged(new_pieces), limit)


async def plan_moves(there: Sources, snapshot_id: str, question: Question) -> tuple[MovePlan, bool]:
    """The plan, and whether the snapshot was truncated."""
    policy = question.effective()
    shown = await show(there, snapshot_id)
    places = await candidates(there, question.among)
    made = await asyncio.to_thread(
        plan, policy, shown.totals, places, endpoint=shown.snapshot.endpoint, features=question.features
    )
    return made, shown.snapshot.truncated


async def show(there: Sources, snapshot_id: str) -> Shown:
    return await there.metadata.call("GET", f"/proxy/snapshots/{quote(snapshot_id, safe='')}", there.shown, Shown)


async def _piece(there: Sources, snapshot_id: str, number: int) -> bytes:
    """As it is stored, still compressed."""
    path = f"/proxy/snapshots/{quote(snapshot_id, safe='')}/pieces/{number}"
    async with there.metadata.stream("GET", path, there.shown) as response:
        if response.is_error:
            raise Refused(response.status_code, await response.aread())
        return b"".join([chunk async for chunk in response.aiter_raw()])
