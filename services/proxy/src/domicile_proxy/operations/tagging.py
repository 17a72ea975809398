"""Tags of objects and of buckets."""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import ChangeVersion, FindBucketTags, PutBucketTags
from domicile_proxy.authorization import check_body
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.documents import read_document, xml
from domicile_proxy.operations.objects_read import locate_object
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.asking import tag_facts
from domicile_proxy.s3.documents import parse_tagging
from domicile_proxy.s3.headers import MAX_BUCKET_TAGS, check_tags, version_header, wanted_version


async def get_object_tagging(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html."""
    version = (await locate_object(request, context)).version
    return xml(answers.tagging(version.facts.tags), version_header(version, versioned=request.bucket.versioning != "off"))


async def put_object_tagging(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html."""
    tags = await read_document(request, parse_tagging)
    check_tags(tags)
    await check_body(request, context, tag_facts(tags))
    return Response(200, await replace_tags(request, context, tags))


async def delete_object_tagging(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html."""
    return Response(204, await replace_tags(request, context, {}))


async def replace_tags(request: S3Request, context: Context, tags: dict[str, str]) -> dict[str, str]:
    """Answers the headers that name the version."""
    call = ChangeVersion(
        bucket_id=request.bucket.bucket_id,
        key=request.key,
        version_id=wanted_version(request.params),
        tags=tags,
        trace=request.trace,
    )
    version = (await context.metadata.call(call)).version
    return version_header(version, versioned=request.bucket.versioning != "off")


async def get_bucket_tagging(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html."""
    tags = (await context.metadata.call(FindBucketTags(bucket_id=request.bucket.bucket_id, trace=request.trace))).tags
    if tags is None:
        raise RequestError("NoSuchTagSet", detail={"BucketName": request.bucket.name})
    return xml(answers.tagging(tags))


async def put_bucket_tagging(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html."""
    tags = await read_document(request, parse_tagging)
    check_tags(tags, MAX_BUCKET_TAGS)
    await context.metadata.call(PutBucketTags(bucket_id=request.bucket.bucket_id, tags=tags, trace=request.trace))
    return Response(204)


async def delete_bucket_tagging(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html."""
    await context.metadata.call(PutBucketTags(bucket_id=request.bucket.bucket_id, tags=None, trace=request.trace))
    return Response(204)


OPERATIONS: dict[str, Handler] = {
    "GetObjectTagging": get_object_tagging,
    "PutObjectTagging": put_object_tagging,
    "DeleteObjectTagging": delete_object_tagging,
    "GetBucketTagging": get_bucket_tagging,
    "PutBucketTagging": put_bucket_tagging,
    "DeleteBucketTagging": delete_bucket_tagging,
}
