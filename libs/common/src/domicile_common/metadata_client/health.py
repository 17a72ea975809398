"""How backends look to those who talk to them. Pure."""

from __future__ import annotations

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Value


class Seen(Value, frozen=True, omit_defaults=False):
    """``is_avoided``: it failed, and was not seen to serve since. ``seconds``: until it begins to deliver, on average; 0: never asked."""

    backend_id: str
    is_avoided: bool
    seconds: float


class NoteHealth(Request[Empty], frozen=True, kw_only=True):
    """``observer``: any name of the process. Backends that are not registered are ignored."""

    observer: str
    backends: tuple[Seen, ...]


CALLS = (Call("note-health", NoteHealth, Empty, safe=True),)
