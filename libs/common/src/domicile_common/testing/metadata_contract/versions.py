"""Versioning, object lock, tags."""

from __future__ import annotations

from datetime import UTC, datetime

from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.model import Lock
from domicile_common.testing.metadata_contract.common import FACTS, MD5, make_bucket, put, refused


class VersionContract:
    async def test_versions_of_a_key(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        plain = await put(metadata, bucket, "k")
        await metadata.call(m.PutVersioning(bucket_id=bucket.bucket_id, versioning="enabled"))
        assert (await metadata.call(m.FindBucket(tenant_id="acme", name="photos"))).versioning == "enabled"
        second = await put(metadata, bucket, "k")
        assert (plain.shown_id, second.shown_id) == ("null", second.version_id)
        marker = await metadata.call(m.Delete(bucket_id=bucket.bucket_id, key="k"))
        assert marker.delete_marker
        assert await refused(metadata, m.Locate(bucket_id=bucket.bucket_id, key="k")) == "NoSuchKey"
        named = m.Locate(bucket_id=bucket.bucket_id, key="k", version_id="null")
        assert (await metadata.call(named)).version == plain
        page = await metadata.call(m.ListVersions(bucket_id=bucket.bucket_id))
        assert [(it.shown_id, it.is_latest, it.is_delete_marker) for it in page.versions] == [
            (marker.version_id, True, True),
            (second.version_id, False, False),
            ("null", False, False),
        ]
        first = await metadata.call(m.ListVersions(bucket_id=bucket.bucket_id, limit=1))
        assert first.truncated
        rest = m.ListVersions(bucket_id=bucket.bucket_id, after_key=first.last[0], after_version=first.last[1])
        assert (await metadata.call(rest)).versions == page.versions[1:]
        removal = m.Delete(bucket_id=bucket.bucket_id, key="k", version_id=marker.version_id)
        assert (await metadata.call(removal)).delete_marker
        assert (await metadata.call(m.Locate(bucket_id=bucket.bucket_id, key="k"))).version == second

    async def test_a_suspended_bucket_has_null_versions(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        await metadata.call(m.PutVersioning(bucket_id=bucket.bucket_id, versioning="suspended"))
        await put(metadata, bucket, "k")
        assert (await put(metadata, bucket, "k")).is_null
        assert await metadata.call(m.Delete(bucket_id=bucket.bucket_id, key="k")) == m.Deleted("null", delete_marker=True)
        page = await metadata.call(m.ListVersions(bucket_id=bucket.bucket_id))
        assert [(it.shown_id, it.is_delete_marker) for it in page.versions] == [("null", True)]

    async def test_a_locked_version_stays(self, metadata: Metadata) -> None:
        bucket = await metadata.call(m.CreateBucket(tenant_id="acme", name="vault", object_lock=True))
        assert (bucket.object_lock, bucket.versioning) == (True, "enabled")
        suspend = m.PutVersioning(bucket_id=bucket.bucket_id, versioning="suspended")
        assert await refused(metadata, suspend) == "InvalidBucketState"
        version = await put(metadata, bucket, "k")
        retention = Lock("GOVERNANCE", datetime(2999, 1, 1, tzinfo=UTC))
        change = m.ChangeVersion(bucket_id=bucket.bucket_id, key="k", retention=retention)
        assert (await metadata.call(change)).version.lock == retention
        removal = m.Delete(bucket_id=bucket.bucket_id, key="k", version_id=version.version_id)
        assert await refused(metadata, removal) == "AccessDenied"
        await metadata.call(m.Delete(bucket_id=bucket.bucket_id, key="k", version_id=version.version_id, bypass_governance=True))
        plain = await make_bucket(metadata)
        await put(metadata, plain, "k")
        hold = m.ChangeVersion(bucket_id=plain.bucket_id, key="k", legal_hold=True)
        assert await refused(metadata, hold) == "InvalidRequest"
        assert await refused(metadata, m.Begin(bucket_id=plain.bucket_id, key="k", lock=retention)) == "InvalidRequest"

    async def test_tags_are_replaced(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        await put(metadata, bucket, "k")
        change = m.ChangeVersion(bucket_id=bucket.bucket_id, key="k", tags={"x": "y"})
        assert (await metadata.call(change)).version.facts.tags == {"x": "y"}
        located = await metadata.call(m.Locate(bucket_id=bucket.bucket_id, key="k"))
        assert located.version.facts.tags == {"x": "y"}
        assert located.version.facts.metadata == FACTS.metadata
        find = m.FindBucketTags(bucket_id=bucket.bucket_id)
        assert (await metadata.call(find)).tags is None
        for tags in ({"a": "1"}, None):
            await metadata.call(m.PutBucketTags(bucket_id=bucket.bucket_id, tags=tags))
            assert (await metadata.call(find)).tags == tags

    async def test_deletions_with_conditions(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        request = m.Delete(bucket_id=bucket.bucket_id, key="k", condition=m.Condition(if_match=MD5, size=3))
        assert await refused(metadata, request) == "NoSuchKey"
        await put(metadata, bucket, "k", "f" * 32)
        assert await refused(metadata, request) == "PreconditionFailed"
        await put(metadata, bucket, "k")
        assert await metadata.call(request) == m.Deleted()
