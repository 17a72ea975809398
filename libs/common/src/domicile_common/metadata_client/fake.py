"""Metadata in memory, for unit tests of those who call it.

It answers what the proxy asks; one contract suite (``domicile_common.testing.metadata_contract``) runs on it and on the service. It knows
no time and no workers: nothing expires (a retention holds for ever), and a version stays where its commit says that it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import singledispatchmethod
from itertools import count
from typing import Any

import msgspec

from domicile_common.access.documents import Caller
from domicile_common.access.engine import may_know_of
from domicile_common.bucket_settings import BucketSettings
from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.health import NoteHealth
from domicile_common.metadata_client.tasks import Advanced, AdvanceTask, Claimed, ClaimTask, Task
from domicile_common.model import Backend, Blob, Bucket, Credential, Digest, EffectivePolicy, Facts, Lock, Policy, Tenant, Version
from domicile_common.namespace import namespace_name
from domicile_common.policy import admits, decide, merge, parse_location
from domicile_common.stamps import blob_key

DEFAULT_POLICY = Policy(replica_count=2, write_quorum=1)
MAXIMUM_KEY_BYTES = 1024
SMALLEST_PART = 5 << 20


class FakeMetadata:
    """``asked``: all requests so far. ``failing``: what to raise instead of answering, by type of request.

    Tenants are those of ``credentials`` and ``tenants``; each has bucket names of its own. ``tasks``: those that wait to be claimed;
    ``holders``: task id → who has it.
    """

    def __init__(
        self,
        backends: Iterable[Backend] = (),
        credentials: Iterable[Credential] = (),
        policy: Policy = DEFAULT_POLICY,
        tenants: Iterable[Tenant] = (),
    ) -> None:
        self.backends = {backend.backend_id: backend for backend in backends}
        self.credentials = {credential.access_key: credential for credential in credentials}
        self.policy = policy
        self.tenants = {known.tenant.tenant_id: known.tenant for known in self.credentials.values()}
        self.tenants |= {tenant.tenant_id: tenant for tenant in tenants}
        self.asked: list[m.Request[Any]] = []
        self.failing: dict[type[m.Request[Any]], Exception] = {}
        self.tasks: list[Task] = []
        self.holders: dict[str, str] = {}
        self._ids = (f"{number:032x}" for number in count(1))
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._tags: dict[str, dict[str, str] | None] = {}
        self._intents: dict[str, tuple[m.Intent, m.Begin]] = {}
        self._placed: dict[str, tuple[m.Intent, frozenset[str]]] = {}
        self._uploads: dict[str, m.Upload] = {}
        self._parts: dict[str, dict[int, m.PartEntry]] = {}
        self._chosen: dict[str, tuple[m.PartEntry, ...]] = {}
        self._stacks: dict[tuple[str, str], list[m.Located]] = {}  # of each key, newest last

    async def call(self, request: m.Request[m.R]) -> m.R:
        self.asked.append(request)
        if type(request) in self.failing:
            raise self.failing[type(request)]
        answer: m.R = self._answer(request)
        return answer

    @singledispatchmethod
    def _answer(self, request: Any) -> Any:
        raise Unavailable(f"the fake does not answer {type(request).__name__}")

    # --- directory ---

    @_answer.register
    def _(self, request: m.FindCredential) -> Credential:
        found = self.credentials.get(request.access_key)
        if found is None or found.state != "active":
            raise RequestError("InvalidAccessKeyId")
        return found

    @_answer.register
    def _(self, _: m.ListBackends) -> m.Backends:
        return m.Backends(tuple(self.backends.values()))

    @_answer.register
    def _(self, _: NoteHealth) -> m.Empty:
        return m.Empty()

    @_answer.register
    def _(self, request: m.FindBucket) -> Bucket:
        own = self._buckets.get((request.tenant_id, request.name))
        if own is not None:
            return own
        tenant = self.tenants.get(request.tenant_id)
        caller = Caller(tenant.tenant_id, tenant.canonical_id) if tenant else Caller()
        known = [it for (_, name), it in self._buckets.items() if name == request.name and may_know_of(caller, it)]
        if len(known) != 1:
            raise RequestError("NoSuchBucket" if request.tenant_id else "AccessDenied")
        return known[0]

    @_answer.register
    def _(self, request: m.CreateBucket) -> Bucket:
        policy = merge([self.policy, Policy(region_lock=parse_location(request.location) or None)], version=1)
        decide(policy, self.backends.values())
        if (request.tenant_id, request.name) in self._buckets:
            raise RequestError("BucketAlreadyOwnedByYou")
        namespaces = {
            it.backend_id: namespace_name(b"fake", "s3gw", request.tenant_id, request.name, it.backend_id, it.provider, 0)
            for it in self.backends.values()
            if admits(policy, it) is None
        }
        made = Bucket(
            next(self._ids),
            request.tenant_id,
            request.name,
            _now(),
            request.location,
            policy,
            namespaces,
            owner=self.tenants.get(request.tenant_id),
            settings=request.settings,
            versioning="enabled" if request.object_lock else "off",
            object_lock=request.object_lock,
        )
        self._buckets[request.tenant_id, request.name] = made
        return made

    @_answer.register
    def _(self, request: m.DeleteBucket) -> m.Empty:
        if (request.tenant_id, request.name) not in self._buckets:
            raise RequestError("NoSuchBucket")
        bucket_id = self._buckets[request.tenant_id, request.name].bucket_id
        if any(at == bucket_id and stack for (at, _), stack in self._stacks.items()):
            raise RequestError("BucketNotEmpty")
        for upload in tuple(self._uploads.values()):
            if upload.bucket_id == bucket_id:
                self._end(upload.upload_id)
        del self._buckets[request.tenant_id, request.name]
        return m.Empty()

    @_answer.register
    def _(self, request: m.ListBuckets) -> m.BucketPage:
        found = [
            m.BucketEntry(name, bucket.created_at, bucket.location)
            for (tenant_id, name), bucket in sorted(self._buckets.items())
            if tenant_id == request.tenant_id and name.startswith(request.prefix) and name > request.after
        ]
        return m.BucketPage(tuple(found[: request.limit]), truncated=len(found) > request.limit > 0)

    @_answer.register
    def _(self, request: m.ChangeBucket) -> m.Empty:
        bucket = self._bucket(request.bucket_id)
        defaults = {name: getattr(BucketSettings(), name) for name in request.remove}
        self._set(bucket, **msgspec.structs.asdict(msgspec.structs.replace(_over(bucket.settings, request.put), **defaults)))
        return m.Empty()

    @_answer.register
    def _(self, request: m.ShareObjects) -> m.Empty:
        bucket = self._bucket(request.bucket_id)
        grantees = tuple(sorted({*bucket.settings.object_grantees, *request.grantees}))
        self._set(bucket, object_grantees=grantees, mixed=bucket.settings.mixed or request.mixed)
        return m.Empty()

    def _set(self, bucket: Bucket, **settings: Any) -> None:
        changed = msgspec.structs.replace(bucket.settings, **settings)
        self._buckets[bucket.tenant_id, bucket.name] = msgspec.structs.replace(bucket, settings=changed)

    @_answer.register
    def _(self, request: m.FindCors) -> m.Cors:
        return m.Cors(tuple(rule for (_, name), it in self._buckets.items() if name == request.name for rule in it.settings.cors))

    @_answer.register
    def _(self, request: m.FindTenants) -> m.Tenants:
        return m.Tenants(tuple(it for it in self.tenants.values() if it.canonical_id in request.canonical_ids))

    # --- objects ---

    @_answer.register
    def _(self, request: m.PutAcl) -> m.Empty:
        stack = self._stacks.get((request.bucket_id, request.key), [])
        for place, located in enumerate(stack):
            version = located.version
            if version.version_id == request.version_id:
                facts = msgspec.structs.replace(version.facts, acl=request.acl)
                stack[place] = m.Located(msgspec.structs.replace(version, facts=facts), located.replicas)
                return m.Empty()
        raise RequestError("NoSuchKey")

    @_answer.register
    def _(self, request: m.Begin) -> m.Intent:
        bucket = self._bucket(request.bucket_id)
        if len(request.key.encode()) > MAXIMUM_KEY_BYTES:
            raise RequestError("KeyTooLongError")
        if request.lock is not None and not bucket.object_lock:
            raise RequestError("InvalidRequest")
        self._check(request.condition, request.bucket_id, request.key)
        decision = decide(_tightened(bucket.policy, request.policy), self.backends.values(), avoid=request.avoid)
        version_id = next(self._ids)
        path = blob_key(request.key, version_id, bucket.layout)
        blobs = tuple(Blob(backend_id, bucket.namespaces[backend_id], path) for backend_id in decision.wanted)
        intent = m.Intent(bucket.bucket_id, request.key, version_id, decision, blobs, _now() + timedelta(seconds=900))
        self._intents[version_id] = intent, request
        if request.upload:
            written = tuple(blob for blob in blobs if blob.backend_id in decision.write)
            self._uploads[version_id] = m.Upload(
                bucket.bucket_id, request.key, version_id, _now(), request.facts, written, {}, quorum=decision.least
            )
        return intent

    @_answer.register
    def _(self, request: m.Renew) -> m.Empty:
        if request.version_id not in self._intents:
            raise RequestError("NoSuchUpload")
        return m.Empty()

    @_answer.register
    def _(self, request: m.Abort) -> m.Empty:
        if request.expected:
            self._upload(request.version_id)
        self._end(request.version_id)
        return m.Empty()

    @_answer.register
    def _(self, request: m.Commit) -> m.Committed:
        if request.version_id not in self._intents:
            raise Unavailable("the intent is gone")
        intent, begun = self._intents[request.version_id]
        chosen = self._chosen.get(request.version_id, ())
        self._end(request.version_id)
        self._check(request.condition, intent.bucket_id, intent.key)
        digest: Digest = msgspec.structs.replace(
            request.digest,
            parts=tuple(msgspec.structs.replace(entry.part, checksums=entry.checksums) for entry in chosen)
            or request.digest.parts,
        )
        is_null = self._bucket(intent.bucket_id).versioning != "enabled"
        version = Version(
            intent.bucket_id, intent.key, intent.version_id, _now(), begun.facts, digest, is_null=is_null, lock=begun.lock
        )
        stored = {item.backend_id for item in request.stored}
        blobs = sorted(intent.blobs, key=lambda blob: (self.backends[blob.backend_id].cost, blob.backend_id))
        replicas = tuple(
            m.Replica(blob, verified=True, cost=self.backends[blob.backend_id].cost)
            for blob in blobs
            if blob.backend_id in stored
        )
        self._push(m.Located(version, replicas))
        self._placed[version.version_id] = intent, frozenset(stored)
        return m.Committed(version)

    @_answer.register
    def _(self, request: m.Locate) -> m.Located:
        self._bucket(request.bucket_id)
        located = self._find(request.bucket_id, request.key, request.version_id)
        if located is None:
            raise RequestError("NoSuchVersion" if request.version_id else "NoSuchKey")
        if located.version.is_delete_marker and not request.version_id:
            detail = {"Key": request.key, "DeleteMarker": "true", "VersionId": located.version.shown_id}
            raise RequestError("NoSuchKey", detail=detail)
        return located

    @_answer.register
    def _(self, request: m.FindPlacement) -> m.PlacementOfVersion:
        """What shall be copied is never copied here."""
        intent, stored = self._placed.get(request.version_id, (None, frozenset()))
        if intent is None or intent.bucket_id != request.bucket_id:
            raise RequestError("NoSuchVersion")
        return m.PlacementOfVersion(
            intent.decision.reason,
            tuple(self._copy(backend_id, is_stored=backend_id in stored) for backend_id in sorted(intent.decision.wanted)),
        )

    def _copy(self, backend_id: str, *, is_stored: bool) -> m.Copy:
        backend, now = self.backends[backend_id], _now()
        place = backend_id, backend.provider, backend.country
        return m.Copy(*place, "verified", now, now) if is_stored else m.Copy(*place, "wanted", now)

    @_answer.register
    def _(self, request: m.Delete) -> m.Deleted:
        versioning = self._bucket(request.bucket_id).versioning
        found = self._find(request.bucket_id, request.key, request.version_id)
        self._check_deletion(request, found)
        if request.version_id is None and versioning != "off":
            marker = Version(
                request.bucket_id,
                request.key,
                next(self._ids),
                _now(),
                Facts(),
                Digest(0, ""),
                is_null=versioning == "suspended",
                is_delete_marker=True,
            )
            self._push(m.Located(marker, ()))
            return m.Deleted(version_id=marker.shown_id, delete_marker=True)
        if found is not None:
            if _holds(found.version.lock, bypass=request.bypass_governance):
                raise RequestError("AccessDenied")
            self._stacks[request.bucket_id, request.key].remove(found)
        is_marker = found is not None and request.version_id is not None and found.version.is_delete_marker
        return m.Deleted(version_id=request.version_id, delete_marker=is_marker)

    @_answer.register
    def _(self, request: m.ChangeVersion) -> m.Committed:
        found = self._find(request.bucket_id, request.key, request.version_id)
        if found is None or (found.version.is_delete_marker and not request.version_id):
            raise RequestError("NoSuchVersion" if request.version_id else "NoSuchKey")
        version, lock = found.version, found.version.lock or Lock()
        if version.is_delete_marker:
            raise RequestError("MethodNotAllowed")
        if (request.retention or request.legal_hold is not None) and not self._bucket(request.bucket_id).object_lock:
            raise RequestError("InvalidRequest")
        if request.retention is not None:
            longer = lock.mode == request.retention.mode and (request.retention.until or _now()) >= (lock.until or _now())
            if not longer and _holds(msgspec.structs.replace(lock, legal_hold=None), bypass=request.bypass_governance):
                raise RequestError("AccessDenied")
            lock = msgspec.structs.replace(lock, mode=request.retention.mode, until=request.retention.until)
        if request.legal_hold is not None:
            lock = msgspec.structs.replace(lock, legal_hold=request.legal_hold)
        facts = version.facts if request.tags is None else msgspec.structs.replace(version.facts, tags=request.tags)
        changed: Version = msgspec.structs.replace(version, facts=facts, lock=None if lock == Lock() else lock)
        stack = self._stacks[request.bucket_id, request.key]
        stack[stack.index(found)] = m.Located(changed, found.replicas)
        return m.Committed(changed)

    @_answer.register
    def _(self, request: m.ListObjects) -> m.ObjectPage:
        self._bucket(request.bucket_id)
        current = {
            key: stack[-1].version
            for (bucket_id, key), stack in self._stacks.items()
            if bucket_id == request.bucket_id and stack and not stack[-1].version.is_delete_marker
        }
        names = _rolled_up(current, request.prefix, request.delimiter, request.after)
        page = names[: request.limit]
        return m.ObjectPage(
            objects=tuple(_entry(current[name]) for name in page if name in current and not _is_prefix(name, request)),
            prefixes=tuple(name for name in page if _is_prefix(name, request)),
            truncated=len(names) > request.limit > 0,
            last=page[-1] if page else "",
        )

    @_answer.register
    def _(self, request: m.ListVersions) -> m.VersionPage:
        """Without delimiter only."""
        self._bucket(request.bucket_id)
        entries = [
            m.VersionEntry(
                _entry(located.version),
                located.version.version_id,
                located.version.is_null,
                is_latest=located is stack[-1],
                is_delete_marker=located.version.is_delete_marker,
            )
            for (bucket_id, key), stack in sorted(self._stacks.items(), key=lambda item: item[0][1].encode())
            if bucket_id == request.bucket_id and key.startswith(request.prefix)
            for located in reversed(stack)
        ]
        marks = [(entry.object.key, entry.version_id if request.after_version else "") for entry in entries]
        mark = (request.after_key, request.after_version)
        behind = len(marks) - marks[::-1].index(mark) if mark in marks else 0
        page = entries[behind : behind + request.limit]
        return m.VersionPage(
            tuple(page),
            (),
            truncated=len(entries) > behind + request.limit > 0,
            last=(page[-1].object.key, page[-1].version_id) if page else ("", ""),
        )

    # --- settings of buckets ---

    @_answer.register
    def _(self, request: m.PutVersioning) -> m.Empty:
        bucket = self._bucket(request.bucket_id)
        if bucket.object_lock and request.versioning != "enabled":
            raise RequestError("InvalidBucketState")
        return self._replace(bucket, versioning=request.versioning)

    @_answer.register
    def _(self, request: m.PutLockConfiguration) -> m.Empty:
        bucket = self._bucket(request.bucket_id)
        if bucket.versioning != "enabled":
            raise RequestError("InvalidBucketState")
        return self._replace(bucket, object_lock=True, default_retention=request.default_retention)

    @_answer.register
    def _(self, request: m.FindBucketTags) -> m.BucketTags:
        return m.BucketTags(self._tags.get(self._bucket(request.bucket_id).bucket_id))

    @_answer.register
    def _(self, request: m.PutBucketTags) -> m.Empty:
        self._tags[self._bucket(request.bucket_id).bucket_id] = request.tags
        return m.Empty()

    # --- multipart uploads ---

    @_answer.register
    def _(self, request: m.RegisterUpload) -> m.Empty:
        upload = self._upload(request.upload_id)
        self._uploads[request.upload_id] = msgspec.structs.replace(
            upload,
            uploads=request.uploads,
            blobs=tuple(blob for blob in self._intents[request.upload_id][0].blobs if blob.backend_id in request.uploads),
            checksum_algorithm=request.checksum_algorithm,
            checksum_type=request.checksum_type,
            initiator=request.initiator,
        )
        return m.Empty()

    @_answer.register
    def _(self, request: m.FindUpload) -> m.Upload:
        return self._upload(request.upload_id, request.key)

    @_answer.register
    def _(self, request: m.PutPart) -> m.Empty:
        self._drop(self._upload(request.upload_id), request.dropped)
        entry = m.PartEntry(request.part, _now(), request.checksums)
        self._parts.setdefault(request.upload_id, {})[request.part.number] = entry
        return m.Empty()

    def _drop(self, upload: m.Upload, backend_ids: tuple[str, ...]) -> None:
        left = tuple(blob for blob in upload.blobs if blob.backend_id not in backend_ids)
        if len(left) < upload.quorum:
            raise Unavailable("too few backends took the part")
        ids = {blob.backend_id: upload.uploads[blob.backend_id] for blob in left}
        self._uploads[upload.upload_id] = msgspec.structs.replace(upload, blobs=left, uploads=ids)

    @_answer.register
    def _(self, request: m.ListParts) -> m.PartPage:
        upload = self._upload(request.upload_id, request.key)
        parts = [entry for number, entry in sorted(self._parts.get(request.upload_id, {}).items()) if number > request.after]
        return m.PartPage(upload, tuple(parts[: request.limit]), truncated=len(parts) > request.limit > 0)

    @_answer.register
    def _(self, request: m.BeginComplete) -> m.Completion:
        upload = self._upload(request.upload_id, request.key)
        recorded = self._parts.get(request.upload_id, {})
        numbers = [part.number for part in request.parts]
        if numbers != sorted(set(numbers)):
            raise RequestError("InvalidPartOrder")
        if any(part.number not in recorded or recorded[part.number].part.etag != part.etag for part in request.parts):
            raise RequestError("InvalidPart")
        chosen = tuple(recorded[number] for number in numbers)
        if any(entry.part.size < SMALLEST_PART for entry in chosen[:-1]):
            raise RequestError("EntityTooSmall")
        self._check(request.condition, request.bucket_id, request.key)
        if request.fix:
            self._chosen[request.upload_id] = chosen
        return m.Completion(upload, chosen)

    # --- what they share ---

    def _bucket(self, bucket_id: str) -> Bucket:
        found = next((bucket for bucket in self._buckets.values() if bucket.bucket_id == bucket_id), None)
        if found is None:
            raise RequestError("NoSuchBucket")
        return found

    def _replace(self, bucket: Bucket, **changes: Any) -> m.Empty:
        self._buckets[bucket.tenant_id, bucket.name] = msgspec.structs.replace(bucket, **changes)
        return m.Empty()

    def _find(self, bucket_id: str, key: str, version_id: str | None) -> m.Located | None:
        """The newest version of a key, or the one that S3 names so."""
        stack = self._stacks.get((bucket_id, key), [])
        return next((it for it in reversed(stack) if version_id in {None, it.version.shown_id}), None)

    def _push(self, located: m.Located) -> None:
        version = located.version
        stack = self._stacks.setdefault((version.bucket_id, version.key), [])
        stack[:] = [it for it in stack if not (version.is_null and it.version.is_null)] + [located]

    def _check_deletion(self, request: m.Delete, found: m.Located | None) -> None:
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

    def _upload(self, upload_id: str, key: str | None = None) -> m.Upload:
        upload = self._uploads.get(upload_id)
        if upload is None or key not in {None, upload.key}:
            raise RequestError("NoSuchUpload")
        return upload

    def _end(self, version_id: str) -> None:
        for table in (self._intents, self._uploads, self._parts, self._chosen):
            table.pop(version_id, None)

    def _check(self, condition: m.Condition, bucket_id: str, key: str) -> None:
        newest = self._find(bucket_id, key, None)
        etag = None if newest is None or newest.version.is_delete_marker else newest.version.digest.etag
        if etag is None and condition.if_match is not None:
            raise RequestError("NoSuchKey")
        differs = condition.if_match not in {None, "*", etag}
        if etag is not None and (condition.if_none_match or etag in condition.other_than or differs):
            raise RequestError("PreconditionFailed")

    # --- long tasks ---

    @_answer.register
    def _(self, request: ClaimTask) -> Claimed:
        for task in self.tasks:
            if task.kind in request.kinds and self.holders.setdefault(task.task_id, request.worker) == request.worker:
                return Claimed(task)
        return Claimed()

    @_answer.register
    def _(self, request: AdvanceTask) -> Advanced:
        at = next((at for at, task in enumerate(self.tasks) if task.task_id == request.task_id), None)
        if at is None or self.holders.get(request.task_id) != request.worker:
            return Advanced(go_on=False)
        changes = {"cursor": request.cursor, "progress": request.progress}
        changed = {name: value for name, value in changes.items() if value is not None}
        self.tasks[at] = msgspec.structs.replace(self.tasks[at], **changed)
        if request.outcome == "stopped":
            del self.holders[request.task_id]
        elif request.outcome != "working":
            del self.tasks[at]
        return Advanced(go_on=request.outcome == "working")


def _over(settings: BucketSettings, put: BucketSettings) -> BucketSettings:
    """What is not at its default in ``put`` replaces what was there."""
    unset = BucketSettings()
    changes = {name: value for name, value in msgspec.structs.asdict(put).items() if value != getattr(unset, name)}
    return msgspec.structs.replace(settings, **changes)


def _holds(lock: Lock | None, *, bypass: bool) -> bool:
    return lock is not None and (bool(lock.legal_hold) or lock.mode == "COMPLIANCE" or (lock.mode is not None and not bypass))


def _now() -> datetime:
    return datetime.now(UTC)


def _tightened(policy: EffectivePolicy, inner: Policy | None) -> EffectivePolicy:
    """The bucket's policy with the object's demands on numbers; locks are left to the service."""
    changes = {
        name: value
        for name in ("replica_count", "write_quorum", "write_width")
        if (value := getattr(inner, name, None)) is not None
    }
    return msgspec.structs.replace(policy, **changes)


def _is_prefix(name: str, request: m.ListObjects) -> bool:
    return bool(request.delimiter) and name.find(request.delimiter, len(request.prefix)) >= 0


def _rolled_up(keys: Iterable[str], prefix: str, delimiter: str, after: str) -> list[str]:
    """Keys and common prefixes behind ``after``, sorted by their UTF-8 bytes. A common prefix as ``after`` skips all below it."""

    def rolled(key: str) -> str:
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        return key if at < 0 else key[: at + len(delimiter)]

    names = {rolled(key) for key in keys if key.startswith(prefix) and key.encode() > after.encode()}
    return sorted(names - ({after} if after and rolled(after) == after else set()), key=str.encode)


def _entry(version: Version) -> m.ObjectEntry:
    digest = version.digest
    return m.ObjectEntry(
        version.key,
        digest.size,
        digest.etag,
        version.committed_at,
        version.facts.storage_class,
        tuple(digest.checksums),
        digest.checksum_type if digest.checksums else "",
    )
