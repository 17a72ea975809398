"""The S3 actions that a policy may name, and what the operations of the S3 API need of them. Pure.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html (actions) and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html (what a permission of an access control list stands for).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from domicile_common.bucket_settings import Permission


@dataclass(frozen=True, slots=True)
class Need:
    """What somebody needs for one operation.

    ``versioned``: the action when a version is named. ``about``: whose owner and access control list count: those of the bucket, or
    of an object that is there already. ``permission``: what in that list is as good as the action; ``None``: nothing is.
    ``also``: what is needed as well, of the same bucket or object.
    """

    action: str
    about: Literal["bucket", "object"] = "bucket"
    permission: Permission | None = None
    versioned: str = ""
    also: Need | None = None


_PUT = Need("s3:PutObject", permission="WRITE")
_GET = Need("s3:GetObject", "object", "READ", "s3:GetObjectVersion")
_LIST = Need("s3:ListBucket", permission="READ")
_DELETE = Need("s3:DeleteObject", permission="WRITE", versioned="s3:DeleteObjectVersion")

# What headers of an operation ask for beside it.
BYPASS = Need("s3:BypassGovernanceRetention")
TAG = Need("s3:PutObjectTagging", permission="WRITE")
RETAIN = Need("s3:PutObjectRetention")
HOLD = Need("s3:PutObjectLegalHold")

# Operations that a bucket's owner can grant to others; those that are not listed here (ListBuckets, CreateBucket) have no bucket yet.
NEEDS: Mapping[str, Need] = {
    "HeadBucket": _LIST,
    "ListObjects": _LIST,
    "ListObjectsV2": _LIST,
    "ListObjectVersions": Need("s3:ListBucketVersions", permission="READ"),
    "ListMultipartUploads": Need("s3:ListBucketMultipartUploads", permission="READ"),
    "DeleteBucket": Need("s3:DeleteBucket"),
    "GetBucketLocation": Need("s3:GetBucketLocation"),
    "GetBucketAcl": Need("s3:GetBucketAcl", permission="READ_ACP"),
    "PutBucketAcl": Need("s3:PutBucketAcl", permission="WRITE_ACP"),
    "GetBucketPolicy": Need("s3:GetBucketPolicy"),
    "PutBucketPolicy": Need("s3:PutBucketPolicy"),
    "DeleteBucketPolicy": Need("s3:DeleteBucketPolicy"),
    "GetBucketPolicyStatus": Need("s3:GetBucketPolicyStatus"),
    "GetPublicAccessBlock": Need("s3:GetBucketPublicAccessBlock"),
    "PutPublicAccessBlock": Need("s3:PutBucketPublicAccessBlock"),
    "DeletePublicAccessBlock": Need("s3:PutBucketPublicAccessBlock"),
    "GetBucketOwnershipControls": Need("s3:GetBucketOwnershipControls"),
    "PutBucketOwnershipControls": Need("s3:PutBucketOwnershipControls"),
    "DeleteBucketOwnershipControls": Need("s3:PutBucketOwnershipControls"),
    "GetBucketCors": Need("s3:GetBucketCORS"),
    "PutBucketCors": Need("s3:PutBucketCORS"),
    "DeleteBucketCors": Need("s3:PutBucketCORS"),
    "GetBucketLifecycleConfiguration": Need("s3:GetLifecycleConfiguration"),
    "PutBucketLifecycleConfiguration": Need("s3:PutLifecycleConfiguration"),
    "DeleteBucketLifecycle": Need("s3:PutLifecycleConfiguration"),
    "GetBucketTagging": Need("s3:GetBucketTagging"),
    "PutBucketTagging": Need("s3:PutBucketTagging"),
    "DeleteBucketTagging": Need("s3:PutBucketTagging"),
    "GetBucketVersioning": Need("s3:GetBucketVersioning"),
    "PutBucketVersioning": Need("s3:PutBucketVersioning"),
    "GetObjectLockConfiguration": Need("s3:GetBucketObjectLockConfiguration"),
    "PutObjectLockConfiguration": Need("s3:PutBucketObjectLockConfiguration"),
    "GetBucketEncryption": Need("s3:GetEncryptionConfiguration"),
    "PutBucketEncryption": Need("s3:PutEncryptionConfiguration"),
    "DeleteBucketEncryption": Need("s3:PutEncryptionConfiguration"),
    "GetBucketAccelerateConfiguration": Need("s3:GetAccelerateConfiguration"),
    "GetBucketLogging": Need("s3:GetBucketLogging"),
    "PutBucketLogging": Need("s3:PutBucketLogging"),
    "GetBucketNotificationConfiguration": Need("s3:GetBucketNotification"),
    "PutBucketNotificationConfiguration": Need("s3:PutBucketNotification"),
    "GetBucketReplication": Need("s3:GetReplicationConfiguration"),
    "GetBucketRequestPayment": Need("s3:GetBucketRequestPayment"),
    "GetBucketWebsite": Need("s3:GetBucketWebsite"),
    "PutBucketWebsite": Need("s3:PutBucketWebsite"),
    "DeleteBucketWebsite": Need("s3:DeleteBucketWebsite"),
    "GetObject": _GET,
    "HeadObject": _GET,
    "GetObjectTorrent": Need("s3:GetObjectTorrent", "object", "READ", "s3:GetObjectVersionTorrent"),
    "GetObjectAttributes": Need("s3:GetObjectAttributes", "object", "READ", "s3:GetObjectVersionAttributes", also=_GET),
    "GetObjectAcl": Need("s3:GetObjectAcl", "object", "READ_ACP", "s3:GetObjectVersionAcl"),
    "PutObjectAcl": Need("s3:PutObjectAcl", "object", "WRITE_ACP", "s3:PutObjectVersionAcl"),
    "GetObjectTagging": Need("s3:GetObjectTagging", "object", None, "s3:GetObjectVersionTagging"),
    "PutObjectTagging": Need("s3:PutObjectTagging", "object", None, "s3:PutObjectVersionTagging"),
    "DeleteObjectTagging": Need("s3:DeleteObjectTagging", "object", None, "s3:DeleteObjectVersionTagging"),
    "GetObjectRetention": Need("s3:GetObjectRetention", "object"),
    "PutObjectRetention": Need("s3:PutObjectRetention", "object"),
    "GetObjectLegalHold": Need("s3:GetObjectLegalHold", "object"),
    "PutObjectLegalHold": Need("s3:PutObjectLegalHold", "object"),
    "PutObject": _PUT,
    "CopyObject": _PUT,
    "CreateMultipartUpload": _PUT,
    "UploadPart": _PUT,
    "UploadPartCopy": _PUT,
    "CompleteMultipartUpload": _PUT,
    "PostObject": _PUT,
    "AbortMultipartUpload": Need("s3:AbortMultipartUpload"),
    "ListParts": Need("s3:ListMultipartUploadParts"),
    "DeleteObject": _DELETE,
    "DeleteObjects": _DELETE,
}

# Known actions that no operation above needs by itself.
_OTHERS = (
    "s3:BypassGovernanceRetention",
    "s3:CreateBucket",
    "s3:GetAccountPublicAccessBlock",
    "s3:GetAnalyticsConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetObjectVersionForReplication",
    "s3:ListAllMyBuckets",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PutAccelerateConfiguration",
    "s3:PutAnalyticsConfiguration",
    "s3:PutBucketRequestPayment",
    "s3:PutIntelligentTieringConfiguration",
    "s3:PutInventoryConfiguration",
    "s3:PutMetricsConfiguration",
    "s3:PutReplicationConfiguration",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
    "s3:RestoreObject",
)
ACTIONS: frozenset[str] = frozenset(
    action for need in NEEDS.values() for action in (need.action, need.versioned) if action
) | frozenset(_OTHERS)

_ABOUT_BUCKETS = re.compile(r"(?<!To)Bucket|Configuration$|ListAllMyBuckets|AccountPublicAccessBlock")


def is_about_objects(action: str) -> bool:
    """Whether what it acts on are objects: then its resources are of the form ``bucket/key``."""
    return not _ABOUT_BUCKETS.search(action)
