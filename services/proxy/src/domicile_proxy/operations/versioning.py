"""Whether a bucket keeps versions."""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import PutVersioning
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.documents import read_document, xml
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.documents import parse_versioning

_ANSWERS = {
    "off": answers.document("VersioningConfiguration"),
    "enabled": answers.document("VersioningConfiguration", "<Status>Enabled</Status>"),
    "suspended": answers.document("VersioningConfiguration", "<Status>Suspended</Status>"),
}


async def get_bucket_versioning(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html."""
    return xml(_ANSWERS[request.bucket.versioning])


async def put_bucket_versioning(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html."""
    if "x-amz-mfa" in request.headers:
        raise RequestError("NotImplemented", "MFA delete is not implemented.")
    versioning = await read_document(request, parse_versioning)
    call = PutVersioning(bucket_id=request.bucket.bucket_id, versioning=versioning, trace=request.trace)
    await context.metadata.call(call)
    context.directory.forget_bucket(request.bucket_name)
    return Response()


OPERATIONS: dict[str, Handler] = {
    "GetBucketVersioning": get_bucket_versioning,
    "PutBucketVersioning": put_bucket_versioning,
}
