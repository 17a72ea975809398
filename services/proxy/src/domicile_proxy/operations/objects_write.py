"""PutObject and DeleteObject."""

from __future__ import annotations

from domicile_common import checksums
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Delete, Intent
from domicile_common.model import Digest, Version
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler, intents, streams
from domicile_proxy.operations.acls import with_acl
from domicile_proxy.operations.fan_out import FanOut
from domicile_proxy.operations.intents import Draft
from domicile_proxy.operations.waiting import read_wait, wait_after_write
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3.body import BodyPlan
from domicile_proxy.s3.conditions import deletion_condition, write_condition
from domicile_proxy.s3.headers import checksum_headers, read_facts, version_header, wanted_version
from domicile_proxy.s3.lifecycle import expiration_header
from domicile_proxy.s3.locks import bypasses, read_lock

READ_FIRST = 64 * 1024
"""Bytes; a body that is not longer is read and verified before anything is opened at a backend: then its checksum goes into the stamp,
and a backend that fails costs another placement instead of an error.
"""


async def put_object(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html."""
    # 1. What the client says of the object and of the body; refused before a byte of it is read.
    request = await streams.with_length(request)
    body = streams.plan(request)
    condition = write_condition(request.headers)
    lock = read_lock(request.headers, context.clock())
    if lock is not None and body.md5 is None and not body.declared:
        message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
        raise RequestError("InvalidRequest", message)
    facts = read_facts(request.headers)
    wait = read_wait(request, facts)
    facts = await with_acl(request, facts, context)
    draft = Draft(request.bucket, request.key, facts, body.length, request.trace, lock, condition)
    # 2. The intent, the bytes, the version.
    put = put_short if body.length <= READ_FIRST else put_long
    version = await put(request, draft, body, context)
    # 3. What was stored.
    headers = {"etag": f'"{version.digest.etag}"'} | version_header(version)
    headers |= expiration_header(request.bucket.settings.lifecycle, version)
    # 4. When its copies are there, if that is asked for.
    headers |= await wait_after_write(wait, version, context)
    return Response(200, headers | checksum_headers(version.digest.checksums, version.digest.checksum_type))


async def put_short(request: S3Request, draft: Draft, body: BodyPlan, context: Context) -> Version:
    content, digest = await streams.receive_whole(request, body)

    async def store(intent: Intent) -> dict[str, str]:
        return await intents.store_whole(draft, intent, content, digest, context)

    intent, etags = await intents.place(draft, context, store)
    stamped = intents.is_stamped(draft, intent, digest)
    return await intents.commit(draft, intent, digest, etags, context, stamped=stamped)


async def put_long(request: S3Request, draft: Draft, body: BodyPlan, context: Context) -> Version:
    promised = promised_digest(body)

    async def open_targets(intent: Intent) -> FanOut:
        return await intents.open_targets(draft, intent, promised, context)

    intent, fan_out = await intents.place(draft, context, open_targets)
    try:
        async with intents.renewed(intent, context, request.trace):
            digest, etags = await streams.receive_into(request, body, fan_out)
    except BaseException:
        await intents.abandon(intent, context, fan_out)
        raise
    stamped = intents.is_stamped(draft, intent, promised)
    return await intents.commit(draft, intent, digest, etags, context, stamped=stamped)


def promised_digest(body: BodyPlan) -> Digest | None:
    """What the bytes will be if the client keeps its word, which is verified; ``None`` unless it gave MD5 and checksum in the head."""
    if body.md5 is None or body.checksum is None:
        return None
    return Digest(body.length, body.md5.hex(), {body.algorithm: checksums.encode(body.checksum)})


async def delete_object(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html."""
    call = Delete(
        bucket_id=request.bucket.bucket_id,
        key=request.key,
        version_id=wanted_version(request.params),
        condition=deletion_condition(request.headers),
        bypass_governance=bypasses(request.headers),
        trace=request.trace,
    )
    deleted = await context.metadata.call(call)
    headers = {}
    if deleted.version_id is not None:
        headers["x-amz-version-id"] = deleted.version_id
    if deleted.delete_marker:
        headers["x-amz-delete-marker"] = "true"
    return Response(204, headers)


OPERATIONS: dict[str, Handler] = {"PutObject": put_object, "DeleteObject": delete_object}
