"""Which S3 operation a request is, from one table. Pure.

S3 chooses the operation by method, by what is addressed (service, bucket or object), by the *markers* in the query (``?acl``,
``?uploadId=…``) and by ``x-amz-copy-source``. Names are those of the S3 API reference. What is not listed here is refused, and
what is listed but not served answers NotImplemented by name, so that nothing is accepted and ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from domicile_common.errors import RequestError

Level = Literal["service", "bucket", "object"]


class Access(StrEnum):
    """What an operation does, as far as permission is concerned; a property of the operation, never of the request."""

    READ = "read"  # bytes, headers and tags of objects, settings of a bucket
    LIST = "list"  # names of objects, uploads and buckets
    WRITE = "write"  # objects and uploads
    ACCOUNT = "account"  # makes and removes buckets
    SETTINGS = "settings"  # changes what holds for a bucket or an object


_LEVELS: dict[str, Level] = {"service": "service", "bucket": "bucket", "object": "object"}
_GRANTS: dict[str, frozenset[Access]] = {"read": frozenset({Access.READ, Access.LIST}), "full": frozenset(Access)}


class Operation(NamedTuple):
    """``served``: False for what is known but answers NotImplemented."""

    name: str
    level: Level
    access: Access
    served: bool

    @property
    def in_bucket(self) -> bool:
        """The bucket must exist before the operation starts; its creation looks for itself."""
        return self.level != "service" and self.name != "CreateBucket"


class Row(NamedTuple):
    """One line of the table: the request's form, and the operation it is."""

    method: str
    markers: frozenset[str]
    copies: bool
    operation: Operation


def _row(form: str, name: str, access: Access, *, served: bool = True) -> Row:
    """``form``: ``METHOD level [marker…] [copy]``; ``copy`` stands for the header ``x-amz-copy-source``."""
    method, level, *markers = form.split()
    operation = Operation(name, _LEVELS[level], access, served)
    return Row(method, frozenset(markers) - {"copy"}, "copy" in markers, operation)


