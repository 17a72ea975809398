"""What long tasks have to say about single objects."""

from __future__ import annotations

import msgspec

from domicile_common.metadata_client.base import Empty
from domicile_common.metadata_client.findings import Finding, NoteFindings
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.storage import transfers


class Findings(msgspec.Struct, frozen=True):
    findings: tuple[Finding, ...]
    truncated: bool


async def note(context: Context, request: NoteFindings) -> Empty:
    if is_id(request.task_id):
        await transfers.note_findings(context.database, request.task_id, request.findings)
    return Empty()


async def list_page(context: Context, task_id: str, after: str, limit: int) -> Findings:
    """By key. None for a task that is not there."""
    found = await transfers.list_findings(context.database, task_id, after, limit + 1) if is_id(task_id) else []
    return Findings(tuple(found[:limit]), len(found) > limit)
