"""The parameters and internal calls of scrubs: what is at a backend, compared with the record (see docs/adr/0014). Pure.

All of them may be repeated: what was found before is found again, and what was done is not done twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Blob, Digest, Value

Rate = Annotated[float, msgspec.Meta(gt=0)]
FindingKind = Literal["missing", "corrupt", "unreadable", "orphaned", "unknown", "foreign", "upload", "misplaced"]


class Scrub(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``depth``: ``light`` compares what the backend lists with the record, ``deep`` reads the bytes. Of one bucket, of a tenant, or of all.

    ``foreign``: what was never Domicile's; ``unknown``: versions of which the record has never heard. Both are found by ``light``.
    ``older_than``: ``deep`` leaves out what was verified in so many last seconds.
    """

    backend_id: str
    depth: Literal["light", "deep"] = "light"
    tenant: str | None = None
    bucket: str | None = None
    foreign: Literal["remove", "report"] = "remove"
    unknown: Literal["remove", "report"] = "report"
    older_than: Annotated[float, msgspec.Meta(ge=0)] = 0
    bytes_per_second: Rate = 50e6
    requests_per_second: Rate = 50


class ListNamespaces(Request["Namespaces"], frozen=True, kw_only=True):
    """Physical buckets at a backend, by name. ``after``: exclusive."""

    backend_id: str
    tenant: str | None = None
    bucket: str | None = None
    after: str = ""


class Namespace(Value, frozen=True):
    """``bucket_id``: ``""`` when there is no such bucket now. ``is_own``: nobody but Domicile has anything there, as its name shows."""

    namespace: str
    bucket_id: str
    is_own: bool


class Namespaces(Value, frozen=True):
    """``now``: by PostgreSQL's clock."""

    namespaces: tuple[Namespace, ...]
    now: datetime


class Listed(Value, frozen=True):
    """As a backend lists it: key, size in bytes, ETag without quotes."""

    key: str
    size: int = 0
    etag: str = ""


class CompareBlobs(Request["Compared"], frozen=True, kw_only=True):
    """What the record says of what was listed just now; and notes for this task that it was seen.

    Whoever writes at a backend has said so in the record before, and whoever has removed something says so after it. So what was listed
    before this call and is not known during it belongs to nobody.
    """

    task_id: str
    backend_id: str
    namespace: str
    blobs: tuple[Listed, ...]


class Copy(Value, frozen=True):
    """A replica that should be good, and what its bytes should be."""

    bucket_id: str
    version_id: str
    blob: Blob
    digest: Digest


class Stranger(Value, frozen=True):
    """``version_id``: in its key, ``""`` when there is none. ``was_removed``: this very blob was, and has come back."""

    key: str
    version_id: str
    was_removed: bool


class Compared(Value, frozen=True):
    """``suspects``: they do not look like what the record describes. Whatever is in neither list is as it should be."""

    suspects: tuple[Copy, ...]
    strangers: tuple[Stranger, ...]


class CompareUploads(Request["Leftovers"], frozen=True, kw_only=True):
    """Which of these blob keys nobody is writing to."""

    backend_id: str
    namespace: str
    keys: tuple[str, ...]


class Leftovers(Value, frozen=True):
    keys: tuple[str, ...]


class ListUnseen(Request["Unseen"], frozen=True, kw_only=True):
    """Copies at a backend that were there before ``since`` and that this task has not seen; and those that are not wanted there.

    A page of a bucket, in the order of version ids. ``after``: exclusive.
    """

    task_id: str
    backend_id: str
    bucket_id: str
    since: datetime
    after: str = ""


class Unseen(Value, frozen=True):
    """``last``: to be the next page's ``after``; ``""`` at the end."""

    copies: tuple[Copy, ...]
    misplaced: tuple[Copy, ...]
    last: str


class ListCopies(Request["Copies"], frozen=True, kw_only=True):
    """Copies of a bucket that should be good, in the order of version ids. ``older_than``: seconds since they were verified."""

    backend_id: str
    bucket_id: str
    after: str = ""
    older_than: float = 0


class Copies(Value, frozen=True):
    """``last``: to be the next page's ``after``; ``""`` at the end."""

    copies: tuple[Copy, ...]
    last: str


class Finding(Value, frozen=True, kw_only=True):
    """``done``: ``removed`` by the worker, confirmed by a definite 404; ``repair`` is owed from now on; or only ``reported``."""

    kind: FindingKind
    blob: Blob
    done: Literal["removed", "repair", "reported"] = "reported"
    bucket_id: str = ""
    version_id: str = ""
    detail: str = ""


class ReportFindings(Request[Empty], frozen=True, kw_only=True):
    """``verified``: copies whose bytes were compared with the record just now."""

    task_id: str
    findings: tuple[Finding, ...] = ()
    verified: tuple[Copy, ...] = ()


class EndNamespace(Request[Empty], frozen=True, kw_only=True):
    """A light scrub has gone through it since then: what it was told before and has not found again is over."""

    task_id: str
    backend_id: str
    namespace: str
    bucket_id: str
    since: datetime


CALLS = (
    Call("list-namespaces", ListNamespaces, Namespaces, safe=True),
    Call("compare-blobs", CompareBlobs, Compared, safe=True),
    Call("compare-uploads", CompareUploads, Leftovers, safe=True),
    Call("list-unseen", ListUnseen, Unseen, safe=True),
    Call("list-copies", ListCopies, Copies, safe=True),
    Call("report-findings", ReportFindings, Empty, safe=True),
    Call("end-namespace", EndNamespace, Empty, safe=True),
)
