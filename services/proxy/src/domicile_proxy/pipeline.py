"""The flow of every request. What an S3 operation may assume (an authenticated caller, its own bucket, leave to do this) is made true here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from domicile_common.errors import RequestError, Unavailable
from domicile_common.model import Credential, Rates
from domicile_common.sigv4.verify import Verified, check_clock, parse, verify
from domicile_proxy.authorization import ANONYMOUS, authorize
from domicile_proxy.context import Context
from domicile_proxy.operations import post_object
from domicile_proxy.operations.preflight import preflight
from domicile_proxy.operations.table import OPERATIONS
from domicile_proxy.request import Incoming, Response, S3Request
from domicile_proxy.s3 import operation as operations
from domicile_proxy.s3.addressing import bucket_of_host, parse_address
from domicile_proxy.s3.headers import check_head, refuse_unserved, refuse_version, with_hoisted
from domicile_proxy.s3.operation import Operation
from domicile_proxy.s3.query import parse_query


async def answer(incoming: Incoming, context: Context) -> Response:
    """From the head of a request to its answer; no byte of the body is read before step 6, but the fields of a form.

    Raises what ``s3.errors`` describes to the client.
    """
    check_head(incoming.raw_headers, incoming.raw_query)
    if incoming.method == "OPTIONS":
        return await preflight(incoming, context)
    # 1. What is asked for, and in which bucket.
    target = read_target(incoming, context.settings.s3_base_domain)
    # 2. Who asks, and whether it asks too much. A browser's form says it in the fields before its file.
    request = await (ask_by_form if target.operation.name == "PostObject" else ask)(incoming, target, context)
    # 3. Whether this key may do such things at all, and nothing is asked for that would be ignored.
    admit(request)
    # 4. Which bucket that is: the caller's own, or another's that the caller may know of.
    request = await in_bucket(request, incoming, context)
    # 5. Whether the caller may do this there.
    request = await authorize(request, context)
    # 6. Do it.
    return await operate(request, context)


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


async def ask(incoming: Incoming, target: Target, context: Context) -> S3Request:
    credential, verified = await authenticate(incoming, context)
    limit(incoming, credential.tenant.tenant_id, credential.rates, context)
    presigned = verified is not None and verified.claim.presigned
    headers = with_hoisted(incoming.headers, target.params) if presigned else incoming.headers
    return S3Request(incoming, headers, target.operation, target.bucket, target.key, target.params, credential, verified)


async def ask_by_form(incoming: Incoming, target: Target, context: Context) -> S3Request:
    form = await post_object.read_form(incoming)
    credential, signed = await post_object.authenticate(form, target.bucket, context)
    incoming.access_key = credential.access_key
    limit(incoming, credential.tenant.tenant_id, credential.rates, context)
    arrived, key, headers = post_object.as_put(incoming, form)
    params = post_object.answer_fields(form)
    return S3Request(arrived, headers, target.operation, target.bucket, key, params, credential, None, form=signed)


async def authenticate(incoming: Incoming, context: Context) -> tuple[Credential, Verified | None]:
    """The caller's key and its verified signature; without any, it is nobody, who may what is granted to everybody."""
    named = bucket_of_host(incoming.headers.get("host", ""), context.settings.s3_base_domain)
    claim = parse(incoming.method, incoming.raw_path, incoming.raw_query, incoming.raw_headers, named)
    if claim is None:
        return ANONYMOUS, None
    now = context.clock()
    check_clock(claim, now)
    known = await context.directory.credential(claim.access_key)
    verified = verify(claim, known.secret, now, context.keys)
    credential = known.usable(now)
    incoming.access_key = credential.access_key
    return credential, verified


def limit(incoming: Incoming, tenant_id: str, rates: Rates | None, context: Context) -> None:
    """Counts the request for whoever asks, or for a bucket's owner where nobody is named. Raises ``RequestError`` ``SlowDown``."""
    if rates is not None:
        incoming.limits = context.limiter.enter(tenant_id, rates)
        incoming.wire.pace = incoming.limits.pace


def admit(request: S3Request) -> None:
    if not operations.permits(request.credential.access, request.operation.access):
        raise RequestError("AccessDenied")
    refuse_unserved(request.operation, request.headers)
    refuse_version(request.operation, request.params)


async def in_bucket(request: S3Request, incoming: Incoming, context: Context) -> S3Request:
    """``incoming``: what arrived, which a form's request is no longer. Its answer is counted and shown to web pages by that."""
    if not request.operation.in_bucket:
        return request
    bucket = await context.directory.bucket(request.tenant.tenant_id, request.bucket_name)
    incoming.bucket = bucket
    if request.caller.anonymous:
        limit(incoming, bucket.tenant_id, bucket.rates, context)
    return replace(request, found_bucket=bucket)


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
