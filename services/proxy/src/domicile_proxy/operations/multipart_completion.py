"""The completion of a multipart upload: its parts become a blob at each backend, then a version on record."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
import structlog

from domicile_common.backends.port import BlobStore
from domicile_common.backends.quirks import quirks_of
from domicile_common.errors import BlobMismatch, BlobNotFound, RequestError, Unavailable, UploadNotFound
from domicile_common.metadata_client.models import (
    BeginComplete,
    Commit,
    CompletedPart,
    Completion,
    Locate,
    ReopenUpload,
    Stored,
    Upload,
)
from domicile_common.model import Blob, Digest, Version
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler, streams
from domicile_proxy.operations.documents import read_document, xml
from domicile_proxy.operations.fan_out import at_least
from domicile_proxy.operations.multipart import upload_id
from domicile_proxy.operations.waiting import read_wait, wait_after_write
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.conditions import write_condition
from domicile_proxy.s3.documents import parse_completion
from domicile_proxy.s3.headers import version_header
from domicile_proxy.s3.lifecycle import expiration_header
from domicile_proxy.s3.multipart import check_completion, etag_of, whole_digest

log = structlog.get_logger()


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


OPERATIONS: dict[str, Handler] = {"CompleteMultipartUpload": complete_multipart_upload}
