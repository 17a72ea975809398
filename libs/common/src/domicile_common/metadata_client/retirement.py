"""The internal calls about physical buckets whose logical bucket is gone (docs/adr/0052). Pure."""

from __future__ import annotations

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Value


class Retire(Request["Retired"], frozen=True, kw_only=True):
    """Takes a physical bucket out of use for good, if nothing on record refers to it. Its name is never used again."""

    backend_id: str
    namespace: str


class Retired(Value, frozen=True):
    """``is_free``: it is out of use, so that it may be removed."""

    is_free: bool


class NoteRemoved(Request[Empty], frozen=True, kw_only=True):
    """A physical bucket that was out of use is gone at its backend."""

    backend_id: str
    namespace: str


CALLS = (
    Call("retire", Retire, Retired, safe=True),
    Call("note-removed", NoteRemoved, Empty, safe=True),
)
