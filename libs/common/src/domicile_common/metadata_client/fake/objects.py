"""What a key holds."""

from __future__ import annotations

import msgspec

from domicile_common.errors import RequestError
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.fake.state import State, answers, now
from domicile_common.model import Digest, Facts, Lock, Version


@answers(m.Locate)
def locate(fake: State, request: m.Locate) -> m.Located:
    fake.bucket(request.bucket_id)
    located = fake.find(request.bucket_id, request.key, request.version_id)
    if located is None:
        raise RequestError("NoSuchVersion" if request.version_id else "NoSuchKey")
    if located.version.is_delete_marker and not request.version_id:
        detail = {"Key": request.key, "DeleteMarker": "true", "VersionId": located.version.shown_id}
        raise RequestError("NoSuchKey", detail=detail)
    return located


@answers(m.FindPlacement)
def find_placement(fake: State, request: m.FindPlacement) -> m.PlacementOfVersion:
    """What shall be copied is never copied here."""
    intent, stored = fake.placed.get(request.version_id, (None, frozenset()))
    if intent is None or intent.bucket_id != request.bucket_id:
        raise RequestError("NoSuchVersion")
    return m.PlacementOfVersion(
        intent.decision.reason,
        tuple(_copy(fake, backend_id, is_stored=backend_id in stored) for backend_id in sorted(intent.decision.wanted)),
    )


def _copy(fake: State, backend_id: str, *, is_stored: bool) -> m.Copy:
    backend, since = fake.backends[backend_id], now()
    place = backend_id, backend.provider, backend.country
    return m.Copy(*place, "verified", since, since) if is_stored else m.Copy(*place, "wanted", since)


@answers(m.Delete)
def delete(fake: State, request: m.Delete) -> m.Deleted:
    versioning = fake.bucket(request.bucket_id).versioning
    found = fake.find(request.bucket_id, request.key, request.version_id)
    _check_deletion(request, found)
    if request.version_id is None and versioning != "off":
        marker = Version(
            request.bucket_id,
            request.key,
            next(fake.ids),
            now(),
            Facts(),
            Digest(0, ""),
            is_null=versioning == "suspended",
            is_delete_marker=True,
        )
        fake.push(m.Located(marker, ()))
        return m.Deleted(version_id=marker.shown_id, delete_marker=True)
    if found is not None:
        if _holds(found.version.lock, bypass=request.bypass_governance):
            raise RequestError("AccessDenied")
        fake.stacks[request.bucket_id, request.key].remove(found)
    is_marker = found is not None and request.version_id is not None and found.version.is_delete_marker
    return m.Deleted(version_id=request.version_id, delete_marker=is_marker)


def _check_deletion(request: m.Delete, found: m.Located | None) -> None:
    condition = request.condition
    if condition == m.Condition():
        return
    if found is None:
        raise RequestError("NoSuchKey")
    version = found.version
    holds = (
        condition.if_match in {None, "*", version.digest.etag}
        and condition.size in {None, version.digest.size}
        and condition.modified in {None, version.committed_at.replace(microsecond=0)}
    )
    if version.is_delete_marker or not holds:
        raise RequestError("PreconditionFailed")


@answers(m.PutAcl)
def put_acl(fake: State, request: m.PutAcl) -> m.Empty:
    stack = fake.stacks.get((request.bucket_id, request.key), [])
    for place, located in enumerate(stack):
        version = located.version
        if version.version_id == request.version_id:
            facts = msgspec.structs.replace(version.facts, acl=request.acl)
            stack[place] = m.Located(msgspec.structs.replace(version, facts=facts), located.replicas)
            return m.Empty()
    raise RequestError("NoSuchKey")


@answers(m.ChangeVersion)
def change_version(fake: State, request: m.ChangeVersion) -> m.Committed:
    found = fake.find(request.bucket_id, request.key, request.version_id)
    if found is None or (found.version.is_delete_marker and not request.version_id):
        raise RequestError("NoSuchVersion" if request.version_id else "NoSuchKey")
    version, lock = found.version, found.version.lock or Lock()
    if version.is_delete_marker:
        raise RequestError("MethodNotAllowed")
    if (request.retention or request.legal_hold is not None) and not fake.bucket(request.bucket_id).object_lock:
        raise RequestError("InvalidRequest")
    if request.retention is not None:
        longer = lock.mode == request.retention.mode and (request.retention.until or now()) >= (lock.until or now())
        if not longer and _holds(msgspec.structs.replace(lock, legal_hold=None), bypass=request.bypass_governance):
            raise RequestError("AccessDenied")
        lock = msgspec.structs.replace(lock, mode=request.retention.mode, until=request.retention.until)
    if request.legal_hold is not None:
        lock = msgspec.structs.replace(lock, legal_hold=request.legal_hold)
    facts = version.facts if request.tags is None else msgspec.structs.replace(version.facts, tags=request.tags)
    changed: Version = msgspec.structs.replace(version, facts=facts, lock=None if lock == Lock() else lock)
    stack = fake.stacks[request.bucket_id, request.key]
    stack[stack.index(found)] = m.Located(changed, found.replicas)
    return m.Committed(changed)


def _holds(lock: Lock | None, *, bypass: bool) -> bool:
    return lock is not None and (bool(lock.legal_hold) or lock.mode == "COMPLIANCE" or (lock.mode is not None and not bypass))
