"""Multipart uploads: intents that live as long as parts arrive, and end in a commit."""

from __future__ import annotations

import msgspec

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.models import (
    UNCONDITIONAL,
    BeginComplete,
    Completion,
    Empty,
    FindUpload,
    ListParts,
    PartPage,
    PutPart,
    RegisterUpload,
    ReopenUpload,
    Upload,
)
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.domain.parts import check_part_number, choose_parts
from domicile_metadata.domain.writes import check_condition
from domicile_metadata.services.begin import no_such_upload
from domicile_metadata.services.quotas import check_added
from domicile_metadata.storage import intents, quotas, uploads
from domicile_metadata.storage.database import Statements

MAXIMUM_PAGE = 1000


async def register(context: Context, request: RegisterUpload) -> Empty:
    _check_ids(request.bucket_id, request.upload_id)
    if not await uploads.register(context.database, request):
        raise no_such_upload(request.upload_id)
    return Empty()


async def find(context: Context, request: FindUpload | ListParts | BeginComplete) -> Upload:
    _check_ids(request.bucket_id, request.upload_id)
    upload = await uploads.find(context.database, request.bucket_id, request.key, request.upload_id)
    if upload is None:
        raise no_such_upload(request.upload_id)
    return upload


async def put_part(context: Context, request: PutPart) -> Empty:
    _check_ids(request.bucket_id, request.upload_id)
    check_part_number(request.part.number)
    if request.dropped and not await uploads.drop(context.database, request.bucket_id, request.upload_id, request.dropped):
        raise Unavailable("too few backends took the part")
    with_quota = await quotas.owner_with_quota(context.database, request.bucket_id)
    if with_quota is None:
        await _record_part(context, context.database, request)
    else:
        async with context.database.transaction() as session:
            await _record_part(context, session, request)
            await check_added(session, [with_quota])
    return Empty()


async def _record_part(context: Context, statements: Statements, request: PutPart) -> None:
    live_seconds = context.settings.upload_seconds
    part = request.part, request.checksums
    if not await uploads.put_part(statements, request.bucket_id, request.upload_id, *part, live_seconds=live_seconds):
        raise no_such_upload(request.upload_id)


async def list_parts(context: Context, request: ListParts) -> PartPage:
    upload = await find(context, request)
    limit = max(0, min(request.limit, MAXIMUM_PAGE))
    after = max(0, min(request.after, uploads.EVERY_PART))
    parts = await uploads.list_parts(context.database, request.bucket_id, request.upload_id, after=after, limit=limit + 1)
    return PartPage(upload, tuple(parts[:limit]), truncated=len(parts) > limit > 0)


async def begin_complete(context: Context, request: BeginComplete) -> Completion:
    upload = await find(context, request)
    recorded = await uploads.list_parts(context.database, request.bucket_id, request.upload_id, after=0, limit=uploads.EVERY_PART)
    try:
        chosen = choose_parts({entry.part.number: entry for entry in recorded}, request.parts)
    except RequestError:
        await find(context, request)  # raises when the upload has ended meanwhile, and its parts with it
        raise
    if request.condition != UNCONDITIONAL:  # early: the commit decides
        etags = await intents.current_etags(context.database, [(request.bucket_id, request.key)])
        check_condition(request.condition, etags.get((request.bucket_id, request.key)), request.key)
    parts = [msgspec.structs.replace(entry.part, checksums=entry.checksums, crc="") for entry in chosen]
    if request.fix and not await uploads.choose(context.database, request.bucket_id, request.upload_id, parts):
        await find(context, request)  # raises when the upload has ended meanwhile
        raise RequestError(
            "InvalidRequest", "The upload is already being completed with other parts.", {"UploadId": request.upload_id}
        )
    return Completion(upload, chosen)


async def reopen(context: Context, request: ReopenUpload) -> Empty:
    _check_ids(request.bucket_id, request.upload_id)
    await uploads.reopen(context.database, request.bucket_id, request.upload_id)
    return Empty()


def _check_ids(bucket_id: str, upload_id: str) -> None:
    if not is_id(bucket_id) or not is_id(upload_id):
        raise no_such_upload(upload_id)
