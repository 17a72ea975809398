"""Access control lists: of buckets, of objects, and those that a write brings along."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from domicile_common.access import acl as lists
from domicile_common.access.engine import block_of
from domicile_common.bucket_settings import Acl, BucketSettings, Grant
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import ChangeBucket, FindTenants, PutAcl, ShareObjects
from domicile_common.model import Bucket, Facts, Tenant
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.documents import read_document, receive_document, xml
from domicile_proxy.operations.objects_read import locate_object
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3.access_documents import GRANT_HEADERS, AskedGrant, grantees, parse_acl, read_grants, render_acl
from domicile_proxy.s3.headers import version_header

FULL_CONTROL = "bucket-owner-full-control"


async def get_bucket_acl(request: S3Request, context: Context) -> Response:  # noqa: ARG001 -- the bucket tells
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html."""
    return xml(render_acl(lists.effective(request.bucket, request.bucket.settings.acl)))


async def put_bucket_acl(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html."""
    bucket = request.bucket
    refuse_lists_off(bucket)
    asked = await asked_acl(request, request.owner, None, context)
    acl = await wanted_acl(request, asked, lists.effective(bucket, bucket.settings.acl), context)
    refuse_blocked(bucket, acl)
    await context.metadata.call(ChangeBucket(bucket_id=bucket.bucket_id, put=BucketSettings(acl=acl), trace=request.trace))
    context.directory.forget_bucket(bucket.name)
    return Response(200)


async def get_object_acl(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html."""
    version = (await locate_object(request, context)).version
    acl = lists.effective(request.bucket, version.facts.acl)
    return xml(render_acl(acl), version_header(version))


async def put_object_acl(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html. Neither bytes nor Last-Modified change."""
    bucket = request.bucket
    refuse_lists_off(bucket)
    version = (await locate_object(request, context)).version
    before = lists.effective(bucket, version.facts.acl)
    asked = await asked_acl(request, owner_of(before), request.owner, context)
    acl = await wanted_acl(request, asked, before, context)
    refuse_blocked(bucket, acl)
    kept = None if lists.is_private(acl, request.owner) else acl
    await note_sharing(request, kept, context)
    await context.metadata.call(
        PutAcl(bucket_id=bucket.bucket_id, key=request.key, version_id=version.version_id, acl=kept, trace=request.trace)
    )
    return Response(200, version_header(version))


def owner_of(acl: Acl) -> Tenant:
    """As far as a list names its owner."""
    return Tenant(tenant_id="", name=acl.owner_name, canonical_id=acl.owner_id)


async def with_acl(request: S3Request, facts: Facts, context: Context) -> Facts:
    """What a write stores, with the list that its headers ask for; noted at the bucket before it becomes true.

    Raises:
        RequestError: AccessControlListNotSupported, AccessDenied (public lists are blocked), and those of ``asked_acl``.
    """
    acl = await acl_of_write(request, context)
    await note_sharing(request, acl, context)
    return msgspec.structs.replace(facts, acl=acl)


async def acl_of_write(request: S3Request, context: Context) -> Acl | None:
    """``None``: the bucket's owner owns the object, and nobody else has anything.

    The object belongs to the writer, unless lists are off, or the bucket's owner is preferred and gets full control; what somebody
    without a key writes belongs to the bucket's owner, for nobody else could ever own it.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
    """
    bucket, headers = request.bucket, request.headers
    name = headers.get("x-amz-acl")
    if bucket.settings.ownership == "BucketOwnerEnforced":
        if name not in (None, FULL_CONTROL) or any(header in headers for header in GRANT_HEADERS):
            raise RequestError("AccessControlListNotSupported")
        return None
    handed_over = bucket.settings.ownership == "BucketOwnerPreferred" and name == FULL_CONTROL
    owner = request.owner if request.caller.anonymous or handed_over else request.tenant
    acl = await asked_acl(request, owner, request.owner, context) or lists.private(owner)
    refuse_blocked(bucket, acl)
    return None if lists.is_private(acl, request.owner) else acl


async def asked_acl(request: S3Request, owner: Tenant, bucket_owner: Tenant | None, context: Context) -> Acl | None:
    """The list that the headers ask for, if they do.

    Raises:
        RequestError: InvalidArgument, InvalidRequest (a canned list and grants), UnresolvableGrantByEmailAddress.
    """
    name, grants = request.headers.get("x-amz-acl"), read_grants(request.headers)
    if name is not None and grants:
        raise RequestError("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    if name is not None:
        return lists.canned(name, owner, bucket_owner)
    return Acl(owner.canonical_id, owner.name, await resolved(grants, context)) if grants else None


async def wanted_acl(request: S3Request, by_headers: Acl | None, before: Acl, context: Context) -> Acl:
    """The list that the headers ask for, or the one in the body, whose owner cannot be changed.

    Raises:
        RequestError: UnexpectedContent (both), MalformedACLError, AccessDenied (another owner), and those of ``resolved``.
    """
    if by_headers is not None:
        if await receive_document(request):
            raise RequestError("UnexpectedContent")
        return by_headers
    asked = await read_document(request, parse_acl)
    if asked.owner_id not in ("", before.owner_id):
        raise RequestError("AccessDenied")
    return Acl(before.owner_id, before.owner_name, await resolved(asked.grants, context))


async def resolved(grants: tuple[AskedGrant, ...], context: Context) -> tuple[Grant, ...]:
    """With the names of the tenants that are meant. Tenants have no e-mail addresses here."""
    if any(grant.kind == "email" for grant in grants):
        raise RequestError("UnresolvableGrantByEmailAddress")
    ids = {grant.value for grant in grants if grant.kind == "id"}
    found = (await context.metadata.call(FindTenants(canonical_ids=tuple(sorted(ids))))).tenants if ids else ()
    names = {tenant.canonical_id: tenant.name for tenant in found}
    return tuple(_grant(grant, names) for grant in grants)


def _grant(grant: AskedGrant, names: Mapping[str, str]) -> Grant:
    if grant.kind == "uri" and grant.value in lists.GROUP_URIS:
        return Grant(grant.permission, group=lists.GROUP_URIS[grant.value])
    if grant.kind == "id" and grant.value in names:
        return Grant(grant.permission, grant.value, names[grant.value])
    what = "id" if grant.kind == "id" else "group uri"
    raise RequestError("InvalidArgument", f"Invalid {what}", {"ArgumentName": what, "ArgumentValue": grant.value[:100]})


def refuse_lists_off(bucket: Bucket) -> None:
    if bucket.settings.ownership == "BucketOwnerEnforced":
        raise RequestError("AccessControlListNotSupported")


def refuse_blocked(bucket: Bucket, acl: Acl) -> None:
    if block_of(bucket).block_public_acls and lists.is_public(acl):
        raise RequestError("AccessDenied")


async def note_sharing(request: S3Request, acl: Acl | None, context: Context) -> None:
    """Metadata knows of each bucket who may know of it, so whoever is granted an object has to be noted first."""
    if acl is None:
        return
    bucket = request.bucket
    new = grantees([acl], request.owner.canonical_id).difference(bucket.settings.object_grantees)
    mixed = acl.owner_id != request.owner.canonical_id
    if new or (mixed and not bucket.settings.mixed):
        call = ShareObjects(bucket_id=bucket.bucket_id, grantees=tuple(sorted(new)), mixed=mixed, trace=request.trace)
        await context.metadata.call(call)
        context.directory.forget_bucket(bucket.name)


OPERATIONS: dict[str, Handler] = {
    "GetBucketAcl": get_bucket_acl,
    "PutBucketAcl": put_bucket_acl,
    "GetObjectAcl": get_object_acl,
    "PutObjectAcl": put_object_acl,
}
