"""Pages of keys and of uploads, with common prefixes rolled up."""

from __future__ import annotations

from typing import Final

from domicile_common.metadata_client.models import (
    ListObjects,
    ListUploads,
    ListVersions,
    ObjectEntry,
    ObjectPage,
    UploadEntry,
    UploadPage,
    VersionEntry,
    VersionPage,
)
from domicile_metadata.context import Context
from domicile_metadata.domain.deletions import NULL
from domicile_metadata.domain.ids import is_id
from domicile_metadata.domain.listing import start_of_page, start_of_uploads
from domicile_metadata.services.buckets import no_such_bucket
from domicile_metadata.services.objects import invalid_version_id
from domicile_metadata.storage import listing

MAXIMUM_PAGE: Final = 1000


async def list_objects(context: Context, request: ListObjects) -> ObjectPage:
    limit = max(0, min(request.limit, MAXIMUM_PAGE))
    await _check_bucket(context, request.bucket_id)
    entries = await listing.list_objects(
        context.database,
        request.bucket_id,
        prefix=request.prefix,
        delimiter=request.delimiter,
        start=start_of_page(request.prefix, request.delimiter, request.after),
        limit=limit + 1,
    )
    page = entries[:limit]
    last = page[-1] if page else ""
    return ObjectPage(
        objects=tuple(entry for entry in page if isinstance(entry, ObjectEntry)),
        prefixes=tuple(entry for entry in page if isinstance(entry, str)),
        truncated=len(entries) > limit > 0,
        last=last if isinstance(last, str) else last.key,
    )


async def list_versions(context: Context, request: ListVersions) -> VersionPage:
    limit = max(0, min(request.limit, MAXIMUM_PAGE))
    await _check_bucket(context, request.bucket_id)
    if request.after_version not in ("", NULL) and not is_id(request.after_version):
        raise invalid_version_id(request.after_version)
    mark = (request.after_key, request.after_version) if request.after_version else None
    if mark and not request.after_key.startswith(request.prefix):
        mark = None
    entries = await listing.list_versions(
        context.database,
        request.bucket_id,
        prefix=request.prefix,
        delimiter=request.delimiter,
        mark=mark,
        start=start_of_page(request.prefix, request.delimiter, request.after_key),
        limit=limit + 1,
    )
    page = entries[:limit]
    last = page[-1] if page else ""
    return VersionPage(
        versions=tuple(entry for entry in page if isinstance(entry, VersionEntry)),
        prefixes=tuple(entry for entry in page if isinstance(entry, str)),
        truncated=len(entries) > limit > 0,
        last=(last, "") if isinstance(last, str) else (last.object.key, last.version_id),
    )


async def list_uploads(context: Context, request: ListUploads) -> UploadPage:
    limit = max(0, min(request.limit, MAXIMUM_PAGE))
    await _check_bucket(context, request.bucket_id)
    entries = await listing.list_uploads(
        context.database,
        request.bucket_id,
        prefix=request.prefix,
        delimiter=request.delimiter,
        behind=start_of_uploads(request.prefix, request.delimiter, request.after_key, request.after_upload),
        limit=limit + 1,
    )
    page = entries[:limit]
    return UploadPage(
        uploads=tuple(entry for entry in page if isinstance(entry, UploadEntry)),
        prefixes=tuple(entry for entry in page if isinstance(entry, str)),
        truncated=len(entries) > limit > 0,
    )


async def _check_bucket(context: Context, bucket_id: str) -> None:
    if not is_id(bucket_id) or not await listing.bucket_exists(context.database, bucket_id):
        raise no_such_bucket()
