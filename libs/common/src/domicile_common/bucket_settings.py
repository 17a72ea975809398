"""What a bucket's owner may set: who may do what, which web pages may ask, and how long things stay. Pure.

A bucket carries all of it to the proxies, which cache it; metadata keeps one row for each field of ``BucketSettings`` that is set.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from domicile_common.value import Value

Permission = Literal["READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"]
Group = Literal["AllUsers", "AuthenticatedUsers"]
Ownership = Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]


class Grant(Value, frozen=True):
    """One line of an access control list: either a ``group`` or a tenant (``canonical_id``, shown with ``name``) has the permission."""

    permission: Permission
    canonical_id: str = ""
    name: str = ""
    group: Group | None = None

    @property
    def grantee(self) -> str:
        """A group's name or a canonical id, which never look alike."""
        return self.group or self.canonical_id


class Acl(Value, frozen=True):
    """An access control list. ``owner_id``, ``owner_name``: canonical id and display name of who owns the bucket or object."""

    owner_id: str
    owner_name: str
    grants: tuple[Grant, ...] = ()


class PublicAccessBlock(Value, frozen=True):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PublicAccessBlockConfiguration.html."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False


class CorsRule(Value, frozen=True):
    """``origins``, ``headers`` (lower case): each with one ``*`` at most."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    max_age_seconds: int | None = None
    rule_id: str = ""


class LifecycleFilter(Value, frozen=True):
    """Which objects a rule is about; all of it must hold. ``form``: how the client wrote it, so that it is shown the same way.

    ``larger_than``, ``smaller_than``: bytes, exclusive.
    """

    prefix: str = ""
    tags: dict[str, str] = {}
    larger_than: int | None = None
    smaller_than: int | None = None
    form: Literal["prefix", "empty", "single", "and"] = "empty"

    @property
    def needs_object(self) -> bool:
        """Whether more than a key has to be known."""
        return bool(self.tags) or self.larger_than is not None or self.smaller_than is not None


class LifecycleRule(Value, frozen=True):
    """One rule. Days count from the creation of what expires (of its successor, for noncurrent versions), to the next midnight UTC."""

    rule_id: str
    enabled: bool
    filter: LifecycleFilter = LifecycleFilter()
    expire_days: int | None = None
    expire_date: datetime | None = None
    expire_lone_markers: bool | None = None
    noncurrent_days: int | None = None
    noncurrent_keep: int | None = None
    abort_days: int | None = None


class BucketSettings(Value, frozen=True):
    """Each field is a setting of its own, kept in a row of its own; one that equals its default here is not set.

    ``policy``: the document as it was given. ``mixed``: objects in the bucket may belong to others than its owner.
    ``object_grantees``: to whom single objects were ever granted something (see ``Grant.grantee``).
    """

    policy: str = ""
    acl: Acl | None = None
    public_access_block: PublicAccessBlock | None = None
    ownership: Ownership | None = None
    cors: tuple[CorsRule, ...] = ()
    lifecycle: tuple[LifecycleRule, ...] = ()
    mixed: bool = False
    object_grantees: tuple[str, ...] = ()


SettingName = Literal["policy", "acl", "public_access_block", "ownership", "cors", "lifecycle", "mixed", "object_grantees"]
