"""The one place that decides whether a request is allowed. Pure.

An explicit denial wins; then the owner may; then what a policy allows; then what an access control list grants; nobody else may anything.
What blocks public access, and turns lists off, is looked at where it counts. Objects may belong to others than their bucket (when lists
are on): then neither the bucket's owner nor its policy lets anybody read them, only their own list does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from domicile_common.access import acl as lists
from domicile_common.access.actions import Need
from domicile_common.access.conditions import EXISTING_TAG, Facts, known_to
from domicile_common.access.documents import Caller, Effect, read
from domicile_common.bucket_settings import Acl, Permission, PublicAccessBlock
from domicile_common.model import Bucket

# A bucket's owner can always mend a policy that locks everybody out, and nobody else can read or change one, whatever it allows.
OWNERS_ONLY = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that somebody wants to do. ``key``: ``""`` for the bucket itself. ``version``: the id of the one that is named.

    ``facts``: all that is known of the request, see ``conditions.Facts``.
    """

    need: Need
    key: str = ""
    version: str | None = None
    facts: Facts = field(default_factory=dict)

    @property
    def action(self) -> str:
        return self.need.versioned if self.version and self.need.versioned else self.need.action

    @property
    def permission(self) -> Permission | None:
        """WRITE lets somebody make, replace and delete objects of a bucket, but remove no version for good."""
        return None if self.version and self.need.permission == "WRITE" else self.need.permission


@dataclass(frozen=True, slots=True)
class Target:
    """The object that a request is about, as far as access goes: its list as stored, and its tags."""

    acl: Acl | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def block_of(bucket: Bucket) -> PublicAccessBlock:
    return bucket.settings.public_access_block or PublicAccessBlock()


def owns(caller: Caller, bucket: Bucket) -> bool:
    return not caller.anonymous and caller.tenant_id == bucket.tenant_id


def needs_target(caller: Caller, bucket: Bucket, ask: Ask) -> bool:
    """Whether the object has to be looked at before this can be decided. For an owner without a policy it need not."""
    if ask.need.about != "object":
        return False
    settings = bucket.settings
    return not owns(caller, bucket) or settings.mixed or (bool(settings.policy) and read(settings.policy).asks_for_tags)


def allows(caller: Caller, bucket: Bucket, ask: Ask, target: Target | None = None) -> bool:
    """``target``: the object, where ``needs_target`` says so and there is one."""
    if ask.need.also and not allows(caller, bucket, replace(ask, need=ask.need.also), target):
        return False
    settings = bucket.settings
    effect = _effect(caller, bucket, ask, target)
    is_owner = owns(caller, bucket)
    if effect == "Deny" and not (is_owner and ask.action in OWNERS_ONLY):
        return False
    stored = settings.acl if ask.need.about == "bucket" else target.acl if target else None
    about = lists.effective(bucket, stored)
    belongs_to_other = ask.need.about == "object" and about.owner_id != lists.owner_of(bucket).canonical_id
    if is_owner and not belongs_to_other:
        return True
    restricted = block_of(bucket).restrict_public_buckets and not is_owner and read(settings.policy).is_public
    by_policy = effect == "Allow" and not restricted
    if by_policy and (not belongs_to_other or caller.canonical_id == about.owner_id):
        return True
    ignore_public = block_of(bucket).ignore_public_acls
    return ask.permission is not None and lists.grants(about, caller, ask.permission, ignore_public=ignore_public)


def denies(caller: Caller, bucket: Bucket, ask: Ask) -> bool:
    """Whether a policy denies it explicitly, whoever else may allow it."""
    return _effect(caller, bucket, ask, None) == "Deny"


def _effect(caller: Caller, bucket: Bucket, ask: Ask, target: Target | None) -> Effect | None:
    """What the bucket's policy says."""
    if not bucket.settings.policy:
        return None
    facts = dict(known_to(ask.action, ask.facts))
    if ask.version:
        facts["s3:versionid"] = (ask.version,)
    if target:
        facts |= {EXISTING_TAG + key: (value,) for key, value in target.tags.items()}
    resource = f"{bucket.name}/{ask.key}" if ask.key else bucket.name
    return read(bucket.settings.policy).effect(caller, ask.action, resource, facts)


def may_know_of(caller: Caller, bucket: Bucket) -> bool:
    """Whether the caller's tenant is granted anything at all in the bucket, so that its name is no secret to it."""
    settings = bucket.settings
    block = block_of(bucket)
    document = read(settings.policy)
    if not (block.restrict_public_buckets and document.is_public) and any(
        statement.lets_in(caller) for statement in document.statements
    ):
        return True
    if settings.ownership == "BucketOwnerEnforced":
        return False
    known = {caller.canonical_id} - {""}
    if not block.ignore_public_acls:
        known |= {"AllUsers"} if caller.anonymous else {"AllUsers", "AuthenticatedUsers"}
    granted = {grant.grantee for grant in settings.acl.grants} if settings.acl else set()
    return not known.isdisjoint(granted.union(settings.object_grantees))


def is_public(bucket: Bucket) -> bool:
    """What GetBucketPolicyStatus answers: a public policy or list, as far as it is not blocked."""
    block = block_of(bucket)
    by_policy = read(bucket.settings.policy).is_public and not block.restrict_public_buckets
    by_list = not block.ignore_public_acls and lists.is_public(lists.effective(bucket, bucket.settings.acl))
    return by_policy or by_list
