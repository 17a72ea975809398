"""Policy levels: shown and set by an operator. What cannot hold for every bucket below is refused at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from domicile_common.errors import PolicyRefused, RequestError
from domicile_common.events import Invalidation
from domicile_common.model import EffectivePolicy, Policy
from domicile_common.policy import check_tightens, decide, policy_from_json
from domicile_metadata.context import Context
from domicile_metadata.domain.levels import effective_policy, outcome
from domicile_metadata.domain.roles import Caller
from domicile_metadata.services import rearrange
from domicile_metadata.services.tenants import known as known_tenant
from domicile_metadata.storage import buckets, directory, invalidations, policies, tenants
from domicile_metadata.storage.buckets import BucketRecord, Levels
from domicile_metadata.storage.database import Session, Statements


class Level(NamedTuple):
    """The installation default (neither is set), a tenant, or one of its buckets."""

    tenant_id: str | None = None
    bucket: str | None = None

    def __str__(self) -> str:
        return "/".join(name for name in self if name is not None) or "the installation"

    @property
    def kind(self) -> Literal["default", "tenant", "bucket"]:
        return "default" if self.tenant_id is None else "tenant" if self.bucket is None else "bucket"


class PolicyView(msgspec.Struct, frozen=True):
    """``policy``: this level's own document, ``None`` when it has none. ``effective``: merged with the levels above.

    ``refusal``: why no write would be placed under it now.
    """

    policy: Policy | None
    version: int
    effective: EffectivePolicy | None
    refusal: str | None


async def show(context: Context, level: Level) -> PolicyView:
    """Raises ``NoSuchTenant``, ``NoSuchBucket``."""
    subject = await _subject(context.database, level)
    record = await policies.find(context.database, level.kind, subject)
    above = await _levels_above(context.database, level)
    levels = above if record is None else Levels((*above.documents, record.document), max(above.version, record.version))
    effective, refusal = outcome(*levels, await directory.list_backends(context.database))
    own = None if record is None else policy_from_json(record.document.encode())
    return PolicyView(own, record.version if record else 0, effective, refusal.message if refusal else None)


async def put(context: Context, caller: Caller, level: Level, document: bytes) -> PolicyView:
    """Sets a level. In one transaction: its row, the locks of all buckets that it reaches, and word to the proxies. What exists follows.

    Raises ``InvalidRequest`` for a malformed document; ``PolicyRefused`` when it loosens what a level above demands, when the active
    backends cannot satisfy it, when a bucket would be left without a lock that all levels allow or without a possible placement, or when
    a tenant would loosen its own locks, which an operator may have set.
    """
    policy = parse(document)
    async with context.database.transaction() as session:
        tenant_ids = await tenants.lock(session, level.tenant_id)
        bucket_ids = await policies.lock_buckets(session, level.tenant_id, level.bucket)
        before = await buckets.find_by_id(session, bucket_ids)
        held = None if caller.sees_all else await _held(session, level)
        version, effective = await insert(session, level, policy)
        if held is not None:
            _check_keeps(held, effective)
        after = await buckets.find_by_id(session, bucket_ids)
        check_possible(before, after)
        for bucket_id, old, new in _outcomes(before, after):
            if old is None or _bound(old) != _bound(new):
                await policies.bind(session, bucket_id, new)
        moved = [bucket_id for bucket_id, old, new in _outcomes(before, after) if old is None or _places(old) != _places(new)]
        if moved:
            await rearrange.request(context, session, moved, f"the policy of {level}")
        await invalidations.send(session, _events(level, tenant_ids))
    return PolicyView(policy, version, effective, None)


async def insert(session: Session, level: Level, policy: Policy) -> tuple[int, EffectivePolicy]:
    """Its version, and what it amounts to. Raises as ``put`` does, as far as it does not depend on the buckets below."""
    subject = await _subject(session, level)
    above = await _levels_above(session, level)
    if level.tenant_id is not None:
        check_tightens(effective_policy(above.documents, above.version), policy)
    text = msgspec.json.encode(policy).decode()
    version = await policies.insert(session, level.kind, subject, text)
    effective = effective_policy((*above.documents, text), version)
    decide(effective, await directory.list_backends(session))
    if level.kind == "default":
        await _check_tenants(session, policy, version)
    return version, effective


async def _held(session: Session, level: Level) -> EffectivePolicy | None:
    """What a tenant is bound to now; ``None`` for one of its buckets, whose locks are its own within that."""
    if level.kind != "tenant":
        return None
    above, own = await _levels_above(session, level), await policies.find(session, "tenant", level.tenant_id or "")
    documents = above.documents if own is None else (*above.documents, own.document)
    return effective_policy(documents, above.version)


def _check_keeps(before: EffectivePolicy, after: EffectivePolicy) -> None:
    for rule, old, new in (
        ("region_lock", before.countries, after.countries),
        ("operator_lock", before.jurisdictions, after.jurisdictions),
    ):
        if old is not None and (new is None or not set(new) <= set(old)):
            raise PolicyRefused(rule, f"Only an operator may loosen the tenant's {rule}.")


def parse(document: bytes) -> Policy:
    """What is wrong with the document itself is a bad request, not a conflict with other levels or backends."""
    try:
        return policy_from_json(document)
    except PolicyRefused as refused:
        raise RequestError("InvalidRequest", refused.message, refused.detail) from None


async def _subject(statements: Statements, level: Level) -> str:
    """How the level's rows are found: see the table."""
    if level.tenant_id is None:
        return ""
    known_tenant(level.tenant_id, await tenants.find(statements, level.tenant_id))
    if level.bucket is None:
        return level.tenant_id
    bucket = await buckets.find_by_name(statements, level.tenant_id, level.bucket)
    if bucket is None:
        raise RequestError("NoSuchBucket", f"The tenant {level.tenant_id} has no bucket {level.bucket}.")
    return bucket.bucket_id


