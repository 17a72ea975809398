"""What becomes of a long task when its worker reports, or an operator interferes. Pure: the random number is an argument.

::

    waiting ──claimed──▶ running ──▶ done, failed
       ▲  ◀──stopped, tried again──┘
       └── paused, failed (an operator resumes them);   cancelled: for good
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

from domicile_common.metadata_client.tasks import AdvanceTask
from domicile_common.retry import Park, next_attempt

TaskState = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]
Wish = Literal["pause", "resume", "cancel"]


class Prepared(NamedTuple):
    """``parameters``: what is kept of what an operator said. ``secret``: what is kept apart, sealed, until the task ends."""

    parameters: Any
    secret: str = ""


def task_backend(task_id: str) -> str:
    """How a place that only one task knows is told from backends: longer than the id of any that is registered."""
    return f"target-{task_id}"


FINISHED: Final = frozenset({"done", "failed", "cancelled"})
REASON_LENGTH: Final = 500  # characters of a worker's explanation that are kept

ALLOWED: Final[dict[Wish, tuple[frozenset[TaskState], TaskState]]] = {
    "pause": (frozenset({"waiting", "running", "paused"}), "paused"),
    "resume": (frozenset({"paused", "failed", "waiting"}), "waiting"),
    "cancel": (frozenset({"waiting", "running", "paused", "failed", "cancelled"}), "cancelled"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """``attempt``: failures since it last got on. ``error``: of the last one. ``due_seconds``: until it may be claimed; ``None``: no change."""

    state: TaskState
    holder: str | None = None
    attempt: int = 0
    error: str | None = None
    due_seconds: float | None = None


def after(report: AdvanceTask, task: Standing, random_unit: float) -> Standing | None:
    """The task after its worker's report; ``None`` when it is not this worker's any more. A wish of an operator stays in force."""
    if task.holder != report.worker or task.state in FINISHED:
        return None
    match report.outcome:
        case "working" if report.cursor is None:
            return task
        case "working":
            return Standing(task.state, task.holder)
        case "done":
            return Standing("done")
        case "stopped":
            return replace(task, state=_handed_back(task.state), holder=None)
        case "failed":
            return _failed(report, task, random_unit)


def _failed(report: AdvanceTask, task: Standing, random_unit: float) -> Standing:
    attempt = task.attempt + 1
    error = report.reason[:REASON_LENGTH]
    verdict = Park(attempt) if report.error_class is None else next_attempt(report.error_class, attempt, random_unit)
    if isinstance(verdict, Park):
        return Standing("failed", None, attempt, error)
    return Standing(_handed_back(task.state), None, attempt, error, verdict.total_seconds())


def _handed_back(state: TaskState) -> TaskState:
    return "waiting" if state == "running" else state


def wished(task: Standing, wish: Wish) -> Standing | None:
    """The task as an operator wants it; ``None`` when that is not possible. Whoever works at it finds out, and keeps the cursor till then."""
    allowed, state = ALLOWED[wish]
    if task.state not in allowed:
        return None
    if wish == "resume":
        return Standing(state, task.holder, due_seconds=0.0)
    return replace(task, state=state)
