"""Bucket policy, public access block and ownership controls."""

from __future__ import annotations

from domicile_common.access import acl as lists
from domicile_common.access import documents
from domicile_common.access.engine import block_of, is_public
from domicile_common.bucket_settings import BucketSettings, SettingName
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import ChangeBucket
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.documents import read_document, receive_document, xml
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3.access_documents import (
    parse_ownership_controls,
    parse_public_access_block,
    render_ownership_controls,
    render_policy_status,
    render_public_access_block,
)


async def change(
    request: S3Request, context: Context, put: BucketSettings | None = None, remove: tuple[SettingName, ...] = ()
) -> None:
    """Sets and forgets; from now on this proxy sees it, and the others within a moment."""
    bucket = request.bucket
    call = ChangeBucket(bucket_id=bucket.bucket_id, put=put or BucketSettings(), remove=remove, trace=request.trace)
    await context.metadata.call(call)
    context.directory.forget_bucket(bucket.name)


def absent(request: S3Request, code: str) -> RequestError:
    return RequestError(code, detail={"BucketName": request.bucket.name})


# --- policy ---


async def get_bucket_policy(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html."""
    policy = request.bucket.settings.policy
    if not policy:
        raise absent(request, "NoSuchBucketPolicy")
    return Response(200, {"content-type": "application/json"}, policy.encode())


async def put_bucket_policy(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html."""
    body = await receive_document(request)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise RequestError("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'") from None
    document = documents.parse(text, request.bucket.name)
    if block_of(request.bucket).block_public_policy and document.is_public:
        raise RequestError("AccessDenied")
    await change(request, context, BucketSettings(policy=text))
    return Response(204)


async def delete_bucket_policy(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html."""
    await change(request, context, remove=("policy",))
    return Response(204)


async def get_bucket_policy_status(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html; lists count, too, and no policy is not public."""
    return xml(render_policy_status(public=is_public(request.bucket)))


# --- public access block ---


async def get_public_access_block(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html."""
    block = request.bucket.settings.public_access_block
    if block is None:
        raise absent(request, "NoSuchPublicAccessBlockConfiguration")
    return xml(render_public_access_block(block))


async def put_public_access_block(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html."""
    block = await read_document(request, parse_public_access_block)
    await change(request, context, BucketSettings(public_access_block=block))
    return Response(200)


async def delete_public_access_block(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html."""
    await change(request, context, remove=("public_access_block",))
    return Response(204)


# --- ownership controls ---


async def get_bucket_ownership_controls(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html."""
    ownership = request.bucket.settings.ownership
    if ownership is None:
        raise absent(request, "OwnershipControlsNotFoundError")
    return xml(render_ownership_controls(ownership))


async def put_bucket_ownership_controls(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html."""
    ownership = await read_document(request, parse_ownership_controls)
    acl = request.bucket.settings.acl
    if ownership == "BucketOwnerEnforced" and acl is not None and not lists.is_private(acl, request.owner):
        raise RequestError("InvalidBucketAclWithObjectOwnership")
    await change(request, context, BucketSettings(ownership=ownership))
    return Response(200)


async def delete_bucket_ownership_controls(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html."""
    await change(request, context, remove=("ownership",))
    return Response(204)


OPERATIONS: dict[str, Handler] = {
    "GetBucketPolicy": get_bucket_policy,
    "PutBucketPolicy": put_bucket_policy,
    "DeleteBucketPolicy": delete_bucket_policy,
    "GetBucketPolicyStatus": get_bucket_policy_status,
    "GetPublicAccessBlock": get_public_access_block,
    "PutPublicAccessBlock": put_public_access_block,
    "DeletePublicAccessBlock": delete_public_access_block,
    "GetBucketOwnershipControls": get_bucket_ownership_controls,
    "PutBucketOwnershipControls": put_bucket_ownership_controls,
    "DeleteBucketOwnershipControls": delete_bucket_ownership_controls,
}