async def _levels_above(statements: Statements, level: Level) -> Levels:
    if level.tenant_id is None:
        return Levels((), 0)
    if level.bucket is not None:
        return await buckets.outer_levels(statements, level.tenant_id)
    default = await policies.find(statements, "default", "")
    return Levels((default.document,), default.version) if default else Levels((), 0)


async def _check_tenants(session: Session, default: Policy, version: int) -> None:
    """Also tenants without a bucket must be able to make one."""
    outer = msgspec.json.encode(default).decode()
    for tenant_id, document in (await policies.list_tenants(session)).items():
        try:
            effective_policy((outer, document), version)
        except PolicyRefused as refused:
            raise PolicyRefused(refused.detail["Rule"], f"Tenant {tenant_id}: {refused.message}") from None


def check_possible(before: Mapping[str, BucketRecord], after: Mapping[str, BucketRecord]) -> None:
    """Refuses what would break a bucket that works."""
    for bucket_id, bucket in after.items():
        _, old_refusal = outcome(*before[bucket_id].levels, bucket.backends)
        _, refusal = outcome(*bucket.levels, bucket.backends)
        if refusal and not old_refusal:
            raise PolicyRefused(refusal.detail["Rule"], f"Bucket {bucket.tenant_id}/{bucket.name}: {refusal.message}")


def _outcomes(
    before: Mapping[str, BucketRecord], after: Mapping[str, BucketRecord]
) -> Iterator[tuple[str, EffectivePolicy | None, EffectivePolicy]]:
    """Bucket id, and what its levels amounted to and amount to now; without those that amount to nothing now."""
    for bucket_id, bucket in after.items():
        old, _ = outcome(*before[bucket_id].levels, bucket.backends)
        new, _ = outcome(*bucket.levels, bucket.backends)
        if new is not None:
            yield bucket_id, old, new


def _bound(policy: EffectivePolicy) -> tuple[Any, ...]:
    """What the bucket's own row says of it."""
    return policy.countries, policy.jurisdictions, policy.layout


def _places(policy: EffectivePolicy) -> tuple[Any, ...]:
    """What decides where existing objects belong."""
    return policy.countries, policy.jurisdictions, policy.replica_count, policy.spread


def _events(level: Level, tenant_ids: Iterable[str]) -> list[Invalidation]:
    if level.bucket is not None:
        return [Invalidation("bucket", f"{level.tenant_id}/{level.bucket}")]
    return [Invalidation("tenant", tenant_id) for tenant_id in tenant_ids]
