"""Multipart uploads: the backends' own, on the backends that the upload's decision writes to.

The upload id is the version id of its intent. Parts are recorded one by one with their MD5 and checksum, so that the object's ETag and
checksum follow without reading anything again, and copies can be made in the same parts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import quote

import msgspec
import structlog

from domicile_common import checksums
from domicile_common.backends.port import BlobStore, Sink
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import BackendError, BlobMismatch, BlobNotFound, RequestError, Unavailable, UploadNotFound
from domicile_common.metadata_client.models import (
    Abort,
    BeginComplete,
    Commit,
    CompletedPart,
    Completion,
    FindUpload,
    Intent,
    Locate,
    PutPart,
    RegisterUpload,
    ReopenUpload,
    Stored,
    Upload,
)
from domicile_common.model import Blob, Digest, Part, Version
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler, intents, streams
from domicile_proxy.operations.acls import with_acl
from domicile_proxy.operations.documents import read_document, xml
from domicile_proxy.operations.fan_out import FanOut, at_least, note_failure, open_all, together
from domicile_proxy.operations.intents import Draft
from domicile_proxy.operations.transfer import check_size, locate_source, read_source, source_bucket, source_header, transfer
from domicile_proxy.operations.waiting import read_wait, wait_after_write
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.body import BodyPlan
from domicile_proxy.s3.conditions import write_condition
from domicile_proxy.s3.documents import parse_completion
from domicile_proxy.s3.headers import checksum_headers, read_facts, version_header
from domicile_proxy.s3.lifecycle import abort_headers, expiration_header
from domicile_proxy.s3.locks import read_lock
from domicile_proxy.s3.multipart import check_completion, etag_of, read_promise, whole_digest
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


# --- complete ---


async def complete_multipart_upload(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html."""
    # 1. What the client says the object is made of, compared with what was recorded.
    condition = write_condition(request.headers)
    chosen = await read_document(request, parse_completion, streams.plan(request, checksum_of_body=False))
    look = BeginComplete(
        bucket_id=request.bucket.bucket_id,
        key=request.key,
        upload_id=upload_id(request),
        parts=chosen,
        fix=False,
        condition=condition,
        trace=request.trace,
    )
    try:
        completion = await context.metadata.call(look)
    except RequestError as refusal:
        if refusal.code != "NoSuchUpload":
            raise
        version = await find_completed(request, chosen, refusal, context)
        wait = read_wait(request, version.facts)
        answer = answer_completed(request, version)
        answer.headers |= await wait_after_write(wait, version, context)
        return answer
    wait = read_wait(request, completion.upload.facts)
    digest = whole_digest(completion.upload, completion.parts)
    check_completion(request.headers, completion.upload, digest)
    # 2. The parts are fixed; from here on only the same completion can be repeated.
    await context.metadata.call(msgspec.structs.replace(look, fix=True))
    # 3. The blob comes into being at each backend.
    stored = await complete_everywhere(request, completion, digest, context)
    # 4. The version. Unlike the intent of a PUT this one stays when the answer is lost, so that the client can repeat the request.
    commit = Commit(
        bucket_id=request.bucket.bucket_id,
        version_id=completion.upload.upload_id,
        digest=digest,
        stored=stored,
        condition=condition,
        blobs=completion.upload.blobs,
        trace=request.trace,
    )
    version = (await context.metadata.call(commit)).version
    answer = answer_completed(request, version)
    # 5. When its copies are there, if that is asked for.
    answer.headers |= await wait_after_write(wait, version, context)
    return answer


