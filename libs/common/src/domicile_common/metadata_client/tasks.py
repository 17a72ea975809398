"""The internal calls of long tasks: work of operators that PostgreSQL owns and replicators carry out (see docs/adr/0013). Pure."""

from __future__ import annotations

from typing import Any, Literal

from domicile_common.metadata_client.base import Call, Request
from domicile_common.model import Value
from domicile_common.retry import ErrorClass

Json = dict[str, Any]


class ClaimTask(Request["Claimed"], frozen=True, kw_only=True):
    """The oldest task of these kinds that is due and that nobody works at, or whose worker has died.

    ``worker``: made up for this claim alone, so that asking again after an answer was lost gets the same task.
    """

    kinds: tuple[str, ...]
    worker: str


class Claimed(Value, frozen=True):
    """``task``: ``None`` when there is none."""

    task: Task | None = None


class Task(Value, frozen=True, kw_only=True):
    """``parameters``: what the operator said, complete, in the shape of its kind. ``cursor``: where it stood, empty at its beginning.

    ``progress``: counts to be shown.
    """

    task_id: str
    kind: str
    parameters: Json
    cursor: Json
    progress: dict[str, int]


class AdvanceTask(Request["Advanced"], frozen=True, kw_only=True):
    """How far a task has got. Extends the lease; what is ``None`` stays as it was. Whoever lost the task changes nothing.

    ``stopped``: handed back before its end. ``failed``: tried again after a while by its ``error_class``, or given up; at once without one.
    """

    task_id: str
    worker: str
    outcome: Literal["working", "stopped", "done", "failed"] = "working"
    cursor: Json | None = None
    progress: dict[str, int] | None = None
    error_class: ErrorClass | None = None
    reason: str = ""


class Advanced(Value, frozen=True):
    """``go_on``: False when the task was paused, cancelled, or given to another worker."""

    go_on: bool


CALLS = (
    Call("claim-task", ClaimTask, Claimed, safe=True),
    Call("advance-task", AdvanceTask, Advanced, safe=True),
)
