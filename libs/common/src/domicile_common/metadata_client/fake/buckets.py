"""Keys, backends, tenants, and buckets with their settings."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from domicile_common.access.documents import Caller
from domicile_common.access.engine import may_know_of
from domicile_common.bucket_settings import BucketSettings
from domicile_common.errors import RequestError
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.fake.state import State, answers, now
from domicile_common.metadata_client.health import DoubtCopies, NoteHealth
from domicile_common.model import Bucket, Credential, Policy, Tenant
from domicile_common.namespace import namespace_name
from domicile_common.policy import admits, decide, merge, parse_location


@answers(m.FindCredential)
def find_credential(fake: State, request: m.FindCredential) -> Credential:
    found = fake.credentials.get(request.access_key)
    if found is None or found.state != "active":
        raise RequestError("InvalidAccessKeyId")
    return found


@answers(m.ListBackends)
def list_backends(fake: State, _: m.ListBackends) -> m.Backends:
    return m.Backends(tuple(fake.backends.values()))


@answers(NoteHealth)
def note_health(_fake: State, _: NoteHealth) -> m.Empty:
    return m.Empty()


@answers(DoubtCopies)
def doubt_copies(_fake: State, _: DoubtCopies) -> m.Empty:
    return m.Empty()


@answers(m.FindBucket)
def find_bucket(fake: State, request: m.FindBucket) -> Bucket:
    return find_among(fake.buckets, fake.tenants, request)


def find_among(buckets: Mapping[tuple[str, str], Bucket], tenants: Mapping[str, Tenant], request: m.FindBucket) -> Bucket:
    """``buckets``: by tenant id and name. ``tenants``: by id."""
    own = buckets.get((request.tenant_id, request.name))
    if own is not None:
        return own
    tenant = tenants.get(request.tenant_id)
    caller = Caller(tenant.tenant_id, tenant.canonical_id) if tenant else Caller()
    known = [it for (_, name), it in buckets.items() if name == request.name and may_know_of(caller, it)]
    if len(known) != 1:
        raise RequestError("NoSuchBucket" if request.tenant_id else "AccessDenied")
    return known[0]


@answers(m.CreateBucket)
def create_bucket(fake: State, request: m.CreateBucket) -> Bucket:
    policy = merge([fake.policy, Policy(region_lock=parse_location(request.location) or None)], version=1)
    decide(policy, fake.backends.values())
    if (request.tenant_id, request.name) in fake.buckets:
        raise RequestError("BucketAlreadyOwnedByYou")
    namespaces = {
        it.backend_id: namespace_name(b"fake", "s3gw", request.tenant_id, request.name, it.backend_id, it.provider, 0)
        for it in fake.backends.values()
        if admits(policy, it) is None
    }
    made = Bucket(
        next(fake.ids),
        request.tenant_id,
        request.name,
        now(),
        request.location,
        policy,
        namespaces,
        owner=fake.tenants.get(request.tenant_id),
        settings=request.settings,
        versioning="enabled" if request.object_lock else "off",
        object_lock=request.object_lock,
    )
    fake.buckets[request.tenant_id, request.name] = made
    return made


@answers(m.DeleteBucket)
def delete_bucket(fake: State, request: m.DeleteBucket) -> m.Empty:
    if (request.tenant_id, request.name) not in fake.buckets:
        raise RequestError("NoSuchBucket")
    bucket_id = fake.buckets[request.tenant_id, request.name].bucket_id
    if any(at == bucket_id and stack for (at, _), stack in fake.stacks.items()):
        raise RequestError("BucketNotEmpty")
    for upload in tuple(fake.uploads.values()):
        if upload.bucket_id == bucket_id:
            fake.end(upload.upload_id)
    del fake.buckets[request.tenant_id, request.name]
    return m.Empty()


@answers(m.ListBuckets)
def list_buckets(fake: State, request: m.ListBuckets) -> m.BucketPage:
    found = [
        m.BucketEntry(name, bucket.created_at, bucket.location)
        for (tenant_id, name), bucket in sorted(fake.buckets.items())
        if tenant_id == request.tenant_id and name.startswith(request.prefix) and name > request.after
    ]
    return m.BucketPage(tuple(found[: request.limit]), truncated=len(found) > request.limit > 0)


@answers(m.ChangeBucket)
def change_bucket(fake: State, request: m.ChangeBucket) -> m.Empty:
    bucket = fake.bucket(request.bucket_id)
    defaults = {name: getattr(BucketSettings(), name) for name in request.remove}
    fake.change_settings(
        bucket, **msgspec.structs.asdict(msgspec.structs.replace(_over(bucket.settings, request.put), **defaults))
    )
    return m.Empty()


@answers(m.ShareObjects)
def share_objects(fake: State, request: m.ShareObjects) -> m.Empty:
    bucket = fake.bucket(request.bucket_id)
    grantees = tuple(sorted({*bucket.settings.object_grantees, *request.grantees}))
    fake.change_settings(bucket, object_grantees=grantees, mixed=bucket.settings.mixed or request.mixed)
    return m.Empty()


@answers(m.FindCors)
def find_cors(fake: State, request: m.FindCors) -> m.Cors:
    return m.Cors(tuple(rule for (_, name), it in fake.buckets.items() if name == request.name for rule in it.settings.cors))


@answers(m.FindTenants)
def find_tenants(fake: State, request: m.FindTenants) -> m.Tenants:
    return m.Tenants(tuple(it for it in fake.tenants.values() if it.canonical_id in request.canonical_ids))


@answers(m.PutVersioning)
def put_versioning(fake: State, request: m.PutVersioning) -> m.Empty:
    bucket = fake.bucket(request.bucket_id)
    if bucket.object_lock and request.versioning != "enabled":
        raise RequestError("InvalidBucketState")
    return fake.change_bucket(bucket, versioning=request.versioning)


@answers(m.PutLockConfiguration)
def put_lock_configuration(fake: State, request: m.PutLockConfiguration) -> m.Empty:
    bucket = fake.bucket(request.bucket_id)
    if bucket.versioning != "enabled":
        raise RequestError("InvalidBucketState")
    return fake.change_bucket(bucket, object_lock=True, default_retention=request.default_retention)


@answers(m.FindBucketTags)
def find_bucket_tags(fake: State, request: m.FindBucketTags) -> m.BucketTags:
    return m.BucketTags(fake.tags.get(fake.bucket(request.bucket_id).bucket_id))


@answers(m.PutBucketTags)
def put_bucket_tags(fake: State, request: m.PutBucketTags) -> m.Empty:
    fake.tags[fake.bucket(request.bucket_id).bucket_id] = request.tags
    return m.Empty()


def _over(settings: BucketSettings, put: BucketSettings) -> BucketSettings:
    """What is not at its default in ``put`` replaces what was there."""
    unset = BucketSettings()
    changes = {name: value for name, value in msgspec.structs.asdict(put).items() if value != getattr(unset, name)}
    return msgspec.structs.replace(settings, **changes)
