"""Step 5 of every request: whether this caller may do this here. The engine decides (``domicile_common.access``); here it is told the facts.

Whoever acts on more than what the request names (the source of a copy, each key of DeleteObjects) asks ``check`` once more for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from domicile_common.access import acl as lists
from domicile_common.access import engine
from domicile_common.access.actions import NEEDS, Need
from domicile_common.access.conditions import Facts
from domicile_common.access.documents import Caller
from domicile_common.access.engine import Ask, Target
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import FindUpload, Locate, Located
from domicile_common.model import Bucket, Credential, Tenant
from domicile_proxy.context import Context
from domicile_proxy.request import S3Request
from domicile_proxy.s3.asking import circumstances, request_facts
from domicile_proxy.s3.headers import read_tags, wanted_version

ANONYMOUS = Credential(access_key="", sealed_secret="", tenant=Tenant(tenant_id="", name="", canonical_id=""))
"""Somebody without a key: owns nothing, and may what is granted to everybody."""

_INITIATORS = frozenset({"AbortMultipartUpload", "ListParts"})
_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "MethodNotAllowed"})


async def authorize(request: S3Request, context: Context) -> S3Request:
    """The request, with the object located where that decided. Raises ``RequestError`` AccessDenied, and what ``locate`` raises."""
    if not request.operation.in_bucket:
        if request.caller.anonymous:
            raise RequestError("AccessDenied")
        return request
    check_expected_owner(request.headers.get("x-amz-expected-bucket-owner"), request.bucket)
    need = NEEDS.get(request.operation.name)
    if need is None:
        if not engine.owns(request.caller, request.bucket):
            raise RequestError("AccessDenied")
        return request
    if request.operation.name == "DeleteObjects":
        if not engine.owns(request.caller, request.bucket) and not engine.may_know_of(request.caller, request.bucket):
            raise RequestError("AccessDenied")
        check_consequences(request, context)
        return request  # each key is decided by itself
    located = await check(request, context, request.bucket, need, request.key, version_id=wanted_version(request.params))
    check_consequences(request, context)
    return replace(request, located=located)


async def check(
    request: S3Request, context: Context, bucket: Bucket, need: Need, key: str, *, version_id: str | None
) -> Located | None:
    """Raises unless the caller may do this; answers the object where it had to be looked at."""
    caller = request.caller
    if engine.owns(caller, bucket) and not bucket.settings.policy and not bucket.settings.mixed:
        return None
    ask = Ask(need, key, version=bool(version_id), facts=facts_of(request, context, bucket))
    located = None
    if engine.needs_target(caller, bucket, ask):
        try:
            located = await locate(bucket, key, version_id, request.trace, context)
        except RequestError as absent:
            if absent.code in _ABSENT and not may_list(caller, bucket, ask):
                raise RequestError("AccessDenied") from None
            raise
    facts = located.version.facts if located else None
    target = Target(facts.acl, facts.tags) if facts else None
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

    Tags and passing over a retention need leave of their own; a list that comes with a write only must not be denied.
    """
    bucket, caller, headers = request.bucket, request.caller, request.headers
    if headers.get("x-amz-bypass-governance-retention", "").lower() == "true":
        bypass = Ask(Need("s3:BypassGovernanceRetention"), request.key, facts=facts_of(request, context, bucket))
        if not engine.allows(caller, bucket, bypass):
            raise RequestError("AccessDenied")
    if request.operation.name not in {"PutObject", "CopyObject", "CreateMultipartUpload", "PostObject"}:
        return
    if engine.owns(caller, bucket) and not bucket.settings.policy:
        return
    facts = facts_of(request, context, bucket)
    if "x-amz-tagging" in headers:
        need = Need("s3:PutObjectTagging", permission="WRITE")
        if not engine.allows(caller, bucket, Ask(need, request.key, facts=facts)):
            raise RequestError("AccessDenied")
    lists_given = "x-amz-acl" in headers or any(name.startswith("x-amz-grant-") for name in headers)
    if lists_given and engine.denies(caller, bucket, Ask(NEEDS["PutObjectAcl"], request.key, facts=facts)):
        raise RequestError("AccessDenied")


def may(request: S3Request, context: Context, need: Need, key: str, *, version: bool) -> bool:
    """For what needs no object to be looked at."""
    ask = Ask(need, key, version=version, facts=facts_of(request, context, request.bucket))
    return engine.allows(request.caller, request.bucket, ask)


def facts_of(request: S3Request, context: Context, bucket: Bucket) -> Facts:
    """Nothing where no policy would ask."""
    if not bucket.settings.policy:
        return {}
    incoming = request.incoming
    owner = lists.owner_of(bucket)
    known = circumstances(
        request.tenant,
        request.credential.access_key,
        request.claim,
        owner,
        remote=incoming.remote,
        secure=incoming.secure,
        now=context.clock(),
    )
    return {**known, **request_facts(request.headers, request.params, _tags(request.headers))}


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
