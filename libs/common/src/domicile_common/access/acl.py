"""Access control lists: the canned ones, and what a list grants. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from domicile_common.access.documents import Caller
from domicile_common.bucket_settings import Acl, Grant, Group, Permission
from domicile_common.errors import RequestError
from domicile_common.model import Bucket, Tenant

MAXIMUM_GRANTS = 100
_GROUPS: tuple[Group, ...] = ("AllUsers", "AuthenticatedUsers")
GROUP_URIS: dict[str, Group] = {f"http://acs.amazonaws.com/groups/global/{group}": group for group in _GROUPS}
_TO_GROUPS: dict[str, tuple[Grant, ...]] = {
    "private": (),
    "public-read": (Grant("READ", group="AllUsers"),),
    "public-read-write": (Grant("READ", group="AllUsers"), Grant("WRITE", group="AllUsers")),
    "authenticated-read": (Grant("READ", group="AuthenticatedUsers"),),
}
_TO_BUCKET_OWNER: dict[str, Permission] = {"bucket-owner-read": "READ", "bucket-owner-full-control": "FULL_CONTROL"}


def private(owner: Tenant) -> Acl:
    """What holds where nothing was set."""
    return Acl(owner.canonical_id, owner.name, (Grant("FULL_CONTROL", owner.canonical_id, owner.name),))


def canned(name: str, owner: Tenant, bucket_owner: Tenant | None = None) -> Acl:
    """The list that a canned one stands for, groups before the owner. ``bucket_owner``: only for an object.

    What gives a bucket's owner something says nothing of a bucket itself, and S3 ignores it there.

    Raises:
        RequestError: InvalidArgument.
    """
    base = private(owner)
    if name in _TO_GROUPS:
        return Acl(base.owner_id, base.owner_name, _TO_GROUPS[name] + base.grants)
    if name not in _TO_BUCKET_OWNER:
        raise RequestError("InvalidArgument", "", {"ArgumentName": "x-amz-acl", "ArgumentValue": name[:100]})
    if bucket_owner is None or bucket_owner.canonical_id == owner.canonical_id:
        return base
    grant = Grant(_TO_BUCKET_OWNER[name], bucket_owner.canonical_id, bucket_owner.name)
    return Acl(base.owner_id, base.owner_name, (*base.grants, grant))


def effective(bucket: Bucket, acl: Acl | None) -> Acl:
    """The list of the bucket or of an object in it, ``acl`` being what was stored. Where lists are off, only the owner has anything."""
    owner = owner_of(bucket)
    return private(owner) if acl is None or bucket.settings.ownership == "BucketOwnerEnforced" else acl


def owner_of(bucket: Bucket) -> Tenant:
    """The tenant that a bucket belongs to, as S3's answers show it."""
    return bucket.owner or Tenant(bucket.tenant_id, "", "")


def grants(acl: Acl, caller: Caller, permission: Permission, *, ignore_public: bool) -> bool:
    """Whether the list gives the caller this permission. Its owner may read and write the list itself in any case."""
    if permission in ("READ_ACP", "WRITE_ACP") and caller.canonical_id and caller.canonical_id == acl.owner_id:
        return True
    return any(
        grant.permission in (permission, "FULL_CONTROL") and includes(grant, caller, ignore_public=ignore_public)
        for grant in acl.grants
    )


def includes(grant: Grant, caller: Caller, *, ignore_public: bool) -> bool:
    if grant.group is not None:
        return not ignore_public and (grant.group == "AllUsers" or not caller.anonymous)
    return bool(caller.canonical_id) and grant.canonical_id == caller.canonical_id


def is_public(acl: Acl) -> bool:
    return any(grant.group is not None for grant in acl.grants)


def is_private(acl: Acl, owner: Tenant) -> bool:
    """Whether it says no more than what holds where nothing was set."""
    return acl == private(owner)
