"""What became of a job, in the words that metadata decides by."""

from __future__ import annotations

from typing import Literal

from domicile_common.errors import (
    BackendRefused,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    NamespaceNotFound,
    UploadNotFound,
)
from domicile_common.events import Job
from domicile_common.metadata_client.models import Report
from domicile_common.retry import ErrorClass
from domicile_common.tracing import current_trace
from domicile_replicator.execute import Copied


def done(job: Job, outcome: Literal["stamped", "deleted", "working"]) -> Report:
    return Report(current_trace(), bucket_id=job.bucket_id, version_id=job.version_id, backend_id=job.backend_id, outcome=outcome)


def verified(job: Job, copied: Copied) -> Report:
    return Report(
        current_trace(),
        bucket_id=job.bucket_id,
        version_id=job.version_id,
        backend_id=job.backend_id,
        outcome="verified",
        etag=copied.etag,
        stamped=copied.stamped,
        source=copied.source,
        learned=copied.learned,
    )


def failed(job: Job, error_class: ErrorClass, reason: str, *, unsure: bool = False) -> Report:
    return Report(
        current_trace(),
        bucket_id=job.bucket_id,
        version_id=job.version_id,
        backend_id=job.backend_id,
        outcome="failed",
        error_class=error_class,
        reason=reason,
        unsure=unsure,
    )


def classify(error: Exception, target_id: str) -> ErrorClass:
    """The class of a failure, by which metadata decides when to try again."""
    match error:
        case BackendUnavailable() | UploadNotFound():
            return "unavailable"
        case BackendRefused():
            return "refused"
        case BlobMismatch():
            return "mismatch"
        case NamespaceNotFound(backend_id=where) if where == target_id:
            return "namespace"
        case BlobNotFound() | NamespaceNotFound():
            return "missing_source"
    return "internal"
