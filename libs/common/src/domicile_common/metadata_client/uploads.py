"""The internal calls of multipart uploads; what begins and commits them is in ``writes``. Pure."""

from __future__ import annotations

from datetime import datetime

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.metadata_client.objects import UNCONDITIONAL, Condition
from domicile_common.model import Blob, Facts, Part, Tenant, Value


class RegisterUpload(Request[Empty], frozen=True, kw_only=True):
    """``uploads``: backend id → the backend's own upload id. ``initiator``: who began it, unless that was somebody without a key."""

    bucket_id: str
    upload_id: str
    uploads: dict[str, str]
    checksum_algorithm: str = ""
    checksum_type: str = ""
    initiator: Tenant | None = None


class FindUpload(Request["Upload"], frozen=True, kw_only=True):
    """Errors: ``NoSuchUpload``."""

    bucket_id: str
    key: str
    upload_id: str


class Upload(Value, frozen=True):
    """An upload in progress. ``uploads`` maps the written backends to their upload ids; ``blobs`` are those backends' targets.

    ``quorum``: how many of them must hold the object in the end.
    """

    bucket_id: str
    key: str
    upload_id: str
    initiated_at: datetime
    facts: Facts
    blobs: tuple[Blob, ...]
    uploads: dict[str, str]
    checksum_algorithm: str = ""
    checksum_type: str = ""
    quorum: int = 1
    initiator: Tenant | None = None


class PutPart(Request[Empty], frozen=True, kw_only=True):
    """Records an uploaded part (replacing one of the same number); renews the deadline.

    ``dropped``: backends that did not take it; the upload goes on without them, if enough are left (else ``Unavailable``).
    """

    bucket_id: str
    upload_id: str
    part: Part
    checksums: dict[str, str] = {}
    dropped: tuple[str, ...] = ()


class ListParts(Request["PartPage"], frozen=True, kw_only=True):
    bucket_id: str
    key: str
    upload_id: str
    after: int = 0
    limit: int = 1000


class PartEntry(Value, frozen=True):
    part: Part
    last_modified: datetime
    checksums: dict[str, str] = {}


class PartPage(Value, frozen=True):
    upload: Upload
    parts: tuple[PartEntry, ...]
    truncated: bool


class CompletedPart(Value, frozen=True):
    """As the client names it: number and ETag without quotes, and its checksums when it gives them."""

    number: int
    etag: str
    checksums: dict[str, str] = {}


class BeginComplete(Request["Completion"], frozen=True, kw_only=True):
    """Fixes the parts of the version.

    Errors: ``NoSuchUpload``, ``InvalidPart``, ``InvalidPartOrder``, ``EntityTooSmall``, ``PreconditionFailed``, ``NoSuchKey``.
    May be repeated with the same parts after a failure on the way to the commit; with others after ``ReopenUpload``. ``fix``: False only
    looks, so that what the client says of the whole can be checked while it may still choose other parts. ``condition``: of the commit; when
    it fails already now, the upload is still there.
    """

    bucket_id: str
    key: str
    upload_id: str
    parts: tuple[CompletedPart, ...]
    fix: bool = True
    condition: Condition = UNCONDITIONAL


class Completion(Value, frozen=True):
    """The chosen parts in order, with sizes and checksums as recorded."""

    upload: Upload
    parts: tuple[PartEntry, ...]


class ReopenUpload(Request[Empty], frozen=True, kw_only=True):
    """The completion that has fixed the parts failed without having made anything of them at any backend, so that others may be fixed.

    Not before all completions that have fixed them have said so, once each: another one may still be at work.
    """

    bucket_id: str
    upload_id: str


CALLS = (
    Call("register-upload", RegisterUpload, Empty, safe=True),
    Call("find-upload", FindUpload, Upload, safe=True),
    Call("put-part", PutPart, Empty, safe=True),
    Call("list-parts", ListParts, PartPage, safe=True),
    Call("begin-complete", BeginComplete, Completion, safe=True),
    Call("reopen-upload", ReopenUpload, Empty, safe=False),
)
