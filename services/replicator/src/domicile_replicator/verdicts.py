"""What a blob is that no row explains, and whether it goes (docs/adr/0014). Pure: the time is an argument."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from domicile_common.metadata_client.scrub import Scrub, Stranger
from domicile_common.stamps import Stamp


class Verdict(NamedTuple):
    kind: Literal["orphaned", "unknown", "foreign"]
    goes: bool
    why: str


def stranger_is(stranger: Stranger, stamp: Stamp | None, asked: Scrub, *, keeps_metadata: bool, now: datetime) -> Verdict:
    """``stamp``: what it says of itself. ``keeps_metadata``: the backend keeps stamps, so that a blob without one is none of ours.

    A version of which the record has never heard is what the backends of a lost record are full of: only an operator may let that go, and
    never while it is locked.
    """
    if stranger.was_removed:
        return Verdict("orphaned", goes=True, why="it was removed before, and has come back")
    if stranger.version_id and (stamp is not None or not keeps_metadata):
        if stamp is not None and _is_locked(stamp, now):
            return Verdict("unknown", goes=False, why="the record has never heard of this version, which is locked")
        return Verdict("unknown", goes=asked.unknown == "remove", why="the record has never heard of this version")
    if stranger.key.endswith("/"):  # some backends keep a folder so, with everything below it
        return Verdict("foreign", goes=False, why="the marker of a folder")
    return Verdict("foreign", goes=asked.foreign == "remove", why="not made by Domicile")


def _is_locked(stamp: Stamp, now: datetime) -> bool:
    lock = stamp.lock
    return lock is not None and (bool(lock.legal_hold) or (lock.until is not None and lock.until > now))
