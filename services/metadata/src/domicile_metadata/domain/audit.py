"""The audit log: what stands in it, and how its rows hang together. Pure.

Each row's hash is the SHA-256 of its canonical JSON (RFC 8785, without ``hash`` itself), which holds the hash of the row before. Whoever has
kept a row's number and hash somewhere else can tell later whether anything up to it was changed, removed or put between.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from domicile_common.certificates import canonical
from domicile_common.model import Value

BEGINNING: Final = "0" * 64


class Entry(Value, frozen=True, omit_defaults=False):
    """One action. ``kind``, ``actor``, ``role``: see ``roles.Caller``; ``kind`` is ``nobody`` where nothing valid was shown.

    ``tenant_id``: whom it was about. ``action``: method and route. ``target``: the path, and what was made. ``status``, ``code``: of the
    answer; ``code`` is ``""`` for success. ``request_id``: the trace id, which log lines carry as well.
    """

    at: datetime
    kind: str
    actor: str
    role: str
    tenant_id: str | None
    action: str
    target: str
    status: int
    code: str
    request_id: str


class Row(Entry, frozen=True, omit_defaults=False):
    """``previous``, ``hash``: 64 hex digits."""

    seq: int
    previous: str
    hash: str


class Verdict(Value, frozen=True, omit_defaults=False):
    """``entries`` rows hang together, up to ``last`` with its ``hash``. ``broken_at``: the first row that does not, and why."""

    entries: int
    last: int
    hash: str
    broken_at: int | None = None
    why: str | None = None


def chain(entry: Entry, seq: int, previous: str) -> Row:
    """The row that follows the one whose hash is ``previous``."""
    row = Row(**{name: getattr(entry, name) for name in Entry.__struct_fields__}, seq=seq, previous=previous, hash="")
    return msgspec.structs.replace(row, hash=hash_of(row))


def hash_of(row: Row) -> str:
    document = msgspec.to_builtins(row)
    del document["hash"]
    return sha256(canonical(document)).hexdigest()


def check(rows: Iterable[Row], so_far: Verdict) -> Verdict:
    """Goes on where ``so_far`` ended. Without any row before (``last`` 0) the first one is taken as the beginning of what was kept."""
    for row in rows:
        why = _fault(row, so_far)
        if why is not None:
            return msgspec.structs.replace(so_far, broken_at=row.seq, why=why)
        so_far = Verdict(so_far.entries + 1, row.seq, row.hash)
    return so_far


def _fault(row: Row, so_far: Verdict) -> str | None:
    if hash_of(row) != row.hash:
        return "the row is not what was written"
    if so_far.last and row.seq != so_far.last + 1:
        return f"rows after {so_far.last} are missing"
    if so_far.hash not in (BEGINNING, row.previous):
        return "the row before is another one"
    if row.seq == 1 and row.previous != BEGINNING:
        return "it was not the first row"
    return None
