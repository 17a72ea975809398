"""Buckets: made, found and removed."""

from __future__ import annotations

from typing import assert_type

import pytest

from domicile_common.errors import PolicyRefused
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.model import Bucket
from domicile_common.testing.metadata_contract.common import make_bucket, put, refused


class BucketContract:
    async def test_a_bucket_is_found_as_it_was_made(self, metadata: Metadata) -> None:
        made = await make_bucket(metadata, location="FI,DE")
        found = await metadata.call(m.FindBucket(tenant_id="acme", name="photos"))
        assert_type(found, Bucket)
        assert found == made
        assert (found.tenant_id, found.name, found.location) == ("acme", "photos", "FI,DE")
        assert found.policy.countries == ("FI", "DE")
        assert set(found.namespaces) == {"fi", "de"}
        assert len(set(found.namespaces.values())) == len(found.namespaces)

    async def test_tenants_are_strangers(self, metadata: Metadata) -> None:
        await make_bucket(metadata)
        assert await refused(metadata, m.FindBucket(tenant_id="zeta", name="photos")) == "NoSuchBucket"
        assert await metadata.call(m.ListBuckets(tenant_id="zeta")) == m.BucketPage(())
        theirs = await make_bucket(metadata, tenant_id="zeta")
        assert set(theirs.namespaces.values()).isdisjoint(
            (await metadata.call(m.FindBucket(tenant_id="acme", name="photos"))).namespaces
        )

    async def test_buckets_that_cannot_be(self, metadata: Metadata) -> None:
        await make_bucket(metadata)
        assert await refused(metadata, m.CreateBucket(tenant_id="acme", name="photos")) == "BucketAlreadyOwnedByYou"
        assert await refused(metadata, m.CreateBucket(tenant_id="acme", name="b", location="XX")) in {
            "InvalidLocationConstraint",
            "InvalidBucketName",
        }
        with pytest.raises(PolicyRefused) as caught:
            await make_bucket(metadata, "one-country", "FI")
        assert caught.value.detail["Rule"] == "replica_count"

    async def test_buckets_in_pages(self, metadata: Metadata) -> None:
        for name in ("bbb", "aaa", "abc", "ccc"):
            await make_bucket(metadata, name)
        first = await metadata.call(m.ListBuckets(tenant_id="acme", limit=2))
        assert [bucket.name for bucket in first.buckets] == ["aaa", "abc"]
        assert first.truncated
        rest = await metadata.call(m.ListBuckets(tenant_id="acme", after="abc"))
        assert [bucket.name for bucket in rest.buckets] == ["bbb", "ccc"]
        assert not rest.truncated
        some = await metadata.call(m.ListBuckets(tenant_id="acme", prefix="a", after="aaa"))
        assert [bucket.name for bucket in some.buckets] == ["abc"]

    async def test_only_empty_buckets_are_removed(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        await put(metadata, bucket, "a")
        removal = m.DeleteBucket(tenant_id="acme", name="photos")
        assert await refused(metadata, removal) == "BucketNotEmpty"
        await metadata.call(m.Delete(bucket_id=bucket.bucket_id, key="a"))
        upload = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a", upload=True))
        await metadata.call(removal)
        find = m.FindUpload(bucket_id=bucket.bucket_id, key="a", upload_id=upload.version_id)
        assert await refused(metadata, find) == "NoSuchUpload"
        assert await refused(metadata, removal) == "NoSuchBucket"
        assert await refused(metadata, m.Begin(bucket_id=bucket.bucket_id, key="a")) == "NoSuchBucket"
        assert await refused(metadata, m.Locate(bucket_id=bucket.bucket_id, key="a")) == "NoSuchBucket"

    async def test_the_directory(self, metadata: Metadata) -> None:
        assert await refused(metadata, m.FindCredential(access_key="nobody")) == "InvalidAccessKeyId"
        backends = (await metadata.call(m.ListBackends())).backends
        assert {(backend.backend_id, backend.country, backend.cost) for backend in backends} == {
            ("fi", "FI", 10),
            ("de", "DE", 20),
            ("us", "US", 5),
        }
