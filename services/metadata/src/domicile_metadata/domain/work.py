"""What is owed for a replica, and what a worker's report changes. Pure: the random number is an argument.

::

    wanted, lost ──verified──▶ verified (still owed: its stamp, when it is not whole)
    verified ──failed, unsure──▶ lost (of two workers the second may have spoilt what the first one has verified)
    any ──policy, overwrite, delete──▶ deleting ──deleted──▶ gone
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
    ``revision``: of what its stamp should say.
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

    @property
    def is_owed(self) -> bool:
        return self.state in {"wanted", "lost", "deleting"} or not self.stamped


def action(replica: Replica, backend: BackendState, *, is_inside: bool) -> Literal["none", "copy", "delete", "stamp"]:
    """What a worker should do now.

    Nothing is written to a backend that is not active, or that is not ``is_inside`` the bucket's lock; what is there may be removed from
    any backend that is neither disabled nor lost.
    """
    if replica.state == "deleting":
        return "none" if backend in ("disabled", "lost") else "delete"
    if backend != "active" or not is_inside:
        return "none"
    if replica.state in {"wanted", "lost"}:
        return "copy"
    return "none" if replica.stamped else "stamp"


def after(
    report: Report, replica: Replica, *, overdue_seconds: float, second_look_seconds: float, random_unit: float
) -> Replica | None:
    """The replica after a report; the same object when the report is about a state that has passed, ``None`` when its row is done with."""
    is_stored = replica.state in {"stored", "verified"}
    is_current = report.revision in {None, replica.revision}
    match report.outcome:
        case "deleted" if replica.state == "deleting":
            return _deleted(replica, second_look_seconds)
        case "verified" if replica.state != "deleting":
            stamped = (report.stamped and is_current) or (is_stored and replica.stamped)
            return Replica("verified", stamped, 0, None if stamped else 0.0, blob_key=replica.blob_key)
        case "stamped" if is_stored and is_current:
            return Replica(replica.state, stamped=True, attempt=0, blob_key=replica.blob_key)
        case "working" if replica.is_owed:
            return replace(replica, due_seconds=overdue_seconds)
        case "failed" if replica.is_owed or report.unsure:
            return _failed(report, replica, random_unit)
    return replica


def _deleted(replica: Replica, second_look_seconds: float) -> Replica | None:
    """Once is enough where nobody may still be writing. A report that is made twice is not a second look."""
    if replica.looks > 1:
        return replace(replica, looks=1, attempt=0, due_seconds=second_look_seconds, parked_reason=None, age_seconds=0.0)
    if replica.looks and replica.age_seconds < second_look_seconds / 2:
        return replica
    return None


def _failed(report: Report, replica: Replica, random_unit: float) -> Replica:
    if report.unsure and replica.state in {"stored", "verified"}:
        return replace(replica, state="lost", attempt=0, due_seconds=0.0, parked_reason=None)
    attempt = replica.attempt + 1
    verdict = next_attempt(report.error_class, attempt, random_unit)
    if isinstance(verdict, Park):
        reason = f"{report.error_class}: {report.reason}"[:REASON_LENGTH]
        return replace(replica, attempt=attempt, due_seconds=None, parked_reason=reason)
    return replace(replica, attempt=attempt, due_seconds=verdict.total_seconds(), parked_reason=None)
