"""Metadata in memory, for unit tests of those who call it.

It answers what the proxy asks; one contract suite (``domicile_common.testing.metadata_contract``) runs on it and on the service. It knows
no time and no workers: nothing expires, and a version stays where its commit says that it is stored.
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
from domicile_common.model import Backend, Blob, Bucket, Credential, Digest, EffectivePolicy, Facts, Policy, Tenant, Version
from domicile_common.namespace import namespace_name
from domicile_common.policy import admits, decide, merge, parse_location
from domicile_common.stamps import blob_key

DEFAULT_POLICY = Policy(replica_count=2, write_quorum=1)
MAXIMUM_KEY_BYTES = 1024
SMALLEST_PART = 5 << 20


class FakeMetadata:
    """``asked``: all requests so far. ``failing``: what to raise instead of answering, by type of request.

    Tenants are those of ``credentials`` and ``tenants``; each has bucket names of its own.
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
        self._ids = (f"{number:032x}" for number in count(1))
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._intents: dict[str, tuple[m.Intent, Facts]] = {}
        self._uploads: dict[str, m.Upload] = {}
        self._parts: dict[str, dict[int, m.PartEntry]] = {}
        self._chosen: dict[str, tuple[m.PartEntry, ...]] = {}
        self._current: dict[tuple[str, str], m.Located] = {}

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
    def _(self, request: m.FindBucket) -> Bucket:
        own = self._buckets.get((request.tenant_id, request.name))
        if own is not None:
            return own
        tenant = self.tenants.get(request.tenant_id)
        caller = Caller(tenant.tenant_id, tenant.canonical_id) if tenant else Caller()
        known = [it for (_, name), it in self._buckets.items() if name == request.name and may_know_of(caller, it)]
        if len(known) != 1:
            raise RequestError("NoSuchBucket")
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
        )
        self._buckets[request.tenant_id, request.name] = made
        return made

    @_answer.register
    def _(self, request: m.DeleteBucket) -> m.Empty:
        if (request.tenant_id, request.name) not in self._buckets:
            raise RequestError("NoSuchBucket")
        bucket_id = self._buckets[request.tenant_id, request.name].bucket_id
        if any(at == bucket_id for at, _ in self._current) or any(it.bucket_id == bucket_id for it in self._uploads.values()):
            raise RequestError("BucketNotEmpty")
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
        for place, located in self._current.items():
            version = located.version
            if (version.bucket_id, version.version_id) == (request.bucket_id, request.version_id):
                facts = msgspec.structs.replace(version.facts, acl=request.acl)
                self._current[place] = m.Located(msgspec.structs.replace(version, facts=facts), located.replicas)
                return m.Empty()
        raise RequestError("NoSuchKey")

    @_answer.register
    def _(self, request: m.Begin) -> m.Intent:
        bucket = self._bucket(request.bucket_id)
        if len(request.key.encode()) > MAXIMUM_KEY_BYTES:
            raise RequestError("KeyTooLongError")
        decision = decide(_tightened(bucket.policy, request.policy), self.backends.values(), avoid=request.avoid)
        version_id = next(self._ids)
        path = blob_key(request.key, version_id, bucket.layout)
        blobs = tuple(Blob(backend_id, bucket.namespaces[backend_id], path) for backend_id in decision.wanted)
        intent = m.Intent(bucket.bucket_id, request.key, version_id, decision, blobs, _now() + timedelta(seconds=900))
        self._intents[version_id] = intent, request.facts
        if request.upload:
            written = tuple(blob for blob in blobs if blob.backend_id in decision.write)
            self._uploads[version_id] = m.Upload(bucket.bucket_id, request.key, version_id, _now(), request.facts, written, {})
        return intent

    @_answer.register
    def _(self, request: m.Renew) -> m.Empty:
        if request.version_id not in self._intents:
            raise RequestError("NoSuchUpload")
        return m.Empty()

    @_answer.register
    def _(self, request: m.Abort) -> m.Empty:
        self._end(request.version_id)
        return m.Empty()

    @_answer.register
    def _(self, request: m.Commit) -> m.Committed:
        if request.version_id not in self._intents:
            raise Unavailable("the intent is gone")
        intent, facts = self._intents[request.version_id]
        chosen = self._chosen.get(request.version_id, ())
        self._end(request.version_id)
        self._check(request.condition, intent)
        digest: Digest = msgspec.structs.replace(
            request.digest, parts=tuple(entry.part for entry in chosen) or request.digest.parts
        )
        version = Version(intent.bucket_id, intent.key, intent.version_id, _now(), facts, digest)
        stored = {item.backend_id for item in request.stored}
        blobs = sorted(intent.blobs, key=lambda blob: (self.backends[blob.backend_id].cost, blob.backend_id))
        replicas = tuple(m.Replica(blob, verified=True) for blob in blobs if blob.backend_id in stored)
        self._current[intent.bucket_id, intent.key] = m.Located(version, replicas)
        return m.Committed(version)

    @_answer.register
    def _(self, request: m.Locate) -> m.Located:
        self._bucket(request.bucket_id)
        located = self._current.get((request.bucket_id, request.key))
        if request.version_id is None and located is None:
            raise RequestError("NoSuchKey")
        if located is None or request.version_id not in {None, "null", located.version.version_id}:
            raise RequestError("NoSuchVersion")
        return located

    @_answer.register
    def _(self, request: m.Delete) -> m.Deleted:
        self._bucket(request.bucket_id)
        self._current.pop((request.bucket_id, request.key), None)
        return m.Deleted(version_id=request.version_id)

    @_answer.register
    def _(self, request: m.ListObjects) -> m.ObjectPage:
        self._bucket(request.bucket_id)
        current = {key: located.version for (bucket_id, key), located in self._current.items() if bucket_id == request.bucket_id}
        names = _rolled_up(current, request.prefix, request.delimiter, request.after)
        page = names[: request.limit]
        return m.ObjectPage(
            objects=tuple(_entry(current[name]) for name in page if name in current and not _is_prefix(name, request)),
            prefixes=tuple(name for name in page if _is_prefix(name, request)),
            truncated=len(names) > request.limit > 0,
            last=page[-1] if page else "",
        )

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
        )
        return m.Empty()

    @_answer.register
    def _(self, request: m.FindUpload) -> m.Upload:
        return self._upload(request.upload_id, request.key)

    @_answer.register
    def _(self, request: m.PutPart) -> m.Empty:
        self._upload(request.upload_id)
        entry = m.PartEntry(request.part, _now(), request.checksums)
        self._parts.setdefault(request.upload_id, {})[request.part.number] = entry
        return m.Empty()

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
        if request.fix:
            self._chosen[request.upload_id] = chosen
        return m.Completion(upload, chosen)

    # --- what they share ---

    def _bucket(self, bucket_id: str) -> Bucket:
        found = next((bucket for bucket in self._buckets.values() if bucket.bucket_id == bucket_id), None)
        if found is None:
            raise RequestError("NoSuchBucket")
        return found

    def _upload(self, upload_id: str, key: str | None = None) -> m.Upload:
        upload = self._uploads.get(upload_id)
        if upload is None or key not in {None, upload.key}:
            raise RequestError("NoSuchUpload")
        return upload

    def _end(self, version_id: str) -> None:
        for table in (self._intents, self._uploads, self._parts, self._chosen):
            table.pop(version_id, None)

    def _check(self, condition: m.Condition, intent: m.Intent) -> None:
        current = self._current.get((intent.bucket_id, intent.key))
        if current is None and condition.if_match is not None:
            raise RequestError("NoSuchKey")
        if current and (condition.if_none_match or condition.if_match not in {None, "*", current.version.digest.etag}):
            raise RequestError("PreconditionFailed")


def _over(settings: BucketSettings, put: BucketSettings) -> BucketSettings:
    """What is not at its default in ``put`` replaces what was there."""
    unset = BucketSettings()
    changes = {name: value for name, value in msgspec.structs.asdict(put).items() if value != getattr(unset, name)}
    return msgspec.structs.replace(settings, **changes)


def _now() -> datetime:
    return datetime.now(UTC)


def _tightened(policy: EffectivePolicy, inner: Policy | None) -> EffectivePolicy:
    """The bucket's policy with the object's demands on numbers; locks are left to the service."""
    changes = {name: value for name in ("replica_count", "write_quorum") if (value := getattr(inner, name, None)) is not None}
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
