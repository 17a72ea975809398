"""A write, from its intent to its version."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.fake.quotas import Usage, check, usage
from domicile_common.metadata_client.fake.state import State, answers, now
from domicile_common.model import Blob, Bucket, Digest, EffectivePolicy, Policy, Version
from domicile_common.policy import decide
from domicile_common.stamps import blob_key

MAXIMUM_KEY_BYTES = 1024


@answers(m.Begin)
def begin(fake: State, request: m.Begin) -> m.Intent:
    bucket = fake.bucket(request.bucket_id)
    if len(request.key.encode()) > MAXIMUM_KEY_BYTES:
        raise RequestError("KeyTooLongError")
    if request.lock is not None and not bucket.object_lock:
        raise RequestError("InvalidRequest")
    check_condition(fake, request.condition, request.bucket_id, request.key)
    _check_quota(fake, bucket, request)
    decision = decide(_tightened(bucket.policy, request.policy), fake.backends.values(), avoid=request.avoid)
    version_id = next(fake.ids)
    path = blob_key(request.key, version_id, bucket.policy.layout)
    blobs = tuple(Blob(backend_id, bucket.namespaces[backend_id], path) for backend_id in decision.wanted)
    intent = m.Intent(bucket.bucket_id, request.key, version_id, decision, blobs, now() + timedelta(seconds=900))
    fake.intents[version_id] = intent, request
    if request.upload:
        written = tuple(blob for blob in blobs if blob.backend_id in decision.write)
        fake.uploads[version_id] = m.Upload(
            bucket.bucket_id, request.key, version_id, now(), request.facts, written, {}, quorum=decision.least
        )
    return intent


@answers(m.Renew)
def renew(fake: State, request: m.Renew) -> m.Empty:
    if request.version_id not in fake.intents:
        raise RequestError("NoSuchUpload")
    return m.Empty()


@answers(m.Abort)
def abort(fake: State, request: m.Abort) -> m.Empty:
    if request.expected and request.version_id in fake.placed:
        raise RequestError("NoSuchUpload")
    fake.end(request.version_id)
    return m.Empty()


@answers(m.Commit)
def commit(fake: State, request: m.Commit) -> m.Committed:
    if request.version_id not in fake.intents:
        raise Unavailable("the intent is gone")
    intent, begun = fake.intents[request.version_id]
    bucket = fake.bucket(intent.bucket_id)
    chosen, used = fake.chosen.get(request.version_id, ()), usage(fake, bucket.tenant_id)
    fake.end(request.version_id)
    check_condition(fake, request.condition, intent.bucket_id, intent.key)
    digest: Digest = msgspec.structs.replace(
        request.digest,
        parts=tuple(msgspec.structs.replace(entry.part, checksums=entry.checksums) for entry in chosen) or request.digest.parts,
    )
    is_null = bucket.versioning != "enabled"
    version = Version(
        intent.bucket_id, intent.key, intent.version_id, now(), begun.facts, digest, is_null=is_null, lock=begun.lock
    )
    stored = {item.backend_id for item in request.stored}
    blobs = sorted(intent.blobs, key=lambda blob: (fake.backends[blob.backend_id].cost, blob.backend_id))
    replicas = tuple(
        m.Replica(blob, verified=True, cost=fake.backends[blob.backend_id].cost) for blob in blobs if blob.backend_id in stored
    )
    before = list(fake.stacks.get((bucket.bucket_id, intent.key), []))
    fake.push(m.Located(version, replicas))
    try:
        check(fake, bucket, used, usage(fake, bucket.tenant_id))
    except RequestError:
        fake.stacks[bucket.bucket_id, intent.key] = before
        raise
    fake.placed[version.version_id] = intent, frozenset(stored)
    return m.Committed(version)


def _check_quota(fake: State, bucket: Bucket, request: m.Begin) -> None:
    """Before bytes travel, as far as their number is known."""
    null = fake.find(bucket.bucket_id, request.key, "null") if bucket.versioning != "enabled" else None
    replaced = None if null is None or null.version.is_delete_marker else null.version.digest.size
    used = usage(fake, bucket.tenant_id)
    check(fake, bucket, used, Usage(used.bytes + request.size - (replaced or 0), used.objects + (replaced is None)))


def check_condition(fake: State, condition: m.Condition, bucket_id: str, key: str) -> None:
    newest = fake.find(bucket_id, key, None)
    etag = None if newest is None or newest.version.is_delete_marker else newest.version.digest.etag
    if etag is None and condition.if_match is not None:
        raise RequestError("NoSuchKey")
    differs = condition.if_match not in {None, "*", etag}
    if etag is not None and (condition.if_none_match or etag in condition.other_than or differs):
        raise RequestError("PreconditionFailed")


def _tightened(policy: EffectivePolicy, inner: Policy | None) -> EffectivePolicy:
    """The bucket's policy with the object's demands on numbers; locks are left to the service."""
    changes = {
        name: value
        for name in ("replica_count", "write_quorum", "write_width")
        if (value := getattr(inner, name, None)) is not None
    }
    return msgspec.structs.replace(policy, **changes)
