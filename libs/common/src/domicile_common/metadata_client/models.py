"""The internal calls between proxy or replicator and metadata: pure data.

Every call is ``POST /internal/<name>`` with a JSON array of requests and answers a JSON array of the same length and order,
each item either ``{"ok": <result>}`` or ``{"error": {"code", "message", "detail"}}`` (a ``RequestError``), or
``{"unavailable": "<why>"}``. Concurrent requests of one process for the same call are joined into one array.
A whole call that fails (no answer, 5xx) is ``Unavailable`` for each of its items.

Each subject has a module; those that most callers ask for are found here as well.
"""

from __future__ import annotations

from typing import Any, Generic

from domicile_common.metadata_client import (
    adoption,
    buckets,
    exports,
    findings,
    health,
    listing,
    objects,
    probes,
    rebuild,
    retirement,
    scrub,
    tasks,
    uploads,
    work,
    writes,
)
from domicile_common.metadata_client.base import Call, Empty, R, Request
from domicile_common.metadata_client.buckets import (
    Backends,
    BucketEntry,
    BucketPage,
    BucketTags,
    ChangeBucket,
    Cors,
    CreateBucket,
    DeleteBucket,
    FindBucket,
    FindBucketTags,
    FindCors,
    FindCredential,
    FindTenants,
    ListBackends,
    ListBuckets,
    PutBucketTags,
    PutLockConfiguration,
    PutVersioning,
    ShareObjects,
    Tenants,
)
from domicile_common.metadata_client.listing import (
    ListObjects,
    ListUploads,
    ListVersions,
    ObjectEntry,
    ObjectPage,
    UploadEntry,
    UploadPage,
    VersionEntry,
    VersionPage,
)
from domicile_common.metadata_client.objects import (
    UNCONDITIONAL,
    ChangeVersion,
    Committed,
    Condition,
    Copy,
    Delete,
    Deleted,
    FindPlacement,
    Locate,
    Located,
    PlacementOfVersion,
    PutAcl,
    Replica,
)
from domicile_common.metadata_client.uploads import (
    BeginComplete,
    CompletedPart,
    Completion,
    FindUpload,
    ListParts,
    PartEntry,
    PartPage,
    PutPart,
    RegisterUpload,
    ReopenUpload,
    Upload,
)
from domicile_common.metadata_client.work import Report, Reported, Wanted, Work
from domicile_common.metadata_client.writes import Abort, Begin, Commit, Intent, Renew, Stored
from domicile_common.model import Value


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
        *buckets.CALLS,
        *objects.CALLS,
        *writes.CALLS,
        *listing.CALLS,
        *uploads.CALLS,
        *work.CALLS,
        *tasks.CALLS,
        *adoption.CALLS,
        *exports.CALLS,
        *findings.CALLS,
        *health.CALLS,
        *scrub.CALLS,
        *rebuild.CALLS,
        *retirement.CALLS,
        *probes.CALLS,
    )
}