_SERVED = (
    _row("GET service", "ListBuckets", Access.LIST),
    _row("PUT service bucket", "CreateBucket", Access.ACCOUNT),  # an older form of Domicile: PUT /?bucket=name
    _row("PUT bucket", "CreateBucket", Access.ACCOUNT),
    _row("HEAD bucket", "HeadBucket", Access.LIST),
    _row("DELETE bucket", "DeleteBucket", Access.ACCOUNT),
    _row("GET bucket", "ListObjects", Access.LIST),
    _row("GET bucket list-type", "ListObjectsV2", Access.LIST),
    _row("GET bucket versions", "ListObjectVersions", Access.LIST),
    _row("GET bucket uploads", "ListMultipartUploads", Access.LIST),
    _row("POST bucket delete", "DeleteObjects", Access.WRITE),
    _row("GET bucket location", "GetBucketLocation", Access.READ),
    _row("GET bucket accelerate", "GetBucketAccelerateConfiguration", Access.READ),
    _row("GET bucket acl", "GetBucketAcl", Access.READ),
    _row("GET bucket cors", "GetBucketCors", Access.READ),
    _row("GET bucket encryption", "GetBucketEncryption", Access.READ),
    _row("GET bucket lifecycle", "GetBucketLifecycleConfiguration", Access.READ),
    _row("GET bucket logging", "GetBucketLogging", Access.READ),
    _row("GET bucket notification", "GetBucketNotificationConfiguration", Access.READ),
    _row("GET bucket object-lock", "GetObjectLockConfiguration", Access.READ),
    _row("GET bucket ownershipControls", "GetBucketOwnershipControls", Access.READ),
    _row("GET bucket policy", "GetBucketPolicy", Access.READ),
    _row("GET bucket policyStatus", "GetBucketPolicyStatus", Access.READ),
    _row("GET bucket publicAccessBlock", "GetPublicAccessBlock", Access.READ),
    _row("GET bucket replication", "GetBucketReplication", Access.READ),
    _row("GET bucket requestPayment", "GetBucketRequestPayment", Access.READ),
    _row("GET bucket tagging", "GetBucketTagging", Access.READ),
    _row("GET bucket versioning", "GetBucketVersioning", Access.READ),
    _row("GET bucket website", "GetBucketWebsite", Access.READ),
    _row("PUT bucket acl", "PutBucketAcl", Access.SETTINGS),
    _row("PUT bucket cors", "PutBucketCors", Access.SETTINGS),
    _row("PUT bucket lifecycle", "PutBucketLifecycleConfiguration", Access.SETTINGS),
    _row("PUT bucket ownershipControls", "PutBucketOwnershipControls", Access.SETTINGS),
    _row("PUT bucket policy", "PutBucketPolicy", Access.SETTINGS),
    _row("PUT bucket publicAccessBlock", "PutPublicAccessBlock", Access.SETTINGS),
    _row("POST bucket", "PostObject", Access.WRITE),
    _row("DELETE bucket cors", "DeleteBucketCors", Access.SETTINGS),
    _row("DELETE bucket lifecycle", "DeleteBucketLifecycle", Access.SETTINGS),
    _row("DELETE bucket ownershipControls", "DeleteBucketOwnershipControls", Access.SETTINGS),
    _row("DELETE bucket policy", "DeleteBucketPolicy", Access.SETTINGS),
    _row("DELETE bucket publicAccessBlock", "DeletePublicAccessBlock", Access.SETTINGS),
    _row("GET object", "GetObject", Access.READ),
    _row("GET object partNumber", "GetObject", Access.READ),
    _row("HEAD object", "HeadObject", Access.READ),
    _row("HEAD object partNumber", "HeadObject", Access.READ),
    _row("PUT object", "PutObject", Access.WRITE),
    _row("PUT object copy", "CopyObject", Access.WRITE),
    _row("DELETE object", "DeleteObject", Access.WRITE),
    _row("GET object acl", "GetObjectAcl", Access.READ),
    _row("GET object tagging", "GetObjectTagging", Access.READ),
    _row("GET object torrent", "GetObjectTorrent", Access.READ),
    _row("PUT object acl", "PutObjectAcl", Access.SETTINGS),
    _row("POST object uploads", "CreateMultipartUpload", Access.WRITE),
    _row("PUT object uploadId partNumber", "UploadPart", Access.WRITE),
    _row("GET object uploadId", "ListParts", Access.LIST),
    _row("POST object uploadId", "CompleteMultipartUpload", Access.WRITE),
    _row("DELETE object uploadId", "AbortMultipartUpload", Access.WRITE),
    _row("GET object attributes", "GetObjectAttributes", Access.READ),
    _row("GET object placement", "GetObjectPlacement", Access.READ),  # Domicile's own
    _row("GET object legal-hold", "GetObjectLegalHold", Access.READ),
    _row("GET object retention", "GetObjectRetention", Access.READ),
    _row("PUT object legal-hold", "PutObjectLegalHold", Access.SETTINGS),
    _row("PUT object retention", "PutObjectRetention", Access.SETTINGS),
    _row("PUT object tagging", "PutObjectTagging", Access.SETTINGS),
    _row("PUT object uploadId partNumber copy", "UploadPartCopy", Access.WRITE),
    _row("DELETE object tagging", "DeleteObjectTagging", Access.SETTINGS),
    _row("PUT bucket object-lock", "PutObjectLockConfiguration", Access.SETTINGS),
    _row("PUT bucket tagging", "PutBucketTagging", Access.SETTINGS),
    _row("PUT bucket versioning", "PutBucketVersioning", Access.SETTINGS),
    _row("DELETE bucket tagging", "DeleteBucketTagging", Access.SETTINGS),
)

