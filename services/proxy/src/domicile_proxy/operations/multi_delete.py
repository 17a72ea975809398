"""DeleteObjects: up to a thousand keys in one request, each with a result of its own."""

from __future__ import annotations

import asyncio

from domicile_common.access.actions import BYPASS, NEEDS
from domicile_common.errors import DomicileError, RequestError, Unavailable
from domicile_common.metadata_client.models import Delete
from domicile_proxy.authorization import check, may, tells
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler, streams
from domicile_proxy.operations.documents import read_document, xml
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3 import answers
from domicile_proxy.s3.addressing import check_key
from domicile_proxy.s3.answers import Failed, Removed
from domicile_proxy.s3.documents import ObjectId, parse_deletion
from domicile_proxy.s3.errors import describe
from domicile_proxy.s3.locks import bypasses

DECIDED_AT_ONCE = 8
"""Keys, where a policy decides; others' requests come in between, for it may take milliseconds for each of a thousand."""


async def delete_objects(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html."""
    plan = streams.plan(request)
    if plan.md5 is None and not plan.declared:
        raise RequestError("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    deletion = await read_document(request, parse_deletion, plan)
    turns = asyncio.Semaphore(DECIDED_AT_ONCE)
    outcomes = await asyncio.gather(*(delete_one(request, context, target, turns) for target in deletion.objects))
    removed = () if deletion.quiet else (outcome for outcome in outcomes if isinstance(outcome, Removed))
    return xml(answers.delete_result(removed, (outcome for outcome in outcomes if isinstance(outcome, Failed))))


async def delete_one(request: S3Request, context: Context, target: ObjectId, turns: asyncio.Semaphore) -> Removed | Failed:
    """Raises ``RequestError`` NoSuchBucket and ``Unavailable``, which say the same of every key: the whole request may be repeated."""
    try:
        check_key(target.key)
        if request.bucket.settings.policy:
            async with turns:
                await asyncio.sleep(0)
                await authorize_one(request, context, target)
        else:
            await authorize_one(request, context, target)
        call = Delete(
            bucket_id=request.bucket.bucket_id,
            key=target.key,
            version_id=target.version_id,
            condition=target.condition,
            bypass_governance=bypasses(request.headers),
            trace=request.trace,
        )
        deleted = await context.metadata.call(call)
    except DomicileError as error:
        failure = describe(error)
        if failure.code == "NoSuchBucket" or isinstance(error, Unavailable):
            raise
        return Failed(target.key, target.version_id, failure.code, failure.message)
    return Removed(target.key, target.version_id, deleted.version_id if deleted.delete_marker else None)


async def authorize_one(request: S3Request, context: Context, target: ObjectId) -> None:
    """Raises as ``authorization.check`` does."""
    if_match = target.condition.if_match
    facts = {
        "s3:if-match": (if_match,) if if_match is not None else ()
    }  # that of the key, whatever the request's own header says
    needs = [NEEDS["DeleteObjects"], *((BYPASS,) if bypasses(request.headers) else ())]
    if not all(may(request, context, need, target.key, version_id=target.version_id, facts=facts) for need in needs):
        raise RequestError("AccessDenied")
    if tells(target.condition):
        await check(request, context, request.bucket, NEEDS["GetObject"], target.key, version_id=target.version_id)


OPERATIONS: dict[str, Handler] = {"DeleteObjects": delete_objects}
