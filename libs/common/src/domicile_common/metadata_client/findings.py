"""What long tasks have to say about single objects. Pure."""

from __future__ import annotations

from typing import Literal

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Value


class Finding(Value, frozen=True):
    """``failed``: nothing was done, for this reason. ``conflict``: something else is there. ``leaving``: it was just being removed.

    ``vanished``: it was there before, and is not any more. ``trusted``: nothing could prove its bytes, so those that came are taken for right.
    """

    key: str
    kind: Literal["failed", "conflict", "leaving", "vanished", "trusted"]
    reason: str = ""


class NoteFindings(Request[Empty], frozen=True, kw_only=True):
    """A later one about the same key replaces the one before. Those of a task that is gone are dropped."""

    task_id: str
    findings: tuple[Finding, ...]


CALLS = (Call("note-findings", NoteFindings, Empty, safe=True),)
