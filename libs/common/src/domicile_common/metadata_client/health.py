"""How backends and copies look to those who read there. Pure."""

from __future__ import annotations

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Blob, Value


class Seen(Value, frozen=True, omit_defaults=False):
    """``is_avoided``: it failed, and was not seen to serve since. ``seconds``: until it begins to deliver, on average; 0: never asked."""

    backend_id: str
    is_avoided: bool
    seconds: float


class NoteHealth(Request[Empty], frozen=True, kw_only=True):
    """``observer``: any name of the process. Backends that are not registered are ignored."""

    observer: str
    backends: tuple[Seen, ...]


class Doubt(Value, frozen=True):
    """A copy that a read found missing, or unlike what the record says."""

    bucket_id: str
    version_id: str
    blob: Blob


class DoubtCopies(Request[Empty], frozen=True, kw_only=True):
    """Workers look at these copies, and make anew what is wrong; unless no other good one would be left to read meanwhile."""

    doubts: tuple[Doubt, ...]


CALLS = (Call("note-health", NoteHealth, Empty, safe=True), Call("doubt-copies", DoubtCopies, Empty, safe=True))
