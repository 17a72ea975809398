"""Long tasks."""

from __future__ import annotations

import msgspec

from domicile_common.metadata_client.fake.state import State, answers
from domicile_common.metadata_client.tasks import Advanced, AdvanceTask, Claimed, ClaimTask


@answers(ClaimTask)
def claim_task(fake: State, request: ClaimTask) -> Claimed:
    for task in fake.tasks:
        if task.kind in request.kinds and fake.holders.setdefault(task.task_id, request.worker) == request.worker:
            return Claimed(task)
    return Claimed()


@answers(AdvanceTask)
def advance_task(fake: State, request: AdvanceTask) -> Advanced:
    at = next((at for at, task in enumerate(fake.tasks) if task.task_id == request.task_id), None)
    if at is None or fake.holders.get(request.task_id) != request.worker:
        return Advanced(go_on=False)
    changes = {"cursor": request.cursor, "progress": request.progress}
    changed = {name: value for name, value in changes.items() if value is not None}
    fake.tasks[at] = msgspec.structs.replace(fake.tasks[at], **changed)
    if request.outcome == "stopped":
        del fake.holders[request.task_id]
    elif request.outcome != "working":
        del fake.tasks[at]
    return Advanced(go_on=request.outcome == "working")
