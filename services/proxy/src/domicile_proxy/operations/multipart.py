"""Multipart uploads: the backends' own, on the backends that the upload's decision writes to.

The upload id is the version id of its intent. Parts are recorded one by one with their MD5 and checksum, so that the object's ETag and
checksum follow without reading anything again, and copies can be made in the same parts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from domicile_common import checksums
from domicile_common.backends.port import BlobStore, Sink
from domicile_common.errors import BackendError, RequestError, UploadNotFound
from domicile_common.metadata_client.models import (
    Abort,
    FindUpload,
    Intent,
    PutPart,
    RegisterUpload,
    Upload,
)
from domicile_common.model import Blob, Digest, Part
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler, intents, streams
from domicile_proxy.operations.acls import with_acl
from domicile_proxy.operations.documents import xml
from domicile_proxy.operations.fan_out import FanOut, note_failure, open_all, together
from domicile_proxy.operations.intents import Draft
from domicile_proxy.operations.transfer import check_size, locate_source, read_source, source_bucket, source_header, transfer
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.body import BodyPlan
from domicile_proxy.s3.headers import checksum_headers, read_facts
from domicile_proxy.s3.lifecycle import abort_headers
from domicile_proxy.s3.locks import read_lock
from domicile_proxy.s3.multipart import read_promise
from domicile_proxy.s3.query import whole_number
from domicile_proxy.s3.ranges import MAX_PART_NUMBER, copied_span

_UPLOAD_ID = re.compile("[0-9a-f]{32}")

log = structlog.get_logger()


# --- create ---


async def create_multipart_upload(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html."""
    promise = read_promise(request.headers)
    facts = await with_acl(request, read_facts(request.headers), context)
    lock = read_lock(request.headers, context.clock())
    draft = Draft(request.bucket, request.key, facts, 0, request.trace, lock)

    async def create_all(intent: Intent) -> dict[str, str]:
        return await create_uploads(draft, intent, context)

    intent, uploads = await intents.place(draft, context, create_all, upload=True)
    call = RegisterUpload(
        bucket_id=intent.bucket_id,
        upload_id=intent.version_id,
        uploads=uploads,
        checksum_algorithm=promise.algorithm,
        checksum_type=promise.checksum_type if promise.algorithm else "",
        initiator=None if request.caller.anonymous else request.tenant,
        trace=request.trace,
    )
    try:
        await context.metadata.call(call)
    except BaseException:
        await intents.abandon(intent, context)
        raise
    headers = abort_headers(request.bucket.settings.lifecycle, request.key, context.clock())
    if promise.algorithm:
        headers |= {"x-amz-checksum-algorithm": promise.algorithm.upper(), "x-amz-checksum-type": promise.checksum_type}
    return xml(answers.initiated(request.bucket.name, request.key, intent.version_id), headers)


async def create_uploads(draft: Draft, intent: Intent, context: Context) -> dict[str, str]:
    """Backend id → the backend's own upload id, for all of ``decision.write``."""
    headers = intents.blob_headers(draft, intent, None)

    async def create(blob: Blob) -> tuple[str, str]:
        store = await context.directory.store(blob.backend_id)
        try:
            await store.ensure_namespace(blob.namespace)
            return blob.backend_id, await store.create_upload(blob, headers)
        except BackendError as error:
            note_failure(error, store, blob, context.health)
            raise

    return dict(await together(create(blob) for blob in intents.written_blobs(intent)))


# --- parts ---


