"""Object lock: a bucket's default retention, and retention and legal hold of a version.

What may be loosened by whom is decided in metadata, in the transaction that changes it.
"""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import ChangeVersion, PutLockConfiguration
from domicile_common.model import Lock
from domicile_proxy.authorization import check_body
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.documents import read_document, xml
from domicile_proxy.operations.objects_read import locate_object
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.asking import lock_facts
from domicile_proxy.s3.headers import wanted_version
from domicile_proxy.s3.locks import bypasses, parse_legal_hold, parse_lock_configuration, parse_retention


async def get_object_lock_configuration(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html."""
    if not request.bucket.object_lock:
        raise RequestError("ObjectLockConfigurationNotFoundError", detail={"BucketName": request.bucket.name})
    return xml(answers.lock_configuration(request.bucket.default_retention))


async def put_object_lock_configuration(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html."""
    default = await read_document(request, parse_lock_configuration)
    call = PutLockConfiguration(bucket_id=request.bucket.bucket_id, default_retention=default, trace=request.trace)
    await context.metadata.call(call)
    context.directory.forget_bucket(request.bucket_name)
    return Response()


async def get_object_retention(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html."""
    lock = await find_lock(request, context)
    if lock.mode is None:
        raise RequestError("NoSuchObjectLockConfiguration")
    return xml(answers.retention(lock))


async def put_object_retention(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html."""
    check_bucket(request)
    retention = await read_document(request, lambda body: parse_retention(body, context.clock()))
    await check_body(request, context, lock_facts(retention))
    call = ChangeVersion(
        bucket_id=request.bucket.bucket_id,
        key=request.key,
        version_id=wanted_version(request.params),
        retention=retention,
        bypass_governance=bypasses(request.headers),
        trace=request.trace,
    )
    await context.metadata.call(call)
    return Response()


async def get_object_legal_hold(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html."""
    lock = await find_lock(request, context)
    if lock.legal_hold is None:
        raise RequestError("NoSuchObjectLockConfiguration")
    return xml(answers.legal_hold(on=lock.legal_hold))


async def put_object_legal_hold(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html."""
    check_bucket(request)
    hold = await read_document(request, parse_legal_hold)
    await check_body(request, context, lock_facts(Lock(legal_hold=hold)))
    call = ChangeVersion(
        bucket_id=request.bucket.bucket_id,
        key=request.key,
        version_id=wanted_version(request.params),
        legal_hold=hold,
        trace=request.trace,
    )
    await context.metadata.call(call)
    return Response()


async def find_lock(request: S3Request, context: Context) -> Lock:
    """Raises ``RequestError`` InvalidRequest in a bucket without object lock."""
    check_bucket(request)
    return (await locate_object(request, context)).version.lock or Lock()


def check_bucket(request: S3Request) -> None:
    """Raises ``RequestError`` InvalidRequest, before a body is read for nothing."""
    if not request.bucket.object_lock:
        raise RequestError("InvalidRequest", "Bucket is missing Object Lock Configuration")


OPERATIONS: dict[str, Handler] = {
    "GetObjectLockConfiguration": get_object_lock_configuration,
    "PutObjectLockConfiguration": put_object_lock_configuration,
    "GetObjectRetention": get_object_retention,
    "PutObjectRetention": put_object_retention,
    "GetObjectLegalHold": get_object_legal_hold,
    "PutObjectLegalHold": put_object_legal_hold,
}
