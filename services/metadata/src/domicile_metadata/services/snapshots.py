"""Snapshots: made piece by piece, read, exported and deleted, by operators and by the tenant whose they are.

What somebody else's is called, and that it is there at all, is told to nobody: it is ``NoSuchSnapshot``, as what never was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Annotated, NoReturn

import msgspec

from domicile_common.errors import RequestError
from domicile_common.model import Value
from domicile_common.snapshots import Header, Kept, Keys, Origin, Piece, header_member, keep, key_hasher
from domicile_common.sovereignty import Holding
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, is_id, uuid7
from domicile_metadata.domain.roles import Caller
from domicile_metadata.services import audit
from domicile_metadata.storage import snapshots
from domicile_metadata.storage.snapshots import Owner, SnapshotRecord

LARGEST_NUMBER = 1_000_000
_PIECE = msgspec.json.Decoder(Piece)


class NewSnapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``endpoint``: the origin of what was looked at, nothing else of its URL. ``keys``: what becomes of objects' keys."""

    endpoint: Origin
    keys: Keys
    title: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``truncated``: there was more than was sent."""

    truncated: bool = False


class SnapshotPage(msgspec.Struct, frozen=True):
    snapshots: tuple[SnapshotRecord, ...]
    truncated: bool


class ShownSnapshot(Value, frozen=True, omit_defaults=False):
    """``numbers``: of its pieces. ``totals``: by bucket and storage class."""

    snapshot: SnapshotRecord
    numbers: tuple[int, ...]
    totals: tuple[Holding, ...]


async def create(context: Context, caller: Caller, new: NewSnapshot) -> SnapshotRecord:
    """Raises ``TooManySnapshots``."""
    _may_change(caller)
    now = context.clock()
    async with context.database.transaction() as session:
        if await snapshots.count(session, caller.tenant_id) >= context.settings.snapshots_per_owner:
            raise RequestError("TooManySnapshots", f"There are {context.settings.snapshots_per_owner} already: delete one first.")
        snapshot_id = uuid7(now, context.entropy(RANDOM_BYTES))
        audit.about(snapshot_id)
        return await snapshots.insert(
            session, snapshot_id, caller.tenant_id, new.title, new.endpoint.lower(), keys=new.keys, now=now
        )


async def list_page(context: Context, caller: Caller, after: str, limit: int) -> SnapshotPage:
    """The newest first; ``after``: older ones than this."""
    before = after if is_id(after) else "f" * 32
    found = await snapshots.list_page(context.database, before, _owner(caller), limit + 1)
    return SnapshotPage(tuple(found[:limit]), len(found) > limit)


async def show(context: Context, caller: Caller, snapshot_id: str) -> ShownSnapshot:
    record = await _find(context, caller, snapshot_id)
    return ShownSnapshot(
        record,
        await snapshots.piece_numbers(context.database, record.snapshot_id),
        await snapshots.totals(context.database, record.snapshot_id),
    )


async def put_piece(context: Context, caller: Caller, snapshot_id: str, number: int, document: bytes) -> SnapshotRecord:
    """Keeps one piece, as far as the caps allow. Sending a piece again is harmless.

    Raises ``SnapshotFinished``, ``PieceExists`` when another piece has this number, ``InvalidArgument``.
    """
    _may_change(caller)
    record = await _find(context, caller, snapshot_id)
    secret = context.settings.namespace_key.get_secret_value().encode()
    piece = await asyncio.to_thread(_decode, document)
    room = max(0, context.settings.snapshot_objects - record.objects)
    cut = len(piece.objects) > room
    piece = msgspec.structs.replace(piece, objects=piece.objects[:room])
    kept = await asyncio.to_thread(keep, piece, record.keys, key_hasher(secret, record.tenant_id or ""))
    async with context.database.transaction() as session:
        record = await snapshots.lock(session, record.snapshot_id, _owner(caller)) or _no_such(snapshot_id)
        sent = sha256(document).digest()
        before = await snapshots.sent(session, record.snapshot_id, number)
        if before is not None:
            if before != sent:
                raise RequestError("PieceExists", f"The snapshot has another piece {number} already.")
            return record
        if record.finished_at is not None:
            raise RequestError("SnapshotFinished", "The snapshot is finished.")
        if not _has_room(context, record, kept):
            return await snapshots.add(session, record.snapshot_id, objects=0, size=0, stored=0, pieces=0, truncated=True)
        await snapshots.add_piece(session, record.snapshot_id, number, sent=sent, content=kept.content, totals=kept.totals)
        size = sum(total.bytes for total in kept.totals.values())
        return await snapshots.add(
            session, record.snapshot_id, objects=kept.objects, size=size, stored=len(kept.content), pieces=1, truncated=cut
        )


def _has_room(context: Context, record: SnapshotRecord, kept: Kept) -> bool:
    """Pieces that came at the same time may each have fitted by itself."""
    settings = context.settings
    return (
        record.objects + kept.objects <= settings.snapshot_objects
        and record.stored + len(kept.content) <= settings.snapshot_bytes
        and record.pieces < settings.snapshot_pieces
    )


def _decode(document: bytes) -> Piece:
    try:
        return _PIECE.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("InvalidArgument", f"The piece is malformed: {error}") from None


async def finish(context: Context, caller: Caller, snapshot_id: str, ending: Ending) -> SnapshotRecord:
    _may_change(caller)
    record = await _find(context, caller, snapshot_id)
    async with context.database.transaction() as session:
        return await snapshots.finish(session, record.snapshot_id, context.clock(), truncated=ending.truncated)


async def piece(context: Context, caller: Caller, snapshot_id: str, number: int) -> bytes:
    """A gzip member. Raises ``NoSuchSnapshot``, ``NoSuchPiece``."""
    record = await _find(context, caller, snapshot_id)
    content = await snapshots.piece(context.database, record.snapshot_id, number)
    if content is None:
        raise RequestError("NoSuchPiece", f"The snapshot has no piece {number}.")
    return content


async def export(context: Context, caller: Caller, snapshot_id: str) -> AsyncIterator[bytes]:
    """All of it as one gzip file, piece by piece."""
    record = await _find(context, caller, snapshot_id)
    numbers = await snapshots.piece_numbers(context.database, record.snapshot_id)

    async def members() -> AsyncIterator[bytes]:
        yield header_member(
            Header(
                snapshot_id=record.snapshot_id,
                title=record.title,
                endpoint=record.endpoint,
                keys=record.keys,
                created_at=record.created_at,
                truncated=record.truncated,
                objects=record.objects,
                bytes=record.bytes,
            )
        )
        for number in numbers:
            yield await piece(context, caller, snapshot_id, number)

    return members()


async def delete(context: Context, caller: Caller, snapshot_id: str) -> None:
    _may_change(caller)
    async with context.database.transaction() as session:
        if not is_id(snapshot_id) or not await snapshots.delete(session, snapshot_id, _owner(caller)):
            _no_such(snapshot_id)


async def _find(context: Context, caller: Caller, snapshot_id: str) -> SnapshotRecord:
    found = await snapshots.find(context.database, snapshot_id, _owner(caller)) if is_id(snapshot_id) else None
    return found or _no_such(snapshot_id)


def _owner(caller: Caller) -> Owner:
    return Owner(caller.sees_all, caller.tenant_id)


def _may_change(caller: Caller) -> None:
    if caller.access != "full":
        raise RequestError("NotAllowed", "This access key may only read.")


def _no_such(snapshot_id: str) -> NoReturn:
    raise RequestError("NoSuchSnapshot", f"There is no snapshot {snapshot_id}.")
