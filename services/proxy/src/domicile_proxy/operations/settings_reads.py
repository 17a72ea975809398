"""Settings of buckets and objects that clients read as a matter of course: answered truthfully, though none can be set yet."""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.documents import xml
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers

# Operation → the code that says that there is no such configuration.
_ABSENT = {
    "GetBucketEncryption": "ServerSideEncryptionConfigurationNotFoundError",
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetBucketWebsite": "NoSuchWebsiteConfiguration",
}

# Operation → the document that says how things are for every bucket.
_FIXED = {
    "GetBucketAccelerateConfiguration": answers.document("AccelerateConfiguration"),
    "GetBucketLogging": answers.document("BucketLoggingStatus"),
    "GetBucketNotificationConfiguration": answers.document("NotificationConfiguration"),
    "GetBucketRequestPayment": answers.document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
}


async def get_absent(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- known without looking
    raise RequestError(_ABSENT[request.operation.name], detail={"BucketName": request.bucket.name})


async def get_fixed(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- known without looking
    return xml(_FIXED[request.operation.name])


async def get_object_torrent(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- known without looking
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTorrent.html; S3 itself makes none any more since 2022."""
    raise RequestError("NoSuchKey", "No object has a torrent.", {"Key": request.key})


async def get_bucket_location(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html."""
    return xml(answers.location(request.bucket.location))


OPERATIONS: dict[str, Handler] = {
    **dict.fromkeys(_ABSENT, get_absent),
    **dict.fromkeys(_FIXED, get_fixed),
    "GetBucketLocation": get_bucket_location,
    "GetObjectTorrent": get_object_torrent,
}