async def upload_part(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html."""
    number = part_number(request)
    upload = await find_upload(request, context)
    request = await streams.with_length(request)
    body = plan_part(request, upload)

    async def fill(fan_out: FanOut) -> Digest:
        return (await streams.receive_into(request, body, fan_out))[0]

    taken = await write_part(request, upload, (number, body.length), fill, context)
    await record_part(request, upload, taken, context)
    return Response(200, {"etag": f'"{taken.digest.md5}"'} | checksum_headers(taken.digest.checksums))


async def upload_part_copy(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html."""
    number = part_number(request)
    source = read_source(request)
    upload = await find_upload(request, context)
    bucket = await source_bucket(request, source, context)
    located = await locate_source(bucket, source, request, context)
    span = copied_span(request.headers.get("x-amz-copy-source-range"), located.version.digest.size)
    check_size(span.length)

    async def fill(fan_out: FanOut) -> Digest:
        algorithm = upload.checksum_algorithm or checksums.DEFAULT
        digest = await transfer(context, bucket, located, fan_out, span=span, algorithm=algorithm)
        await fan_out.finish(digest.md5)
        return digest

    taken = await write_part(request, upload, (number, span.length), fill, context)
    await record_part(request, upload, taken, context)
    body = answers.copy_part_result(taken.digest.etag, context.clock(), taken.digest.checksums)
    return xml(body, source_header(located.version, bucket))


def part_number(request: S3Request) -> int:
    """Raises ``RequestError`` InvalidArgument."""
    number = whole_number(request.params, "partNumber", 0, least=1, most=MAX_PART_NUMBER)
    if not number:
        message = f"Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive"
        raise RequestError("InvalidArgument", message, {"ArgumentName": "partNumber", "ArgumentValue": str(number)})
    return number


def plan_part(request: S3Request, upload: Upload) -> BodyPlan:
    """How to read the part's body; its checksum is of the algorithm that the upload was created with, whether the client sends one or not.

    Raises ``RequestError`` before a byte was read.
    """
    wanted = upload.checksum_algorithm
    body = streams.plan(request, default=wanted or checksums.DEFAULT)
    if wanted and body.algorithm != wanted:
        message = f"Checksum Type mismatch occurred, expected checksum Type: {wanted}, actual checksum Type: {body.algorithm}"
        raise RequestError("InvalidRequest", message)
    return body


class TakenPart(NamedTuple):
    """``dropped``: the backends that failed while enough others took it."""

    number: int
    digest: Digest
    dropped: tuple[str, ...]


async def write_part(
    request: S3Request, upload: Upload, part: tuple[int, int], fill: Callable[[FanOut], Awaitable[Digest]], context: Context
) -> TakenPart:
    """The part at every backend that the upload is at; on any error it becomes visible at none.

    ``part``: its number, and its length in bytes. ``fill``: writes it, and finishes.
    """

    async def open_part(store: BlobStore, blob: Blob) -> Sink:
        return await store.open_part(blob, upload.uploads[blob.backend_id], *part)

    try:
        fan_out = await open_all(upload.blobs, upload.quorum, open_part, context)
        try:
            return TakenPart(part[0], await fill(fan_out), tuple(fan_out.dropped))
        except BaseException:
            await fan_out.abort()
            raise
    except UploadNotFound:  # the backend has given it up: this upload cannot be completed any more
        raise no_such_upload(request) from None


async def record_part(request: S3Request, upload: Upload, taken: TakenPart, context: Context) -> None:
    call = PutPart(
        bucket_id=upload.bucket_id,
        upload_id=upload.upload_id,
        part=Part(taken.number, taken.digest.size, taken.digest.md5, crc=taken.digest.crc),
        checksums=taken.digest.checksums,
        dropped=taken.dropped,
        trace=request.trace,
    )
    await context.metadata.call(call)
    for blob in upload.blobs:
        if blob.backend_id in taken.dropped:
            await give_up_upload(blob, upload.uploads[blob.backend_id], context)


async def give_up_upload(blob: Blob, backend_upload_id: str, context: Context) -> None:
    """What it holds is of no use any more; should it not answer, the removal or the next copy of the blob does this."""
    try:
        store = await context.directory.store(blob.backend_id)
        await store.abort_upload(blob, backend_upload_id)
    except BackendError as error:
        log.warning("an upload is left behind for now", backend=blob.backend_id, error=str(error))


# --- abort ---


async def abort_multipart_upload(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html."""
    upload = await find_upload(request, context)
    call = Abort(bucket_id=upload.bucket_id, version_id=upload.upload_id, expected=True, trace=request.trace)
    await context.metadata.call(call)
    return Response(204)


# --- shared ---


async def find_upload(request: S3Request, context: Context) -> Upload:
    """Raises ``RequestError`` NoSuchUpload."""
    call = FindUpload(bucket_id=request.bucket.bucket_id, key=request.key, upload_id=upload_id(request), trace=request.trace)
    return await context.metadata.call(call)


def upload_id(request: S3Request) -> str:
    """Raises ``RequestError`` NoSuchUpload for what cannot be one."""
    text = request.params["uploadId"]
    if not _UPLOAD_ID.fullmatch(text):
        raise no_such_upload(request)
    return text


def no_such_upload(request: S3Request) -> RequestError:
    return RequestError("NoSuchUpload", detail={"UploadId": request.params["uploadId"]})


OPERATIONS: dict[str, Handler] = {
    "CreateMultipartUpload": create_multipart_upload,
    "UploadPart": upload_part,
    "UploadPartCopy": upload_part_copy,
    "AbortMultipartUpload": abort_multipart_upload,
}
