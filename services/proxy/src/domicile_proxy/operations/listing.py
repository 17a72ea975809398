"""What is in a bucket: ListObjects, ListObjectsV2, ListObjectVersions."""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import ListObjects, ListVersions, ObjectPage, VersionPage
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.buckets import decode_token, encode_token
from domicile_proxy.operations.documents import xml
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.answers import Listing
from domicile_proxy.s3.query import whole_number

MOST_ENTRIES = 1000

_NOTHING = ObjectPage(objects=(), prefixes=(), truncated=False, last="")


async def list_objects(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html."""
    listing = read_listing(request, "max-keys")
    for name in ("continuation-token", "start-after"):
        if name in request.params:  # ignored, it would give whoever turns pages by it the first one for ever
            message = f"{name} only supported in REST.GET.BUCKET with list-type=2"
            raise RequestError("InvalidArgument", message, {"ArgumentName": name})
    marker = request.params.get("marker", "")
    page = await read_page(request, context, listing, marker)
    next_marker = page.last if page.truncated else ""
    body = answers.list_objects(listing, page.objects, page.prefixes, owner=request.owner, marker=marker, next_marker=next_marker)
    return xml(body)


async def list_objects_v2(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html."""
    params = request.params
    if params["list-type"] != "2":
        raise RequestError("InvalidArgument", "Invalid List Type specified in Request", {"ArgumentName": "list-type"})
    listing = read_listing(request, "max-keys")
    token = params.get("continuation-token")
    start_after = params.get("start-after", "")
    page = await read_page(request, context, listing, decode_token(token) if token else start_after)
    body = answers.list_objects_v2(
        listing,
        page.objects,
        page.prefixes,
        owner=request.owner if params.get("fetch-owner", "").lower() == "true" else None,
        start_after=start_after,
        token=token,
        next_token=encode_token(page.last) if page.truncated else "",
    )
    return xml(body)


async def list_object_versions(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html.

    The version id in NextVersionIdMarker is that of the record, also for a null version: with it the next page goes on at the right
    place even when the version has been removed meanwhile.
    """
    listing = read_listing(request, "max-keys")
    marker = (request.params.get("key-marker", ""), request.params.get("version-id-marker", ""))
    if marker[1] and not marker[0]:
        message = "A version-id marker cannot be specified without a key marker."
        raise RequestError("InvalidArgument", message, {"ArgumentName": "version-id-marker"})
    page = await read_versions(request, context, listing, marker)
    body = answers.list_versions(
        listing,
        page.versions,
        page.prefixes,
        owner=request.owner,
        marker=marker,
        next_marker=page.last if page.truncated else None,
    )
    return xml(body)


async def read_versions(request: S3Request, context: Context, listing: Listing, marker: tuple[str, str]) -> VersionPage:
    if not listing.limit:
        return VersionPage(versions=(), prefixes=(), truncated=False, last=("", ""))
    call = ListVersions(
        bucket_id=request.bucket.bucket_id,
        prefix=listing.prefix,
        delimiter=listing.delimiter,
        after_key=marker[0],
        after_version=marker[1],
        limit=listing.limit,
        trace=request.trace,
    )
    return await context.metadata.call(call)


def read_listing(request: S3Request, limit_name: str) -> Listing:
    """The parameters that all listings share. Raises ``RequestError`` InvalidArgument."""
    params = request.params
    encoding = params.get("encoding-type", "")
    if encoding.lower() not in {"", "url"}:
        detail = {"ArgumentName": "encoding-type", "ArgumentValue": encoding}
        raise RequestError("InvalidArgument", "Invalid Encoding Method specified in Request", detail)
    return Listing(
        bucket=request.bucket.name,
        prefix=params.get("prefix", ""),
        delimiter=params.get("delimiter", ""),
        limit=min(whole_number(params, limit_name, MOST_ENTRIES), MOST_ENTRIES),
        url=bool(encoding),
    )


async def read_page(request: S3Request, context: Context, listing: Listing, after: str) -> ObjectPage:
    if not listing.limit:
        return _NOTHING
    call = ListObjects(
        bucket_id=request.bucket.bucket_id,
        prefix=listing.prefix,
        delimiter=listing.delimiter,
        after=after,
        limit=listing.limit,
        trace=request.trace,
    )
    return await context.metadata.call(call)


OPERATIONS: dict[str, Handler] = {
    "ListObjects": list_objects,
    "ListObjectsV2": list_objects_v2,
    "ListObjectVersions": list_object_versions,
}
