"""A tenant's buckets: list, create, look for, delete."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import CreateBucket, DeleteBucket, ListBuckets
from domicile_common.namespace import check_bucket_name
from domicile_common.policy import parse_location
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.documents import receive_document, xml
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.documents import parse_location as parse_location_document
from domicile_proxy.s3.query import whole_number

MOST_BUCKETS = 10_000
REGION = "us-east-1"
"""What clients are told to sign for. A bucket's location is a list of countries, which no SDK takes for a region."""


async def list_buckets(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html."""
    prefix = request.params.get("prefix", "")
    if request.params.get("bucket-region", REGION) != REGION:
        raise RequestError(
            "InvalidArgument", "Argument value bucket-region is not a valid AWS Region", {"ArgumentName": "bucket-region"}
        )
    call = ListBuckets(
        tenant_id=request.tenant.tenant_id,
        prefix=prefix,
        after=decode_token(request.params.get("continuation-token", "")),
        limit=whole_number(request.params, "max-buckets", MOST_BUCKETS, least=1, most=MOST_BUCKETS),
        trace=request.trace,
    )
    page = await context.metadata.call(call)
    token = encode_token(page.buckets[-1].name) if page.truncated else ""
    return xml(answers.list_buckets(request.tenant, page.buckets, prefix=prefix, token=token))


async def create_bucket(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html.

    Creating a bucket again is 200, as in us-east-1, unless this asks for another location, or for an object lock that the bucket does not
    have: then 200 would promise what is not so.
    """
    name = request.bucket_name or request.params["bucket"]
    check_bucket_name(name)
    object_lock = wants_object_lock(request.headers)
    location = parse_location_document(await receive_document(request))
    tenant_id = request.tenant.tenant_id
    try:
        await context.metadata.call(
            CreateBucket(tenant_id=tenant_id, name=name, location=location, object_lock=object_lock, trace=request.trace)
        )
    except RequestError as refusal:
        if refusal.code != "BucketAlreadyOwnedByYou":
            raise
        existing = await context.directory.bucket(tenant_id, name)
        elsewhere = location and parse_location(location) != parse_location(existing.location)
        if elsewhere or (object_lock and not existing.object_lock):
            raise
    return Response(200, {"location": f"/{name}"})


def wants_object_lock(headers: Mapping[str, str]) -> bool:
    """Raises ``RequestError`` InvalidArgument."""
    wanted = headers.get("x-amz-bucket-object-lock-enabled", "false").lower()
    if wanted not in {"true", "false"}:
        raise RequestError("InvalidArgument", detail={"ArgumentName": "x-amz-bucket-object-lock-enabled"})
    return wanted == "true"


async def head_bucket(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the pipeline has found the bucket
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html."""
    return Response(200, {"content-type": "application/xml", "x-amz-bucket-region": REGION})


async def delete_bucket(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html."""
    tenant_id = request.tenant.tenant_id
    await context.metadata.call(DeleteBucket(tenant_id=tenant_id, name=request.bucket_name, trace=request.trace))
    context.directory.forget_bucket(tenant_id, request.bucket_name)
    return Response(204)


def encode_token(after: str) -> str:
    """A continuation token, opaque to clients: where the next page begins."""
    return urlsafe_b64encode(after.encode()).decode()


def decode_token(token: str) -> str:
    """Raises ``RequestError`` InvalidArgument for what ``encode_token`` did not make; ``""`` is the first page."""
    try:
        after = urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        after = ""
    if encode_token(after) != token:
        raise RequestError(
            "InvalidArgument", "The continuation token provided is incorrect", {"ArgumentName": "continuation-token"}
        )
    return after


OPERATIONS: dict[str, Handler] = {
    "ListBuckets": list_buckets,
    "CreateBucket": create_bucket,
    "HeadBucket": head_bucket,
    "DeleteBucket": delete_bucket,
}