# ``id`` and the like choose between Get… and List… of the first five; they are too common words to be markers, so they answer under one name.
_UNSERVED = (
    ("GET bucket analytics", "GetBucketAnalyticsConfiguration", Access.READ),
    ("GET bucket intelligent-tiering", "GetBucketIntelligentTieringConfiguration", Access.READ),
    ("GET bucket inventory", "GetBucketInventoryConfiguration", Access.READ),
    ("GET bucket metrics", "GetBucketMetricsConfiguration", Access.READ),
    ("GET object annotation", "GetObjectAnnotation", Access.READ),
    ("GET bucket abac", "GetBucketAbac", Access.READ),
    ("GET bucket metadataConfiguration", "GetBucketMetadataConfiguration", Access.READ),
    ("GET bucket metadataTable", "GetBucketMetadataTableConfiguration", Access.READ),
    ("GET bucket session", "CreateSession", Access.READ),
    ("PUT bucket abac", "PutBucketAbac", Access.SETTINGS),
    ("PUT bucket accelerate", "PutBucketAccelerateConfiguration", Access.SETTINGS),
    ("PUT bucket analytics", "PutBucketAnalyticsConfiguration", Access.SETTINGS),
    ("PUT bucket encryption", "PutBucketEncryption", Access.SETTINGS),
    ("PUT bucket intelligent-tiering", "PutBucketIntelligentTieringConfiguration", Access.SETTINGS),
    ("PUT bucket inventory", "PutBucketInventoryConfiguration", Access.SETTINGS),
    ("PUT bucket logging", "PutBucketLogging", Access.SETTINGS),
    ("PUT bucket metadataAnnotationTable", "UpdateBucketMetadataAnnotationTableConfiguration", Access.SETTINGS),
    ("PUT bucket metadataInventoryTable", "UpdateBucketMetadataInventoryTableConfiguration", Access.SETTINGS),
    ("PUT bucket metadataJournalTable", "UpdateBucketMetadataJournalTableConfiguration", Access.SETTINGS),
    ("PUT bucket metrics", "PutBucketMetricsConfiguration", Access.SETTINGS),
    ("PUT bucket notification", "PutBucketNotificationConfiguration", Access.SETTINGS),
    ("PUT bucket replication", "PutBucketReplication", Access.SETTINGS),
    ("PUT bucket requestPayment", "PutBucketRequestPayment", Access.SETTINGS),
    ("PUT bucket website", "PutBucketWebsite", Access.SETTINGS),
    ("POST bucket metadataConfiguration", "CreateBucketMetadataConfiguration", Access.SETTINGS),
    ("POST bucket metadataTable", "CreateBucketMetadataTableConfiguration", Access.SETTINGS),
    ("DELETE bucket analytics", "DeleteBucketAnalyticsConfiguration", Access.SETTINGS),
    ("DELETE bucket encryption", "DeleteBucketEncryption", Access.SETTINGS),
    ("DELETE bucket intelligent-tiering", "DeleteBucketIntelligentTieringConfiguration", Access.SETTINGS),
    ("DELETE bucket inventory", "DeleteBucketInventoryConfiguration", Access.SETTINGS),
    ("DELETE bucket metadataConfiguration", "DeleteBucketMetadataConfiguration", Access.SETTINGS),
    ("DELETE bucket metadataTable", "DeleteBucketMetadataTableConfiguration", Access.SETTINGS),
    ("DELETE bucket metrics", "DeleteBucketMetricsConfiguration", Access.SETTINGS),
    ("DELETE bucket replication", "DeleteBucketReplication", Access.SETTINGS),
    ("DELETE bucket website", "DeleteBucketWebsite", Access.SETTINGS),
    ("PUT object annotation", "PutObjectAnnotation", Access.WRITE),
    ("PUT object encryption", "UpdateObjectEncryption", Access.SETTINGS),
    ("PUT object renameObject", "RenameObject", Access.WRITE),
    ("DELETE object annotation", "DeleteObjectAnnotation", Access.WRITE),
    ("POST object restore", "RestoreObject", Access.WRITE),
    ("POST object select select-type", "SelectObjectContent", Access.READ),
)

TABLE: tuple[Row, ...] = _SERVED + tuple(_row(form, name, access, served=False) for form, name, access in _UNSERVED)

_BY_FORM = {(row.method, row.operation.level, row.markers, row.copies): row.operation for row in TABLE}
# A marker of buckets is no ordinary query name at an object either: refusing beats serving something else than was asked for.
_MARKERS: dict[Level, frozenset[str]] = {
    "service": frozenset({"bucket"}),
    "bucket": frozenset(marker for row in TABLE for marker in row.markers) - {"bucket"},
}
_MARKERS["object"] = _MARKERS["bucket"]


def resolve(method: str, bucket: str | None, key: str | None, params: Mapping[str, str], headers: Mapping[str, str]) -> Operation:
    """The operation that a request asks for; ``params`` is the decoded query, ``headers`` by lower-case name.

    Raises:
        RequestError: MethodNotAllowed when there is no such operation, InvalidArgument when the query asks for several.
    """
    level: Level = "object" if key is not None else "bucket" if bucket is not None else "service"
    markers = frozenset(name for name in params if name in _MARKERS[level])
    copies = method == "PUT" and level == "object" and "x-amz-copy-source" in headers
    operation = _BY_FORM.get((method, level, markers, copies))
    if operation is not None:
        return operation
    if len(markers) > 1:
        names = ", ".join(sorted(markers))
        raise RequestError("InvalidArgument", f"Conflicting query string parameters: {names}", {"ArgumentName": "ResourceType"})
    kind = next(iter(markers), level).upper()
    raise RequestError("MethodNotAllowed", detail={"Method": method, "ResourceType": kind})


def permits(granted: str, access: Access) -> bool:
    """Whether a key with ``granted`` access (``Credential.access``) may do this at all; an unknown grant permits nothing."""
    return access in _GRANTS.get(granted, frozenset())


def not_implemented(operation: Operation) -> RequestError:
    """What an operation that is known but not served answers: S3's NotImplemented, naming it."""
    return RequestError("NotImplemented", f"{operation.name} is not implemented.")
