"""A tenant's buckets: list, create, look for, delete."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from domicile_common.access import acl as lists
from domicile_common.bucket_settings import BucketSettings
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import CreateBucket, DeleteBucket, ListBuckets
from domicile_common.model import Bucket
from domicile_common.namespace import check_bucket_name
from domicile_common.policy import parse_location
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.acls import asked_acl
from domicile_proxy.operations.documents import read_document, xml
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.access_documents import read_ownership
from domicile_proxy.s3.documents import parse_location as parse_location_document
from domicile_proxy.s3.query import whole_number

MOST_BUCKETS = 10_000
REGION = "us-east-1"
"""What clients are told to sign for. A bucket's location is a list of countries, which no SDK takes for a region."""

_PARAMETERS = {"bucket-region", "continuation-token", "max-buckets", "prefix"}


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
    region = REGION if _PARAMETERS & request.params.keys() else ""
    return xml(answers.list_buckets(request.tenant, page.buckets, prefix=prefix, token=token, region=region))


async def create_bucket(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html.

    Creating a bucket again is 200, as in us-east-1, unless this asks for something else: then 200 would promise what is not so.
    """
    name = request.bucket_name or request.params["bucket"]
    check_bucket_name(name)
    object_lock = wants_object_lock(request.headers)
    location = await read_document(request, parse_location_document)
    tenant_id = request.tenant.tenant_id
    settings = await first_settings(request, context)
    call = CreateBucket(
        tenant_id=tenant_id, name=name, location=location, object_lock=object_lock, settings=settings, trace=request.trace
    )
    try:
        await context.metadata.call(call)
    except RequestError as refusal:
        if refusal.code != "BucketAlreadyOwnedByYou":
            raise
        refuse_changes(await context.directory.bucket(tenant_id, name), call)
    context.directory.forget_bucket(name)
    return Response(200, {"location": f"/{name}"})


async def first_settings(request: S3Request, context: Context) -> BucketSettings:
    """What the headers ask for. Raises RequestError: InvalidBucketAclWithObjectOwnership, and those of ``asked_acl``."""
    acl = await asked_acl(request, request.tenant, None, context)
    if acl is not None and lists.is_private(acl, request.tenant):
        acl = None
    asked = request.headers.get("x-amz-object-ownership")
    ownership = None if asked is None else read_ownership(asked)
    if acl is not None and ownership == "BucketOwnerEnforced":
        raise RequestError("InvalidBucketAclWithObjectOwnership")
    return BucketSettings(acl=acl, ownership=ownership)


def refuse_changes(existing: Bucket, asked: CreateBucket) -> None:
    """Raises when the bucket that is there is not what was asked for."""
    elsewhere = asked.location and parse_location(asked.location) != parse_location(existing.location)
    if elsewhere or (asked.object_lock and not existing.object_lock):
        raise RequestError("BucketAlreadyOwnedByYou")
    ownership = existing.settings.ownership
    wanted = lists.effective(existing, asked.settings.acl), asked.settings.ownership or ownership
    if wanted != (lists.effective(existing, existing.settings.acl), ownership):
        raise RequestError("BucketAlreadyExists")


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
    bucket = request.bucket
    await context.metadata.call(DeleteBucket(tenant_id=bucket.tenant_id, name=bucket.name, trace=request.trace))
    context.directory.forget_bucket(bucket.name)
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
