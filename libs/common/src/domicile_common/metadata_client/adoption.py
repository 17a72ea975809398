"""The internal calls that bring a provider's bucket under management, where it is (docs/adr/0015). Pure."""

from __future__ import annotations

from typing import Literal

from domicile_common.metadata_client.base import Call, Request
from domicile_common.model import Digest, Facts, Instant, Value

Verdict = Literal["new", "indexed", "known", "leaving", "conflict"]


class Adoption(Value, frozen=True, kw_only=True):
    """The parameters of a task ``adopt``: objects of the provider's bucket ``source`` at a backend become those of a logical bucket.

    ``since``: when it was asked for, on the database's clock.
    """

    tenant: str
    bucket: str
    bucket_id: str
    backend: str
    source: str
    prefix: str = ""
    since: Instant


class Listed(Value, frozen=True):
    """As the provider's listing shows it."""

    key: str
    size: int
    etag: str


class CompareListed(Request["Compared"], frozen=True, kw_only=True):
    """What listed objects are to the record, which notes that those it knows are still there. Nothing else changes."""

    bucket_id: str
    backend_id: str
    source: str
    since: Instant
    objects: tuple[Listed, ...]


class Compared(Value, frozen=True):
    """One for each object. ``new``: it may be adopted. ``indexed``: it was, since then; ``known``: before that, or the same is in the bucket.

    ``leaving``: what was there is just being removed. ``conflict``: the key holds what was written or deleted through Domicile.
    """

    verdicts: tuple[Verdict, ...]


class Found(Value, frozen=True, kw_only=True):
    """All that a provider tells of an object. ``digest.etag`` is what it shows. ``modified_at``: its Last-Modified."""

    key: str
    modified_at: Instant
    facts: Facts
    digest: Digest


class AdoptObjects(Request[Compared], frozen=True, kw_only=True):
    """Those that are ``new`` become versions, readable at once; the copies that the policy wants besides are owed.

    Errors: ``NoSuchBucket``, policy refusals.
    """

    bucket_id: str
    backend_id: str
    source: str
    since: Instant
    objects: tuple[Found, ...]


class FindVanished(Request["Vanished"], frozen=True, kw_only=True):
    """A page of what was adopted before ``since`` and no listing has shown after it, by key. ``after``: exclusive."""

    bucket_id: str
    backend_id: str
    source: str
    prefix: str
    since: Instant
    after: str = ""
    limit: int = 1000


class Vanished(Value, frozen=True):
    keys: tuple[str, ...]


CALLS = (
    Call("compare-listed", CompareListed, Compared, safe=True),
    Call("adopt-objects", AdoptObjects, Compared, safe=True),
    Call("find-vanished", FindVanished, Vanished, safe=True),
)
