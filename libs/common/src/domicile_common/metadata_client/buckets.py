"""The internal calls of the directory: keys, backends, tenants, and buckets with their settings. Pure.

What the callers cache, the fan-out exchange invalidates.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from domicile_common.bucket_settings import BucketSettings, CorsRule, SettingName
from domicile_common.metadata_client.base import Call, Empty, Request
from domicile_common.model import Backend, Bucket, Credential, DefaultRetention, Tenant, Value


class FindCredential(Request[Credential], frozen=True, kw_only=True):
    """Unknown, disabled or expired: ``InvalidAccessKeyId``."""

    access_key: str


class ListBackends(Request["Backends"], frozen=True):
    pass


class Backends(Value, frozen=True):
    backends: tuple[Backend, ...]


class FindBucket(Request[Bucket], frozen=True, kw_only=True):
    """The bucket that this tenant means by a name: its own, or else another tenant's that it may know of (docs/adr/0010).

    ``tenant_id``: ``""`` for somebody without a key. Errors: ``NoSuchBucket``; ``AccessDenied`` for somebody without a key, whether there is one or
    not, unless names are global.
    """

    tenant_id: str
    name: str


class CreateBucket(Request[Bucket], frozen=True, kw_only=True):
    """Errors: ``BucketAlreadyOwnedByYou``, ``InvalidLocationConstraint``, ``InvalidBucketName``, ``TooManyBuckets``, policy refusals.

    ``BucketAlreadyExists`` only where all tenants share one name space.
    """

    tenant_id: str
    name: str
    location: str = ""
    settings: BucketSettings = BucketSettings()
    object_lock: bool = False


class PutVersioning(Request[Empty], frozen=True, kw_only=True):
    """Errors: ``NoSuchBucket``; ``InvalidBucketState`` when a bucket with object lock is to be suspended."""

    bucket_id: str
    versioning: Literal["enabled", "suspended"]


class PutLockConfiguration(Request[Empty], frozen=True, kw_only=True):
    """Enables object lock, and sets or removes the default retention. Errors: ``InvalidBucketState`` unless versioning is enabled."""

    bucket_id: str
    default_retention: DefaultRetention | None = None


class FindBucketTags(Request["BucketTags"], frozen=True, kw_only=True):
    bucket_id: str


class PutBucketTags(Request[Empty], frozen=True, kw_only=True):
    """Replaces the whole set; ``None`` removes it."""

    bucket_id: str
    tags: dict[str, str] | None


class BucketTags(Value, frozen=True):
    """``tags``: ``None`` when the bucket has no set."""

    tags: dict[str, str] | None = None


class DeleteBucket(Request[Empty], frozen=True, kw_only=True):
    """Errors: ``NoSuchBucket``, ``BucketNotEmpty`` (versions are left; unfinished uploads end)."""

    tenant_id: str
    name: str


class ListBuckets(Request["BucketPage"], frozen=True, kw_only=True):
    tenant_id: str
    prefix: str = ""
    after: str = ""
    limit: int = 10_000


class BucketEntry(Value, frozen=True):
    name: str
    created_at: datetime
    location: str


class BucketPage(Value, frozen=True):
    buckets: tuple[BucketEntry, ...]
    truncated: bool = False


class ChangeBucket(Request[Empty], frozen=True, kw_only=True):
    """Sets every field of ``put`` that is not at its default, and forgets those in ``remove``. Error: ``NoSuchBucket``."""

    bucket_id: str
    put: BucketSettings = BucketSettings()
    remove: tuple[SettingName, ...] = ()


class ShareObjects(Request[Empty], frozen=True, kw_only=True):
    """Notes, before it becomes true, that objects of a bucket are granted to somebody or may belong to others than its owner.

    ``grantees``: see ``bucket_settings.Grant.grantee``. Errors: ``NoSuchBucket``, ``InvalidRequest`` (too many grantees).
    """

    bucket_id: str
    grantees: tuple[str, ...] = ()
    mixed: bool = False


class FindCors(Request["Cors"], frozen=True, kw_only=True):
    """For a browser's preflight, which does not say who will ask: the rules of all buckets of this name that have some."""

    name: str


class Cors(Value, frozen=True):
    rules: tuple[CorsRule, ...] = ()


class FindTenants(Request["Tenants"], frozen=True, kw_only=True):
    """Those that exist."""

    canonical_ids: tuple[str, ...]


class Tenants(Value, frozen=True):
    tenants: tuple[Tenant, ...]


CALLS = (
    Call("find-credential", FindCredential, Credential, safe=True),
    Call("list-backends", ListBackends, Backends, safe=True),
    Call("find-bucket", FindBucket, Bucket, safe=True),
    Call("create-bucket", CreateBucket, Bucket, safe=False),
    Call("delete-bucket", DeleteBucket, Empty, safe=False),
    Call("put-versioning", PutVersioning, Empty, safe=True),
    Call("put-lock-configuration", PutLockConfiguration, Empty, safe=True),
    Call("find-bucket-tags", FindBucketTags, BucketTags, safe=True),
    Call("put-bucket-tags", PutBucketTags, Empty, safe=True),
    Call("list-buckets", ListBuckets, BucketPage, safe=True),
    Call("change-bucket", ChangeBucket, Empty, safe=True),
    Call("share-objects", ShareObjects, Empty, safe=True),
    Call("find-cors", FindCors, Cors, safe=True),
    Call("find-tenants", FindTenants, Tenants, safe=True),
)
