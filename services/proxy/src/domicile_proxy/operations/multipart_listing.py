"""What is known of unfinished uploads: ListParts and ListMultipartUploads."""

from __future__ import annotations

from domicile_common.access import acl as lists
from domicile_common.bucket_settings import Acl
from domicile_common.metadata_client.models import ListParts, ListUploads, PartPage, UploadPage
from domicile_common.model import Tenant
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.acls import owner_of
from domicile_proxy.operations.documents import xml
from domicile_proxy.operations.listing import MOST_ENTRIES, read_listing
from domicile_proxy.operations.multipart import find_upload, upload_id
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.answers import Listing, People
from domicile_proxy.s3.lifecycle import abort_headers
from domicile_proxy.s3.query import whole_number


async def list_parts(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html."""
    marker = whole_number(request.params, "part-number-marker", 0)
    limit = min(whole_number(request.params, "max-parts", MOST_ENTRIES), MOST_ENTRIES)
    page = await read_parts(request, context, marker, limit)
    people = people_of(request, page.upload.facts.acl, page.upload.initiator)
    body = answers.list_parts(
        request.bucket.name, page.upload, page.parts, people=people, marker=marker, limit=limit, truncated=page.truncated
    )
    return xml(body, abort_headers(request.bucket.settings.lifecycle, request.key, page.upload.initiated_at))


def people_of(request: S3Request, acl: Acl | None, initiator: Tenant | None) -> People:
    """What somebody without a key began, is shown as begun by whom it will belong to."""
    owner = owner_of(lists.effective(request.bucket, acl))
    return People(initiator or owner, owner)


async def read_parts(request: S3Request, context: Context, after: int, limit: int) -> PartPage:
    if not limit:
        return PartPage(upload=await find_upload(request, context), parts=(), truncated=False)
    call = ListParts(
        bucket_id=request.bucket.bucket_id,
        key=request.key,
        upload_id=upload_id(request),
        after=after,
        limit=limit,
        trace=request.trace,
    )
    return await context.metadata.call(call)


async def list_multipart_uploads(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html."""
    listing = read_listing(request, "max-uploads")
    marker = (request.params.get("key-marker", ""), request.params.get("upload-id-marker", ""))
    page = await read_uploads(request, context, listing, marker)
    uploads = [(entry, people_of(request, entry.acl, entry.initiator)) for entry in page.uploads]
    return xml(answers.list_uploads(listing, uploads, page.prefixes, marker=marker, next_marker=next_marker(page)))


async def read_uploads(request: S3Request, context: Context, listing: Listing, marker: tuple[str, str]) -> UploadPage:
    if not listing.limit:
        return UploadPage(uploads=(), prefixes=(), truncated=False)
    call = ListUploads(
        bucket_id=request.bucket.bucket_id,
        prefix=listing.prefix,
        delimiter=listing.delimiter,
        after_key=marker[0],
        after_upload=marker[1] if marker[0] else "",  # without a key marker S3 ignores it
        limit=listing.limit,
        trace=request.trace,
    )
    return await context.metadata.call(call)


def next_marker(page: UploadPage) -> tuple[str, str] | None:
    """The last upload or common prefix of the page, whichever sorts later, as S3 sorts: by the bytes of UTF-8."""
    if not page.truncated:
        return None
    last_upload = (page.uploads[-1].key, page.uploads[-1].upload_id) if page.uploads else ("", "")
    last_prefix = page.prefixes[-1] if page.prefixes else ""
    return max(last_upload, (last_prefix, ""), key=lambda marker: marker[0].encode())


OPERATIONS: dict[str, Handler] = {"ListParts": list_parts, "ListMultipartUploads": list_multipart_uploads}
