"""Step 5 of every request: whether this caller may do this here. The engine decides (``domicile_common.access``); here it is told the facts.

Whoever acts on more than what the request names (the source of a copy, each key of DeleteObjects) asks ``check`` once more for it, and
whoever learns from its body what a policy's conditions ask for asks ``check_body``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from domicile_common.access import acl as lists
from domicile_common.access import documents, engine
from domicile_common.access.actions import BYPASS, HOLD, NEEDS, RETAIN, TAG, Need
from domicile_common.access.conditions import REQUEST_TAG, Facts
from domicile_common.access.documents import Caller
from domicile_common.access.engine import Ask, Target
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Condition, FindUpload, Locate, Located
from domicile_common.model import Bucket, Credential, Tenant
from domicile_proxy.context import Context
from domicile_proxy.request import S3Request
from domicile_proxy.s3.asking import circumstances, request_facts, tag_facts
from domicile_proxy.s3.conditions import deletion_condition, write_condition
from domicile_proxy.s3.headers import read_tags, wanted_version
from domicile_proxy.s3.locks import bypasses

ANONYMOUS = Credential(access_key="", sealed_secret="", tenant=Tenant(tenant_id="", name="", canonical_id=""))
"""Somebody without a key: owns nothing, and may what is granted to everybody."""

_INITIATORS = frozenset({"AbortMultipartUpload", "ListParts"})
_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "MethodNotAllowed"})
_MAKES = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload", "PostObject"})
_REPLACES = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload"})
# Operation → condition keys, or beginnings of such, whose values stand in its body.
_IN_BODY = {
    "PutObjectTagging": (REQUEST_TAG, "s3:requestobjecttagkeys"),
    "PutObjectRetention": ("s3:object-lock-",),
    "PutObjectLegalHold": ("s3:object-lock-",),
}


async def authorize(request: S3Request, context: Context) -> S3Request:
    """The request, with the object located where that decided. Raises ``RequestError`` AccessDenied, and what ``locate`` raises."""
    if not request.operation.in_bucket:
        if request.caller.anonymous:
            raise RequestError("AccessDenied")
        return request
    bucket, name = request.bucket, request.operation.name
    check_expected_owner(request.headers.get("x-amz-expected-bucket-owner"), bucket)
    is_owner = engine.owns(request.caller, bucket)
    need = NEEDS.get(name)
    if need is None:
        if not is_owner:
            raise RequestError("AccessDenied")
        return request
    if name == "DeleteObjects" or waits_for_body(request):
        if not is_owner and not engine.may_know_of(request.caller, bucket):
            raise RequestError("AccessDenied")
        return request  # decided by the operation itself, for each key or with what its body says
    located = await check(request, context, bucket, need, request.key, version_id=wanted_version(request.params))
    if need.action in engine.OWNERS_ONLY and not is_owner:
        raise RequestError("MethodNotAllowed")
    check_consequences(request, context)
    await check_condition(request, context)
    return replace(request, located=located) if located else request


async def check(
    request: S3Request,
    context: Context,
    bucket: Bucket,
    need: Need,
    key: str,
    *,
    version_id: str | None,
    facts: Facts | None = None,
) -> Located | None:
    """Raises unless the caller may do this; answers the object where it had to be looked at. ``facts``: beside those of the request."""
    caller = request.caller
    if engine.owns(caller, bucket) and not bucket.settings.policy and not bucket.settings.mixed:
        return None
    ask = Ask(need, key, version=version_id, facts={**facts_of(request, context, bucket), **(facts or {})})
    located = None
    if engine.needs_target(caller, bucket, ask):
        try:
            located = await locate(bucket, key, version_id, request.trace, context)
        except RequestError as absent:
            if absent.code in _ABSENT and not may_list(caller, bucket, ask):
                raise RequestError("AccessDenied") from None
            raise
    stored = located.version.facts if located else None
    target = Target(stored.acl, stored.tags) if stored else None
    if engine.allows(caller, bucket, ask, target):
        return located
    if engine.denies(caller, bucket, ask) or not await is_initiator(request, context):
        raise RequestError("AccessDenied")
    return None


def may_list(caller: Caller, bucket: Bucket, ask: Ask) -> bool:
    """Only whoever may list a bucket learns that a key is not there."""
    return engine.allows(caller, bucket, Ask(NEEDS["ListObjects"], facts={**ask.facts, "s3:prefix": (ask.key,)}))


async def is_initiator(request: S3Request, context: Context) -> bool:
    """Whoever began an upload may look at it and abort it."""
    if request.operation.name not in _INITIATORS or request.caller.anonymous:
        return False
    call = FindUpload(
        bucket_id=request.bucket.bucket_id, key=request.key, upload_id=request.params["uploadId"], trace=request.trace
    )
    try:
        initiator = (await context.metadata.call(call)).initiator
    except RequestError:
        return False
    return initiator is not None and initiator.canonical_id == request.caller.canonical_id


def check_consequences(request: S3Request, context: Context) -> None:
    """What headers ask for beside the operation itself. Raises ``RequestError`` AccessDenied.

    Tags, locks and passing over a retention need leave of their own; a list that comes with a write only must not be denied.
    """
    headers, bucket = request.headers, request.bucket
    if engine.owns(request.caller, bucket) and not bucket.settings.policy:
        return
    needs = [BYPASS] if bypasses(headers) else []
    if request.operation.name in _MAKES:
        needs += [TAG] if "x-amz-tagging" in headers else []
        needs += [RETAIN] if {"x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"} & headers.keys() else []
        needs += [HOLD] if "x-amz-object-lock-legal-hold" in headers else []
        lists_given = "x-amz-acl" in headers or any(name.startswith("x-amz-grant-") for name in headers)
        ask = Ask(NEEDS["PutObjectAcl"], request.key, facts=facts_of(request, context, bucket))
        if lists_given and engine.denies(request.caller, bucket, ask):
            raise RequestError("AccessDenied")
    if not all(may(request, context, need, request.key) for need in needs):
        raise RequestError("AccessDenied")


async def check_condition(request: S3Request, context: Context) -> None:
    """A condition on what is there tells something of it, so it is for those who may read it; ``*`` tells no more than a write does.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html. Raises as ``check`` does.
    """
    name = request.operation.name
    if name in _REPLACES:
        condition = write_condition(request.headers)
    elif name == "DeleteObject":
        condition = deletion_condition(request.headers)
    else:
        return
    if tells(condition):
        version_id = wanted_version(request.params)
        await check(request, context, request.bucket, NEEDS["GetObject"], request.key, version_id=version_id)


def tells(condition: Condition) -> bool:
    """Whether its outcome says more of an object than whether there is one."""
    by_tag = condition.if_match not in (None, "*") or bool(condition.other_than)
    return by_tag or condition.modified is not None or condition.size is not None


def waits_for_body(request: S3Request) -> bool:
    """Whether the bucket's policy asks for what only the request's body tells."""
    keys = _IN_BODY.get(request.operation.name)
    return keys is not None and documents.read(request.bucket.settings.policy).asks_for(keys)


async def check_body(request: S3Request, context: Context, facts: Facts) -> None:
    """Decides what ``authorize`` had to leave open. ``facts``: what the body says. Raises as ``check`` does."""
    if not waits_for_body(request):
        return
    need, version_id = NEEDS[request.operation.name], wanted_version(request.params)
    await check(request, context, request.bucket, need, request.key, version_id=version_id, facts=facts)
    check_consequences(request, context)


def may(
    request: S3Request, context: Context, need: Need, key: str, *, version_id: str | None = None, facts: Facts | None = None
) -> bool:
    """For what needs no object to be looked at. ``facts``: beside those of the request."""
    known = {**facts_of(request, context, request.bucket), **(facts or {})}
    return engine.allows(request.caller, request.bucket, Ask(need, key, version=version_id, facts=known))


def facts_of(request: S3Request, context: Context, bucket: Bucket) -> Facts:
    """Nothing where no policy would ask."""
    if not bucket.settings.policy:
        return {}
    incoming = request.incoming
    owner = lists.owner_of(bucket)
    known = circumstances(
        request.tenant,
        request.credential.access_key,
        request.signed,
        owner,
        remote=incoming.remote,
        secure=incoming.secure,
        now=context.clock(),
    )
    facts = {**known, **request_facts(request.operation.name, request.headers, request.params)}
    return {**facts, **tag_facts(_tags(request.headers))} if request.operation.name in _MAKES else facts


def _tags(headers: Mapping[str, str]) -> dict[str, str]:
    try:
        return read_tags(headers)
    except RequestError:
        return {}  # the operation itself says what is wrong with them


def check_expected_owner(expected: str | None, bucket: Bucket) -> None:
    """Raises RequestError: AccessDenied."""
    if expected is not None and expected != lists.owner_of(bucket).canonical_id:
        raise RequestError("AccessDenied")


async def locate(bucket: Bucket, key: str, version_id: str | None, trace: str, context: Context) -> Located:
    """Raises ``RequestError`` NoSuchKey, NoSuchVersion, InvalidArgument."""
    return await context.metadata.call(Locate(bucket_id=bucket.bucket_id, key=key, version_id=version_id, trace=trace))