async def complete_everywhere(request: S3Request, completion: Completion, digest: Digest, context: Context) -> tuple[Stored, ...]:
    """At as many backends as the quorum asks for; the others are owed a copy.

    Raises ``BackendError`` and ``Unavailable`` when the same completion may succeed later, otherwise ``RequestError``: NoSuchUpload, or
    InvalidPart when these parts are not put together. Where no backend has done so, the client may choose others.
    """
    upload = completion.upload
    work = [(blob.backend_id, complete_at(blob, completion, digest, context)) for blob in upload.blobs]
    outcomes, failed = await at_least(upload.quorum, work)
    stored = tuple(outcome for outcome in outcomes if isinstance(outcome, Stored))
    if len(stored) >= upload.quorum:
        return stored
    if len(stored) + len(failed) >= upload.quorum:
        raise Unavailable("too few backends have completed the upload")
    refusals = [outcome for outcome in outcomes if isinstance(outcome, RequestError)]
    if [refusal.code for refusal in refusals] == ["InvalidPart"] * len(upload.blobs):
        await reopen(request, upload, context)
    raise refusals[0]


async def complete_at(blob: Blob, completion: Completion, digest: Digest, context: Context) -> Stored | RequestError:
    """What became of it there. Raises ``BackendError`` when that is not known, or not what it should be.

    ``RequestError`` NoSuchUpload: the backend has neither the upload nor its blob. InvalidPart: it does not put these parts together, and has
    made nothing of them; Ceph wants every one that was ever sent.
    """
    store = await context.directory.store(blob.backend_id)
    upload, parts = completion.upload, tuple(entry.part for entry in completion.parts)
    try:
        made = await store.complete_upload(blob, upload.uploads[blob.backend_id], parts)
    except BlobMismatch as error:
        log.warning("a backend does not put these parts together", backend=blob.backend_id, error=str(error))
        return RequestError("InvalidPart")
    except UploadNotFound:
        found = await find_blob(store, blob, digest.size)
        if found is None:
            return RequestError("NoSuchUpload", detail={"UploadId": upload.upload_id})
        made = found
    if quirks_of(store.backend).etag_is_md5 and made != etag_of(part.etag for part in parts):
        raise BlobMismatch(blob.backend_id, "the ETag of what was completed is not that of its parts")
    return Stored(blob.backend_id, made, stamped=False)


async def find_blob(store: BlobStore, blob: Blob, size: int) -> str | None:
    """The ETag of the blob that an earlier attempt has completed, if there is one."""
    try:
        info = await store.head(blob)
    except BlobNotFound:
        return None
    if info.size != size:
        raise BlobMismatch(blob.backend_id, f"has {info.size} bytes instead of {size}")
    return info.etag


async def reopen(request: S3Request, upload: Upload, context: Context) -> None:
    try:
        call = ReopenUpload(bucket_id=upload.bucket_id, upload_id=upload.upload_id, trace=request.trace)
        await context.metadata.call(call)
    except Unavailable as error:
        log.warning("the parts of an upload stay as they were chosen", upload_id=upload.upload_id, error=str(error))


async def find_completed(
    request: S3Request, chosen: tuple[CompletedPart, ...], refusal: RequestError, context: Context
) -> Version:
    """The version that this very completion has made before, its answer having been lost; otherwise raises ``refusal``."""
    locate = Locate(bucket_id=request.bucket.bucket_id, key=request.key, trace=request.trace)
    try:
        version = (await context.metadata.call(locate)).version
        same = version.version_id == upload_id(request) and version.digest.etag == etag_of(part.etag for part in chosen)
    except (RequestError, ValueError):  # no such key; or entity tags that are none
        same = False
    if not same:
        raise refusal
    return version


def answer_completed(request: S3Request, version: Version) -> Response:
    digest = version.digest
    path = quote(request.incoming.raw_path.decode("latin-1"), safe="/%", encoding="latin-1")
    body = answers.completed(
        request.bucket.name,
        request.key,
        location=request.origin + path,
        etag=digest.etag,
        checksums=digest.checksums,
        checksum_type=digest.checksum_type,
    )
    return xml(body, version_header(version) | expiration_header(request.bucket.settings.lifecycle, version))


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
    "CompleteMultipartUpload": complete_multipart_upload,
    "AbortMultipartUpload": abort_multipart_upload,
}
