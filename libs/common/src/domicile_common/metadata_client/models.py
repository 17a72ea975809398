"""The internal calls between proxy or replicator and metadata: pure data.

Every call is ``POST /internal/<name>`` with a JSON array of requests and answers a JSON array of the same length and order,
each item either ``{"ok": <result>}`` or ``{"error": {"code", "message", "detail"}}`` (a ``RequestError``), or
``{"unavailable": "<why>"}``. Concurrent requests of one process for the same call are joined into one array.
A whole call that fails (no answer, 5xx) is ``Unavailable`` for each of its items.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal

from domicile_common.bucket_settings import Acl, BucketSettings, CorsRule, SettingName
from domicile_common.metadata_client import adoption, exports, findings, health, probes, rebuild, scrub, tasks
from domicile_common.metadata_client.base import Call as Call  # noqa: PLC0414 -- whoever calls looks for all of it here
from domicile_common.metadata_client.base import Empty as Empty  # noqa: PLC0414
from domicile_common.metadata_client.base import R as R  # noqa: PLC0414
from domicile_common.metadata_client.base import Request as Request  # noqa: PLC0414
from domicile_common.model import (
    Backend,
    Blob,
    Bucket,
    Credential,
    Decision,
    DefaultRetention,
    Digest,
    Facts,
    Instant,
    Lock,
    Part,
    Policy,
    ReplicaState,
    Tenant,
    Value,
    Version,
)

# --- directory: cached by the callers, invalidated by the fan-out exchange ---


class FindCredential(Request[Credential], frozen=True, kw_only=True):
    """Unknown, disabled or expired: ``InvalidAccessKeyId``."""

    access_key: str


class ListBackends(Request["Backends"], frozen=True):
    pass


class Backends(Value, frozen=True):
    backends: tuple[Backend, ...]


class FindBucket(Request[Bucket], frozen=True, kw_only=True):
    """The bucket that this tenant means by a name: its own, or else another tenant's that it may know of (docs/adr/0010).

    ``tenant_id``: ``""`` for somebody without a key. Errors: ``NoSuchBucket``; ``AccessDenied`` for somebody without a key, whether there is one or
    not, unless names are global.
    """

    tenant_id: str
    name: str


class CreateBucket(Request[Bucket], frozen=True, kw_only=True):
    """Errors: ``BucketAlreadyOwnedByYou``, ``InvalidLocationConstraint``, ``InvalidBucketName``, ``TooManyBuckets``, policy refusals.

    ``BucketAlreadyExists`` only where all tenants share one name space.
    """

    tenant_id: str
    name: str
    location: str = ""
    settings: BucketSettings = BucketSettings()
    object_lock: bool = False


class PutVersioning(Request[Empty], frozen=True, kw_only=True):
    """Errors: ``NoSuchBucket``; ``InvalidBucketState`` when a bucket with object lock is to be suspended."""

    bucket_id: str
    versioning: Literal["enabled", "suspended"]


class PutLockConfiguration(Request[Empty], frozen=True, kw_only=True):
    """Enables object lock, and sets or removes the default retention. Errors: ``InvalidBucketState`` unless versioning is enabled."""

    bucket_id: str
    default_retention: DefaultRetention | None = None


class FindBucketTags(Request["BucketTags"], frozen=True, kw_only=True):
    bucket_id: str


class PutBucketTags(Request[Empty], frozen=True, kw_only=True):
    """Replaces the whole set; ``None`` removes it."""

    bucket_id: str
    tags: dict[str, str] | None


class BucketTags(Value, frozen=True):
    """``tags``: ``None`` when the bucket has no set."""

    tags: dict[str, str] | None = None


class DeleteBucket(Request[Empty], frozen=True, kw_only=True):
    """Errors: ``NoSuchBucket``, ``BucketNotEmpty`` (versions are left; unfinished uploads end)."""

    tenant_id: str
    name: str


class ListBuckets(Request["BucketPage"], frozen=True, kw_only=True):
    tenant_id: str
    prefix: str = ""
    after: str = ""
    limit: int = 10_000


class BucketEntry(Value, frozen=True):
    name: str
    created_at: datetime
    location: str


class BucketPage(Value, frozen=True):
    buckets: tuple[BucketEntry, ...]
    truncated: bool = False


class ChangeBucket(Request[Empty], frozen=True, kw_only=True):
    """Sets every field of ``put`` that is not at its default, and forgets those in ``remove``. Error: ``NoSuchBucket``."""

    bucket_id: str
    put: BucketSettings = BucketSettings()
    remove: tuple[SettingName, ...] = ()


class ShareObjects(Request[Empty], frozen=True, kw_only=True):
    """Notes, before it becomes true, that objects of a bucket are granted to somebody or may belong to others than its owner.

    ``grantees``: see ``bucket_settings.Grant.grantee``. Errors: ``NoSuchBucket``, ``InvalidRequest`` (too many grantees).
    """

    bucket_id: str
    grantees: tuple[str, ...] = ()
    mixed: bool = False


class FindCors(Request["Cors"], frozen=True, kw_only=True):
    """For a browser's preflight, which does not say who will ask: the rules of all buckets of this name that have some."""

    name: str


