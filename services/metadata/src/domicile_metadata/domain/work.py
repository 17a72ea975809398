"""What is owed for a replica, and what a worker's report changes. Pure: the random number is an argument.

::

    wanted, lost ──verified──▶ verified (still owed: its stamp, when it is not whole)
    verified ──failed, unsure──▶ lost (of two workers the second may have spoilt what the first one has verified)
    any ──policy, overwrite, delete──▶ deleting ──deleted──▶ gone

``fence`` is a fencing token (docs/adr/0049): raised whenever what a worker has found out at the backend before counts no more, so that the late
report of one that was slow is not believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from domicile_common.metadata_client.models import Report
from domicile_common.model import BackendState, ReplicaState
from domicile_common.retry import Park, next_attempt

REASON_LENGTH: Final = 500  # characters of a worker's explanation that are kept


@dataclass(frozen=True, slots=True)
class Replica:
    """``due_seconds``: when it is looked at again, ``None`` for never (nothing is owed, or it is parked). ``blob_key``: where its bytes are.

    ``age_seconds``: for how long it has been in its state. ``looks``: see migrations/0072_pre_second_look.sql.
    ``revision``: of what its stamp should say. ``is_writable``: its backend is active, and inside the lock.
    """

    state: ReplicaState
    stamped: bool
    attempt: int
    due_seconds: float | None = None
    parked_reason: str | None = None
    blob_key: str = ""
    age_seconds: float = 0.0
    looks: int = 0
    revision: int = 0
    fence: int = 0
    is_writable: bool = True

    @property
    def is_owed(self) -> bool:
        return self.state in {"wanted", "lost", "deleting"} or not self.stamped


def action(
    replica: Replica, backend: BackendState, *, is_inside: bool, is_last: bool = False
) -> Literal["none", "copy", "delete", "stamp"]:
    """What a worker should do now.

    Nothing is written to a backend that is not active, or that is not ``is_inside`` the bucket's lock; what is there may be removed from
    any backend that is neither disabled nor lost. ``is_last``: its version is there, and has no good copy (any more): then it waits, and the
    others may be made from it.
    """
    if replica.state == "deleting":
        return "none" if is_last or backend in ("disabled", "lost") else "delete"
    if backend != "active" or not is_inside:
        return "none"
    if replica.state in {"wanted", "lost"}:
        return "copy"
    return "none" if replica.stamped else "stamp"


def after(
    report: Report, replica: Replica, *, overdue_seconds: float, second_look_seconds: float, random_unit: float
) -> Replica | None:
    """The replica after a report; the same object when the report is about a state that has passed, ``None`` when its row is done with."""
    match report.outcome:
        case "failed" if replica.is_owed or report.unsure:
            return _failed(report, replica, random_unit)
        case "working" if may_go_on(replica):
            return replace(replica, due_seconds=overdue_seconds)
    if replica.state == "deleting":
        return _after_removal(report, replica, second_look_seconds)
    return _after_copy(report, replica)


def _after_removal(report: Report, replica: Replica, second_look_seconds: float) -> Replica | None:
    """Of what is to be removed. A copy or stamp may have come to its end after somebody saw that nothing was there."""
    if report.outcome in {"verified", "stamped"}:
        return replace(replica, fence=replica.fence + 1)
    return _deleted(replica, second_look_seconds) if report.outcome == "deleted" and is_certain(report, replica) else replica


def _after_copy(report: Report, replica: Replica) -> Replica:
    """Of what is wanted or there. Whoever was slow may have written an older stamp over the one that was reported."""
    is_stored = replica.state in {"stored", "verified"}
    is_current = report.revision in {None, replica.revision}
    if report.outcome == "verified" and is_certain(report, replica):
        stamped = is_current and (report.stamped or (is_stored and replica.stamped))
        return _good(replace(replica, state="verified"), stamped=stamped)
    if not is_stored:  # what is said to be there may be: worth a look at once
        return replace(replica, due_seconds=0.0, parked_reason=None) if report.outcome == "verified" else replica
    if report.outcome == "stamped" and is_current:
        return _good(replica, stamped=True)
    return replica if is_current else _good(replica, stamped=False)


def may_go_on(replica: Replica) -> bool:
    """Whether a copy that is under way is still wanted, and allowed."""
    return replica.state in {"wanted", "lost"} and replica.is_writable


def is_certain(report: Report, replica: Replica) -> bool:
    """Whether what it says of the blob still counts."""
    return report.fence in {None, replica.fence}


def _good(replica: Replica, *, stamped: bool) -> Replica:
    return replace(replica, stamped=stamped, attempt=0, due_seconds=None if stamped else 0.0, parked_reason=None)


def _deleted(replica: Replica, second_look_seconds: float) -> Replica | None:
    """Once is enough where nobody may still be writing. A report that is made twice is not a second look."""
    if replica.looks > 1:
        looked = replace(replica, looks=1, fence=replica.fence + 1, age_seconds=0.0)
        return replace(looked, attempt=0, due_seconds=second_look_seconds, parked_reason=None)
    if replica.looks and replica.age_seconds < second_look_seconds / 2:
        return replica
    return None


def _failed(report: Report, replica: Replica, random_unit: float) -> Replica:
    if report.unsure:
        replica = replace(replica, fence=replica.fence + 1)
        if replica.state == "deleting":  # what failed was a copy, of which something may still be on its way
            return replace(replica, looks=2)
        if replica.state in {"stored", "verified"}:
            return _doubted(replica)
    attempt = replica.attempt + 1
    verdict = next_attempt(report.error_class, attempt, random_unit)
    if isinstance(verdict, Park):
        reason = f"{report.error_class}: {report.reason}"[:REASON_LENGTH]
        return replace(replica, attempt=attempt, due_seconds=None, parked_reason=reason)
    return replace(replica, attempt=attempt, due_seconds=verdict.total_seconds(), parked_reason=None)


def _doubted(replica: Replica) -> Replica:
    """Nobody reads it until it was looked at; where nobody may write, and so nobody would look, it is read on, but counts no more as verified."""
    if not replica.is_writable:
        return replace(replica, state="stored")
    return replace(replica, state="lost", attempt=0, due_seconds=0.0, parked_reason=None)
