"""The internal calls of a write, from its intent to its version. Pure."""

from __future__ import annotations

from datetime import datetime

from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.metadata_client.objects import UNCONDITIONAL, Committed, Condition
from domicile_common.model import Blob, Decision, Digest, Facts, Lock, Policy, Value


class Begin(Request["Intent"], frozen=True, kw_only=True):
    """TX1: the intent with its decision, before the first byte.

    ``avoid``: backends that this proxy finds down now (they may be wanted, never written to). ``policy``: the object level.
    ``upload``: this intent is a multipart upload. ``lock``: what the client asks for; without it the bucket's default applies at the commit.
    ``size``: bytes, as far as it is known. ``condition``: of the commit that will follow; what fails already now need not be written.
    Errors: ``NoSuchBucket``, ``QuotaExceeded`` (also of a commit and a part), ``KeyTooLongError``, ``InvalidRequest`` (a lock in a bucket
    without object lock), ``PreconditionFailed``, ``NoSuchKey``, policy refusals;
    ``unavailable`` when fewer than ``write_quorum`` allowed backends are up.
    """

    bucket_id: str
    key: str
    facts: Facts = Facts()
    policy: Policy | None = None
    avoid: tuple[str, ...] = ()
    upload: bool = False
    lock: Lock | None = None
    size: int = 0
    condition: Condition = UNCONDITIONAL


class Intent(Value, frozen=True):
    """``blobs``: a target for each backend of ``decision.wanted``, in its order. After ``deadline`` the sweeper removes what was left.

    For an upload, ``version_id`` is its upload id.
    """

    bucket_id: str
    key: str
    version_id: str
    decision: Decision
    blobs: tuple[Blob, ...]
    deadline: datetime


class Renew(Request[Empty], frozen=True, kw_only=True):
    """Moves the deadline of a live intent; ``NoSuchUpload`` when it is gone."""

    bucket_id: str
    version_id: str


class Stored(Value, frozen=True):
    """The blob at ``backend_id`` is complete. ``stamped``: its stamp is whole; otherwise a sidecar is owed."""

    backend_id: str
    etag: str
    stamped: bool = True


class Commit(Request["Committed"], frozen=True, kw_only=True):
    """TX2: version, replicas and outbox. The intent must be live: gone is ``unavailable`` (the client tries again); a refused commit sweeps it.

    ``digest.parts`` is empty for uploads: metadata knows the parts chosen by ``BeginComplete``. ``blobs``: where the bytes are. When the
    intent is gone, they may have arrived after its blobs had been removed, so they are removed (again), unless the version exists.
    """

    bucket_id: str
    version_id: str
    digest: Digest
    stored: tuple[Stored, ...]
    condition: Condition = UNCONDITIONAL
    blobs: tuple[Blob, ...] = ()


class Abort(Request[Empty], frozen=True, kw_only=True):
    """Ends an intent or upload: its blobs and backend uploads become jobs to remove. Repeating it is harmless.

    ``expected``: one that has become a version is ``NoSuchUpload``. So when a client aborts what another one completes, only the one that
    came first is told that it is done. One that was aborted before is not: whoever asks again may not have heard the answer.
    """

    bucket_id: str
    version_id: str
    expected: bool = False


CALLS = (
    Call("begin", Begin, Intent, safe=True),
    Call("renew", Renew, Empty, safe=True),
    Call("commit", Commit, Committed, safe=False),
    Call("abort", Abort, Empty, safe=True),
)
