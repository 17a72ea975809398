"""What an object of a provider's bucket is to the record. Pure.

What was written through Domicile is never overwritten, what was deleted through it never comes back: an object is adopted where its key
holds nothing, or what was adopted from this very place before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domicile_common.metadata_client.adoption import Verdict


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest version of a key. ``is_here``: its bytes were adopted from the place of the listed object."""

    etag: str
    size: int
    is_delete_marker: bool
    is_here: bool


@dataclass(frozen=True, slots=True)
class Place:
    """What the record has at the place of a listed object: ``etag`` of what was adopted, and when; ``is_leaving``: something is being removed."""

    etag: str | None = None
    adopted_at: datetime | None = None
    is_leaving: bool = False


def verdict(etag: str, size: int, place: Place, newest: Newest | None, since: datetime) -> Verdict:
    """``since``: when the adoption began."""
    if place.is_leaving:
        return "leaving"
    if place.etag == etag and place.adopted_at is not None:
        return "indexed" if place.adopted_at >= since else "known"
    if newest is None or (newest.is_here and not newest.is_delete_marker):
        return "new"
    is_same = not newest.is_delete_marker and (newest.etag, newest.size) == (etag, size)
    return "known" if is_same else "conflict"
