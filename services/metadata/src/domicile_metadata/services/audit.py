"""The audit log of the admin API: what was done is noted in the transaction that does it, what was refused in one of its own.

What somebody tries who has shown nothing valid, and what tenants' sessions may not, is noted up to ``STRANGERS_PER_SECOND``, so that
nobody fills the log from outside; all of it stands in the service's own log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Annotated, Final

import msgspec
import structlog

from domicile_common.errors import RequestError
from domicile_common.rates import Bucket
from domicile_metadata.context import Context
from domicile_metadata.domain.audit import BEGINNING, Entry, Row, Verdict, check
from domicile_metadata.storage import audit
from domicile_metadata.storage.audit import LATEST, Filter
from domicile_metadata.storage.database import Database, Session

log = structlog.get_logger()

STRANGERS_PER_SECOND: Final = 1.0
STRANGERS_AT_ONCE: Final = 60.0
PAGE: Final = 1000
ADMINS: Final = ("operator", "auditor", "tenant_admin")

_made: ContextVar[list[str]] = ContextVar("made")


class AuditPage(msgspec.Struct, frozen=True):
    """``next``: ``after`` of the next page, ``None`` on the last."""

    entries: tuple[Row, ...]
    next: int | None


def about(subject: str) -> None:
    """Notes what the action at hand has made, as part of its target; never a secret. Outside of an action it does nothing."""
    made = _made.get(None)
    if made is not None:
        made.append(subject)


class Action:
    """One request, from the moment when it is allowed until it is answered. ``entry``: as it will be when all goes well."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._made: list[str] = []
        self._row: Row | None = None

    def noted_in(self, database: Database) -> Database:
        """The first transaction that commits there notes the action as well."""
        _made.set(self._made)
        return database.ending_with(self._note)

    async def _note(self, session: Session) -> None:
        if self._row is None:
            target = " ".join([self._entry.target, *self._made])
            self._row = await audit.append(session, msgspec.structs.replace(self._entry, target=target))

    async def succeeded(self, database: Database) -> None:
        if self._row is None:
            async with database.transaction() as session:
                await self._note(session)
        if self._row is not None:
            _tell(self._row)

    async def failed(self, database: Database, status: int, code: str) -> None:
        """Also after something was committed: then both stand in the log."""
        await note(database, msgspec.structs.replace(self._entry, status=status, code=code))


async def note(database: Database, entry: Entry) -> None:
    async with database.transaction() as session:
        row = await audit.append(session, entry)
    _tell(row)


def _tell(row: Row) -> None:
    """With number and hash, so that whoever collects the logs can tell later that nobody has rewritten the record."""
    log.info("audit", **msgspec.to_builtins(row))


class Strangers:
    """How much is noted of those who are no admins."""

    def __init__(self) -> None:
        self._bucket = Bucket(STRANGERS_PER_SECOND, STRANGERS_AT_ONCE)

    def admits(self, entry: Entry, now: float) -> bool:
        return entry.role in ADMINS or self._bucket.take(1.0, now) == 0.0


async def list_page(context: Context, asked: Filter, before: int | None, limit: int) -> AuditPage:
    found = await audit.list_page(context.database, asked, LATEST if before is None else before, limit + 1)
    return AuditPage(tuple(found[:limit]), found[limit - 1].seq if len(found) > limit else None)


async def export(context: Context, tenant_id: str | None, after: int) -> AsyncIterator[bytes]:
    """NDJSON, oldest first."""
    encoder = msgspec.json.Encoder()
    while page := await audit.walk(context.database, after, PAGE, tenant_id):
        yield b"".join(encoder.encode(row) + b"\n" for row in page)
        after = page[-1].seq


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row that somebody has kept elsewhere."""

    after: Annotated[int, msgspec.Meta(ge=0, le=LATEST)] = 0
    hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")] = BEGINNING


async def verify(context: Context, anchor: Anchor) -> Verdict:
    """Whether the rows after the anchor hang together with it and with each other. Raises ``InvalidArgument`` for half an anchor."""
    if (anchor.after == 0) != (anchor.hash == BEGINNING):
        raise RequestError("InvalidArgument", "after and hash are given together.")
    verdict = Verdict(0, anchor.after, anchor.hash)
    while verdict.broken_at is None and (page := await audit.walk(context.database, verdict.last, PAGE)):
        verdict = check(page, verdict)
    return verdict
