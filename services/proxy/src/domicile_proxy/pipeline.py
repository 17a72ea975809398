"""The flow of every request. What an S3 operation may assume (an authenticated caller, its own bucket, leave to do this) is made true here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from domicile_common.errors import RequestError, Unavailable
from domicile_common.model import Bucket, Credential, Rates
from domicile_common.sigv4.verify import Verified, parse, verify
from domicile_proxy.authorization import ANONYMOUS, authorize
from domicile_proxy.context import Context
from domicile_proxy.operations import (
    Handler,
    access_settings,
    acls,
    attributes,
    bucket_rules,
    buckets,
    copy,
    listing,
    multi_delete,
    multipart,
    multipart_listing,
    object_lock,
    objects_read,
    objects_write,
    post_object,
    settings_reads,
    tagging,
    versioning,
)
from domicile_proxy.operations.preflight import preflight
from domicile_proxy.request import Incoming, Response, S3Request
from domicile_proxy.s3 import operation as operations
from domicile_proxy.s3.addressing import bucket_of_host, parse_address
from domicile_proxy.s3.headers import check_head, refuse_unserved, refuse_version, with_hoisted
from domicile_proxy.s3.operation import Operation
from domicile_proxy.s3.query import parse_query

OPERATIONS: Mapping[str, Handler] = {
    **access_settings.OPERATIONS,
    **acls.OPERATIONS,
    **bucket_rules.OPERATIONS,
    **attributes.OPERATIONS,
    **buckets.OPERATIONS,
    **copy.OPERATIONS,
    **listing.OPERATIONS,
    **multi_delete.OPERATIONS,
    **multipart.OPERATIONS,
    **multipart_listing.OPERATIONS,
    **object_lock.OPERATIONS,
    **objects_read.OPERATIONS,
    **objects_write.OPERATIONS,
    **post_object.OPERATIONS,
    **settings_reads.OPERATIONS,
    **tagging.OPERATIONS,
    **versioning.OPERATIONS,
}


async def answer(incoming: Incoming, context: Context) -> Response:
    """From the head of a request to its answer; no byte of the body is read before step 6.

    Raises what ``s3.errors`` describes to the client.
    """
    check_head(incoming.raw_headers, incoming.raw_query)
    if incoming.method == "OPTIONS":
        return await preflight(incoming, context)
    # 1. What is asked for, and in which bucket.
    target = read_target(incoming, context.settings.s3_base_domain)
    if target.operation.name == "PostObject":
        return await answer_form(incoming, target, context)
    # 2. Who asks, and whether it asks too much.
    credential, verified = await authenticate(incoming, context)
    limit(incoming, credential.tenant.tenant_id, credential.rates, context)
    presigned = verified is not None and verified.claim.presigned
    headers = with_hoisted(incoming.headers, target.params) if presigned else incoming.headers
    # 3. Whether this key may do such things at all, and nothing is asked for that would be ignored.
    admit(credential, target.operation, headers)
    refuse_version(target.operation, target.params)
    # 4. Which bucket that is: the caller's own, or another's that the caller may know of.
    incoming.bucket = bucket = await resolve(target, credential, context)
    if bucket is not None and credential is ANONYMOUS:
        limit(incoming, bucket.tenant_id, bucket.rates, context)
    # 5. Whether the caller may do this there.
    request = S3Request(
        incoming, headers, target.operation, target.bucket, target.key, target.params, credential, verified, bucket
    )
    request = await authorize(request, context)
    # 6. Do it.
    return await operate(request, context)


async def answer_form(incoming: Incoming, target: Target, context: Context) -> Response:
    """The same steps for a browser's form, which says in its body who signed it, and what the object shall be."""
    form = await post_object.read_form(incoming)
    credential, policy, signed = await post_object.authenticate(form, target.bucket, context)
    incoming.access_key = credential.access_key
    limit(incoming, credential.tenant.tenant_id, credential.rates, context)
    arrived, key, headers = post_object.as_put(incoming, form)
    admit(credential, target.operation, headers)
    incoming.bucket = bucket = await resolve(target, credential, context)
    if bucket is not None and credential is ANONYMOUS:
        limit(incoming, bucket.tenant_id, bucket.rates, context)
    params = post_object.answer_fields(form)
    request = S3Request(
        arrived, headers, target.operation, target.bucket, key, params, credential, None, bucket, form_signed=signed
    )
    return await operate(await post_object.with_file(await authorize(request, context), policy), context)


class Target(NamedTuple):
    """``bucket`` and ``key`` are ``""`` where the request names none."""

    operation: Operation
    bucket: str
    key: str
    params: Mapping[str, str]


def read_target(incoming: Incoming, base_domain: str | None) -> Target:
    headers = incoming.headers
    bucket, key = parse_address(headers.get("host", ""), incoming.raw_path, base_domain)
    params = parse_query(incoming.raw_query)
    operation = operations.resolve(incoming.method, bucket, key, params, headers)
    incoming.label = operation.name
    return Target(operation, bucket or "", key or "", params)


async def authenticate(incoming: Incoming, context: Context) -> tuple[Credential, Verified | None]:
    """The caller's key and its verified signature; without any, it is nobody, who may what is granted to everybody."""
    named = bucket_of_host(incoming.headers.get("host", ""), context.settings.s3_base_domain)
    claim = parse(incoming.method, incoming.raw_path, incoming.raw_query, incoming.raw_headers, named)
    if claim is None:
        return ANONYMOUS, None
    known = await context.directory.credential(claim.access_key)
    now = context.clock()
    verified = verify(claim, known.secret, now, context.keys)
    credential = known.credential
    if credential.state != "active" or credential.tenant.state != "active" or (credential.expires_at or now) < now:
        raise RequestError("InvalidAccessKeyId")
    incoming.access_key = credential.access_key
    return credential, verified


def limit(incoming: Incoming, tenant_id: str, rates: Rates | None, context: Context) -> None:
    """Counts the request for whoever asks, or for a bucket's owner where nobody is named. Raises ``RequestError`` ``SlowDown``."""
    if rates is not None:
        incoming.limits = context.limiter.enter(tenant_id, rates)
        incoming.wire.pace = incoming.limits.pace


def admit(credential: Credential, operation: Operation, headers: Mapping[str, str]) -> None:
    if not operations.permits(credential.access, operation.access):
        raise RequestError("AccessDenied")
    refuse_unserved(operation, headers)


async def resolve(target: Target, credential: Credential, context: Context) -> Bucket | None:
    if not target.operation.in_bucket:
        return None
    return await context.directory.bucket(credential.tenant.tenant_id, target.bucket)


async def operate(request: S3Request, context: Context) -> Response:
    handler = OPERATIONS.get(request.operation.name)
    if handler is None:
        raise operations.not_implemented(request.operation)
    try:
        return await handler(request, context)
    except RequestError as refusal:
        if refusal.code != "NoSuchBucket" or request.found_bucket is None:
            raise
        return await operate_anew(request, context, refusal)


async def operate_anew(request: S3Request, context: Context, refusal: RequestError) -> Response:
    """The bucket that was remembered is gone; perhaps another one has its name by now."""
    context.directory.forget_bucket(request.bucket_name)
    bucket = await context.directory.bucket(request.tenant.tenant_id, request.bucket_name)
    if bucket.bucket_id == request.bucket.bucket_id:
        raise refusal
    if request.incoming.wire.started:
        raise Unavailable("the bucket was made anew during the request")
    anew = await authorize(replace(request, found_bucket=bucket, located=None), context)
    return await OPERATIONS[request.operation.name](anew, context)
