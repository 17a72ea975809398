"""The internal calls of what a key holds: found, shown, changed and removed. Pure."""

from __future__ import annotations

from datetime import datetime

from domicile_common.bucket_settings import Acl
from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Blob, Instant, Lock, ReplicaState, Value, Version


class Locate(Request["Located"], frozen=True, kw_only=True):
    """The current version of a key, or one by S3 version id. Errors: ``NoSuchBucket`` (stale id), ``NoSuchKey``, ``NoSuchVersion``."""

    bucket_id: str
    key: str
    version_id: str | None = None


class Replica(Value, frozen=True):
    """A readable copy: ``stored`` or ``verified``, on a backend inside the lock. ``cost``: of reading there, the operator's measure.

    ``etag``: what the blob must have to be the right one, of an adopted object: others may write where it is.
    """

    blob: Blob
    verified: bool
    cost: int = 0
    etag: str = ""


class Located(Value, frozen=True):
    version: Version
    replicas: tuple[Replica, ...]


class FindPlacement(Request["PlacementOfVersion"], frozen=True, kw_only=True):
    """Where the copies of a version are, or shall be. ``version_id``: as in ``Version``. Error: ``NoSuchVersion``."""

    bucket_id: str
    version_id: str


class Copy(Value, frozen=True):
    """``since``: when it came into its state. ``verified_at``: when its bytes were last compared with the record."""

    backend_id: str
    provider: str
    country: str
    state: ReplicaState
    since: datetime
    verified_at: datetime | None = None


class PlacementOfVersion(Value, frozen=True):
    """``reason``: of the decision, as in ``Decision``. ``copies``: by backend id, in whatever state."""

    reason: str
    copies: tuple[Copy, ...]


class Condition(Value, frozen=True):
    """Decided inside the commit transaction; failing: ``PreconditionFailed``.

    ``if_match``: an ETag without quotes, or ``*``. ``if_none_match``: nothing may be there. ``other_than``: nothing with one of these ETags
    may be there. ``modified`` (whole seconds) and ``size`` are for deletions: what S3 calls x-amz-if-match-last-modified-time and -size.
    """

    if_none_match: bool = False
    if_match: str | None = None
    other_than: tuple[str, ...] = ()
    modified: Instant | None = None
    size: int | None = None


UNCONDITIONAL = Condition()


class Delete(Request["Deleted"], frozen=True, kw_only=True):
    """Removes the named version for good, or does to the key what the bucket's versioning says: removes it, or makes a delete marker.

    ``version_id``: ``null`` for the null version. ``condition``: on the named version, or on what the key holds. What is not there is no
    error, unless there is a condition: ``NoSuchKey``. Errors: ``AccessDenied`` (locked), ``PreconditionFailed``, ``InvalidArgument``.
    """

    bucket_id: str
    key: str
    version_id: str | None = None
    condition: Condition = UNCONDITIONAL
    bypass_governance: bool = False


class Deleted(Value, frozen=True):
    """As S3 shows it: ``version_id`` of what was removed or of the marker made; ``delete_marker``: it is (or was) one."""

    version_id: str | None = None
    delete_marker: bool = False


class PutAcl(Request[Empty], frozen=True, kw_only=True):
    """Replaces the access control list of a version, which its caller has located; ``None`` makes it the owner's alone again.

    Error: ``NoSuchKey`` when the version is gone.
    """

    bucket_id: str
    key: str
    version_id: str
    acl: Acl | None


class Committed(Value, frozen=True):
    version: Version


class ChangeVersion(Request["Committed"], frozen=True, kw_only=True):
    """Changes what may be changed of a version; what is ``None`` stays as it is. ``retention``: mode and date, neither to remove them.

    Errors: ``NoSuchKey``, ``NoSuchVersion``, ``MethodNotAllowed`` (a delete marker), ``InvalidRequest`` (a lock in a bucket without object
    lock), ``AccessDenied`` (a retention that may not be loosened), ``NotImplemented`` (another ``replica-count``).
    """

    bucket_id: str
    key: str
    version_id: str | None = None
    tags: dict[str, str] | None = None
    retention: Lock | None = None
    legal_hold: bool | None = None
    bypass_governance: bool = False


CALLS = (
    Call("put-acl", PutAcl, Empty, safe=True),
    Call("locate", Locate, Located, safe=True),
    Call("find-placement", FindPlacement, PlacementOfVersion, safe=True),
    Call("delete", Delete, Deleted, safe=False),
    Call("change-version", ChangeVersion, Committed, safe=True),
)
