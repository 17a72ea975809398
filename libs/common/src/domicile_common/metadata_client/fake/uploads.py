"""Multipart uploads."""

from __future__ import annotations

import msgspec

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.fake.quotas import Usage, check, usage
from domicile_common.metadata_client.fake.state import State, answers, now
from domicile_common.metadata_client.fake.writes import check_condition

SMALLEST_PART = 5 << 20


@answers(m.RegisterUpload)
def register_upload(fake: State, request: m.RegisterUpload) -> m.Empty:
    upload = fake.upload(request.upload_id)
    fake.uploads[request.upload_id] = msgspec.structs.replace(
        upload,
        uploads=request.uploads,
        blobs=tuple(blob for blob in fake.intents[request.upload_id][0].blobs if blob.backend_id in request.uploads),
        checksum_algorithm=request.checksum_algorithm,
        checksum_type=request.checksum_type,
        initiator=request.initiator,
    )
    return m.Empty()


@answers(m.FindUpload)
def find_upload(fake: State, request: m.FindUpload) -> m.Upload:
    return fake.upload(request.upload_id, request.key)


@answers(m.PutPart)
def put_part(fake: State, request: m.PutPart) -> m.Empty:
    _drop(fake, fake.upload(request.upload_id), request.dropped)
    bucket, parts = fake.bucket(request.bucket_id), fake.parts.setdefault(request.upload_id, {})
    replaced, used = parts.get(request.part.number), usage(fake, bucket.tenant_id)
    more = request.part.size - (replaced.part.size if replaced else 0)
    check(fake, bucket, used, Usage(used.bytes + more, used.objects))
    parts[request.part.number] = m.PartEntry(request.part, now(), request.checksums)
    return m.Empty()


def _drop(fake: State, upload: m.Upload, backend_ids: tuple[str, ...]) -> None:
    left = tuple(blob for blob in upload.blobs if blob.backend_id not in backend_ids)
    if len(left) < upload.quorum:
        raise Unavailable("too few backends took the part")
    ids = {blob.backend_id: upload.uploads[blob.backend_id] for blob in left}
    fake.uploads[upload.upload_id] = msgspec.structs.replace(upload, blobs=left, uploads=ids)


@answers(m.ListParts)
def list_parts(fake: State, request: m.ListParts) -> m.PartPage:
    upload = fake.upload(request.upload_id, request.key)
    parts = [entry for number, entry in sorted(fake.parts.get(request.upload_id, {}).items()) if number > request.after]
    return m.PartPage(upload, tuple(parts[: request.limit]), truncated=len(parts) > request.limit > 0)


@answers(m.BeginComplete)
def begin_complete(fake: State, request: m.BeginComplete) -> m.Completion:
    upload = fake.upload(request.upload_id, request.key)
    recorded = fake.parts.get(request.upload_id, {})
    numbers = [part.number for part in request.parts]
    if numbers != sorted(set(numbers)):
        raise RequestError("InvalidPartOrder")
    if any(part.number not in recorded or recorded[part.number].part.etag != part.etag for part in request.parts):
        raise RequestError("InvalidPart")
    chosen = tuple(recorded[number] for number in numbers)
    if any(entry.part.size < SMALLEST_PART for entry in chosen[:-1]):
        raise RequestError("EntityTooSmall")
    check_condition(fake, request.condition, request.bucket_id, request.key)
    if request.fix:
        if fake.chosen.setdefault(request.upload_id, chosen) != chosen:
            raise RequestError("InvalidRequest")
        fake.completions[request.upload_id] = fake.completions.get(request.upload_id, 0) + 1
    return m.Completion(upload, chosen)


@answers(m.ReopenUpload)
def reopen_upload(fake: State, request: m.ReopenUpload) -> m.Empty:
    left = fake.completions.get(request.upload_id, 0) - 1
    if left >= 0:
        fake.completions[request.upload_id] = left
    if left == 0:
        del fake.chosen[request.upload_id]
    return m.Empty()
