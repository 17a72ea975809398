"""Rules of a bucket: which web pages may use it (CORS), and how long things stay in it (lifecycle)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from domicile_common.bucket_settings import BucketSettings
from domicile_common.errors import RequestError
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.access_settings import absent, change
from domicile_proxy.operations.documents import parsed, receive_document, xml
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3.cors import parse_cors, render_cors
from domicile_proxy.s3.lifecycle import parse_lifecycle, read_minimum_size, render_lifecycle

T = TypeVar("T")


async def get_bucket_cors(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html."""
    rules = request.bucket.settings.cors
    if not rules:
        raise absent(request, "NoSuchCORSConfiguration")
    return xml(render_cors(rules))


async def put_bucket_cors(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html."""
    await change(request, context, BucketSettings(cors=await read_rules(request, parse_cors)))
    return Response(200)


async def delete_bucket_cors(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html."""
    await change(request, context, remove=("cors",))
    return Response(204)


async def get_bucket_lifecycle(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html."""
    rules = request.bucket.settings.lifecycle
    if not rules:
        raise absent(request, "NoSuchLifecycleConfiguration")
    return xml(render_lifecycle(rules), read_minimum_size({}))


async def put_bucket_lifecycle(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html."""
    minimum = read_minimum_size(request.headers)
    await change(request, context, BucketSettings(lifecycle=await read_rules(request, parse_lifecycle)))
    return Response(200, minimum)


async def delete_bucket_lifecycle(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html."""
    await change(request, context, remove=("lifecycle",))
    return Response(204)


async def read_rules(request: S3Request, parse: Callable[[bytes], T]) -> T:
    """Raises ``RequestError`` MissingRequestBodyError, and as ``read_document`` does."""
    body = await receive_document(request)
    if not body:
        raise RequestError("MissingRequestBodyError")
    return await parsed(body, parse)


OPERATIONS: dict[str, Handler] = {
    "GetBucketCors": get_bucket_cors,
    "PutBucketCors": put_bucket_cors,
    "DeleteBucketCors": delete_bucket_cors,
    "GetBucketLifecycleConfiguration": get_bucket_lifecycle,
    "PutBucketLifecycleConfiguration": put_bucket_lifecycle,
    "DeleteBucketLifecycle": delete_bucket_lifecycle,
}