class Cors(Value, frozen=True):
    rules: tuple[CorsRule, ...] = ()


class FindTenants(Request["Tenants"], frozen=True, kw_only=True):
    """Those that exist."""

    canonical_ids: tuple[str, ...]


class Tenants(Value, frozen=True):
    tenants: tuple[Tenant, ...]


# --- objects ---


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


class Committed(Value, frozen=True):
    version: Version


class Abort(Request[Empty], frozen=True, kw_only=True):
    """Ends an intent or upload: its blobs and backend uploads become jobs to remove. Repeating it is harmless.

    ``expected``: one that has ended before is ``NoSuchUpload``. So when a client aborts what another one completes, only the one that came
    first is told that it is done.
    """

    bucket_id: str
    version_id: str
    expected: bool = False


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


class ListObjects(Request["ObjectPage"], frozen=True, kw_only=True):
    """A page of current versions, sorted by UTF-8 bytes. ``after``: exclusive; a common prefix as ``after`` skips all below it.

    ``limit`` counts keys and common prefixes together, 0 to 1,000.
    """

    bucket_id: str
    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    limit: int = 1000


class ObjectEntry(Value, frozen=True):
    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str
    checksum_algorithms: tuple[str, ...] = ()
    checksum_type: str = ""


class ObjectPage(Value, frozen=True):
    """``last``: the last key or common prefix on the page, to be the next page's ``after``."""

    objects: tuple[ObjectEntry, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    last: str


class ListVersions(Request["VersionPage"], frozen=True, kw_only=True):
    """A page of all versions: keys by UTF-8 bytes, versions of a key newest first. ``limit`` counts as in ``ListObjects``.

    ``after_key``/``after_version``: exclusive; without a version id, all versions of the key lie before the page.
    """

    bucket_id: str
    prefix: str = ""
    delimiter: str = ""
    after_key: str = ""
    after_version: str = ""
    limit: int = 1000


class VersionEntry(Value, frozen=True):
    """``version_id``: as in ``Version``, also for null versions."""

    object: ObjectEntry
    version_id: str
    is_null: bool
    is_latest: bool
    is_delete_marker: bool = False

    @property
    def shown_id(self) -> str:
        """Its id as S3 shows it."""
        return "null" if self.is_null else self.version_id


class VersionPage(Value, frozen=True):
    """``last``: key (or common prefix) and version id of the page's end, to be the next page's ``after_…``."""

    versions: tuple[VersionEntry, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    last: tuple[str, str]


# --- multipart uploads ---


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


class ListUploads(Request["UploadPage"], frozen=True, kw_only=True):
    """Sorted by key, then upload id. ``after_key``/``after_upload``: exclusive marker."""

    bucket_id: str
    prefix: str = ""
    delimiter: str = ""
    after_key: str = ""
    after_upload: str = ""
    limit: int = 1000


class UploadEntry(Value, frozen=True):
    key: str
    upload_id: str
    initiated_at: datetime
    storage_class: str
    checksum_algorithm: str = ""
    checksum_type: str = ""
    acl: Acl | None = None
    initiator: Tenant | None = None


class UploadPage(Value, frozen=True):
    uploads: tuple[UploadEntry, ...]
    prefixes: tuple[str, ...]
    truncated: bool


class CompletedPart(Value, frozen=True):
    """As the client names it: number and ETag without quotes, and its checksums when it gives them."""

    number: int
    etag: str
    checksums: dict[str, str] = {}


class BeginComplete(Request["Completion"], frozen=True, kw_only=True):
    """Fixes the parts of the version.

    Errors: ``NoSuchUpload``, ``InvalidPart``, ``InvalidPartOrder``, ``EntityTooSmall``, ``PreconditionFailed``, ``NoSuchKey``.
    May be repeated with the same parts after a failure on the way to the commit. ``fix``: False only looks, so that what the client says
    of the whole can be checked while it may still choose other parts. ``condition``: of the commit; when it fails already now, the upload
    is still there.
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


# --- workers ---


class Wanted(Request["Work"], frozen=True, kw_only=True):
    """What should be done for one replica now; asked just before doing it."""

    bucket_id: str
    version_id: str
    backend_id: str


class Work(Value, frozen=True):
    """``none``: nothing is owed (any more). ``copy``: bring ``target`` about from the first source that serves.

    ``delete``: remove the blob, its sidecar and any unfinished upload, and confirm by a definite 404. ``stamp``: write the sidecar.
    ``countries``: the lock, for the worker's own check just before it opens the target; ``None`` when there is no lock. ``suspect``: what is at the
    target was found to be wrong or missing, so only its bytes can tell. ``revision``: of what the stamp says; it goes into the report.
    ``adopted_etag``: the target is an adopted object, in a bucket that others may write to: what has another ETag is theirs.
    ``sidecar``: where the stamp of such a one is kept.
    """

    action: Literal["none", "copy", "delete", "stamp"]
    target: Blob | None = None
    sources: tuple[Blob, ...] = ()
    version: Version | None = None
    tenant_id: str = ""
    bucket: str = ""
    policy_version: int = 0
    countries: tuple[str, ...] | None = None
    jurisdictions: tuple[str, ...] | None = None
    attempt: int = 0
    adopted_etag: str = ""
    sidecar: Blob | None = None
    suspect: bool = False
    revision: int = 0


class Report(Request["Reported"], frozen=True, kw_only=True):
    """What became of it. Facts, not wishes: ``verified`` only after the bytes were checked, ``deleted`` only after a definite 404.

    ``failed`` carries ``error_class`` (see ``retry``) and a ``reason`` for the operator; metadata decides when to try again, or parks.
    ``working``: a copy takes long; only puts off when the replica counts as overdue, so that no second worker begins the same.
    ``blob_key``: of the target; what is reported about another blob than the one on record is out of date.
    ``source``: the backend from which a verified copy was read, all of whose bytes have thereby been compared, too. ``learned``: the digest,
    where the record did not know all of it; what another copy has learned before must be the same.
    """

    bucket_id: str
    version_id: str
    backend_id: str
    outcome: Literal["verified", "stamped", "deleted", "failed", "working"]
    etag: str = ""
    stamped: bool = True
    error_class: str = ""
    reason: str = ""
    blob_key: str = ""
    source: str = ""
    learned: Digest | None = None
    revision: int | None = None


class Reported(Value, frozen=True):
    """``parked``: metadata gave up for now; the worker tells the parking queue with the reason.

    ``gone``: no such replica is on record (any more), or it is another blob, so what a copy has just made must be removed again by the
    worker: its removal was confirmed while the copy was still under way.
    """

    parked: bool = False
    gone: bool = False


class Failure(Value, frozen=True):
    code: str
    message: str = ""
    detail: dict[str, str] = {}


class Outcome(Value, Generic[R], frozen=True):
    """One item of an answer: exactly one field is set."""

    ok: R | None = None
    error: Failure | None = None
    unavailable: str | None = None


CALLS: dict[type[Request[Any]], Call] = {
    call.request: call
    for call in (
        Call("find-credential", FindCredential, Credential, safe=True),
        Call("list-backends", ListBackends, Backends, safe=True),
        Call("find-bucket", FindBucket, Bucket, safe=True),
        Call("create-bucket", CreateBucket, Bucket, safe=False),
        Call("delete-bucket", DeleteBucket, Empty, safe=False),
        Call("put-versioning", PutVersioning, Empty, safe=True),
        Call("put-lock-configuration", PutLockConfiguration, Empty, safe=True),
        Call("find-bucket-tags", FindBucketTags, BucketTags, safe=True),
        Call("put-bucket-tags", PutBucketTags, Empty, safe=True),
        Call("list-buckets", ListBuckets, BucketPage, safe=True),
        Call("change-bucket", ChangeBucket, Empty, safe=True),
        Call("share-objects", ShareObjects, Empty, safe=True),
        Call("find-cors", FindCors, Cors, safe=True),
        Call("find-tenants", FindTenants, Tenants, safe=True),
        Call("put-acl", PutAcl, Empty, safe=True),
        Call("locate", Locate, Located, safe=True),
        Call("find-placement", FindPlacement, PlacementOfVersion, safe=True),
        Call("begin", Begin, Intent, safe=True),
        Call("renew", Renew, Empty, safe=True),
        Call("commit", Commit, Committed, safe=False),
        Call("abort", Abort, Empty, safe=True),
        Call("delete", Delete, Deleted, safe=False),
        Call("change-version", ChangeVersion, Committed, safe=True),
        Call("list-objects", ListObjects, ObjectPage, safe=True),
        Call("list-versions", ListVersions, VersionPage, safe=True),
        Call("register-upload", RegisterUpload, Empty, safe=True),
        Call("find-upload", FindUpload, Upload, safe=True),
        Call("put-part", PutPart, Empty, safe=True),
        Call("list-parts", ListParts, PartPage, safe=True),
        Call("list-uploads", ListUploads, UploadPage, safe=True),
        Call("begin-complete", BeginComplete, Completion, safe=True),
        Call("wanted", Wanted, Work, safe=True),
        Call("report", Report, Reported, safe=True),
        *tasks.CALLS,
        *adoption.CALLS,
        *exports.CALLS,
        *findings.CALLS,
        *health.CALLS,
        *scrub.CALLS,
        *rebuild.CALLS,
        *probes.CALLS,
    )
}
