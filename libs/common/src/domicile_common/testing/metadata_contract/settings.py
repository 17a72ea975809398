"""What owners set of buckets and objects, and who sees them."""

from __future__ import annotations

from contextlib import suppress

from domicile_common.bucket_settings import Acl, BucketSettings, CorsRule, Grant, PublicAccessBlock
from domicile_common.errors import RequestError
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.testing.metadata_contract.common import FACTS, NOWHERE, make_bucket, put, refused


class SettingsContract:
    async def test_settings_are_set_one_by_one(self, metadata: Metadata) -> None:
        made = await make_bucket(metadata)
        assert made.settings == BucketSettings()
        assert made.owner is not None
        assert made.owner.canonical_id == "a" * 64
        rule = CorsRule(origins=("*",), methods=("GET",))
        await metadata.call(m.ChangeBucket(bucket_id=made.bucket_id, put=BucketSettings(cors=(rule,), ownership="ObjectWriter")))
        await metadata.call(
            m.ChangeBucket(
                bucket_id=made.bucket_id,
                put=BucketSettings(public_access_block=PublicAccessBlock()),
                remove=("ownership", "policy"),
            )
        )
        found = await metadata.call(m.FindBucket(tenant_id="acme", name="photos"))
        assert found.settings == BucketSettings(cors=(rule,), public_access_block=PublicAccessBlock())
        assert await metadata.call(m.FindCors(name="photos")) == m.Cors((rule,))
        assert await metadata.call(m.FindCors(name="other")) == m.Cors()
        assert await refused(metadata, m.ChangeBucket(bucket_id=NOWHERE)) == "NoSuchBucket"

    async def test_settings_a_bucket_is_made_with(self, metadata: Metadata) -> None:
        settings = BucketSettings(acl=Acl("a" * 64, "Acme", (Grant("READ", group="AllUsers"),)))
        await metadata.call(m.CreateBucket(tenant_id="acme", name="photos", settings=settings))
        assert (await metadata.call(m.FindBucket(tenant_id="acme", name="photos"))).settings == settings

    async def test_strangers_see_what_they_are_granted(self, metadata: Metadata) -> None:
        made = await make_bucket(metadata)
        callers = ("zeta", "")

        async def seen() -> list[str]:
            calls = [m.FindBucket(tenant_id=caller, name="photos") for caller in callers]
            return [call.tenant_id for call in calls if await _is_found(metadata, call)]

        assert await seen() == []
        to_zeta = Acl("a" * 64, "Acme", (Grant("READ", "b" * 64, "Zeta"),))
        await metadata.call(m.ChangeBucket(bucket_id=made.bucket_id, put=BucketSettings(acl=to_zeta)))
        assert await seen() == ["zeta"]
        await metadata.call(m.ChangeBucket(bucket_id=made.bucket_id, remove=("acl",)))
        assert await seen() == []
        await metadata.call(m.ShareObjects(bucket_id=made.bucket_id, grantees=("AllUsers",)))
        assert await seen() == ["zeta", ""]
        theirs = await make_bucket(metadata, tenant_id="zeta")
        assert await metadata.call(m.FindBucket(tenant_id="zeta", name="photos")) == theirs

    async def test_two_strangers_of_one_name_are_none(self, metadata: Metadata) -> None:
        for tenant_id in ("acme", "zeta"):
            made = await make_bucket(metadata, tenant_id=tenant_id)
            await metadata.call(m.ShareObjects(bucket_id=made.bucket_id, grantees=("AllUsers",), mixed=True))
        assert await refused(metadata, m.FindBucket(tenant_id="", name="photos")) == "AccessDenied"

    async def test_noting_grantees_adds_them(self, metadata: Metadata) -> None:
        made = await make_bucket(metadata)
        await metadata.call(m.ShareObjects(bucket_id=made.bucket_id, grantees=("AllUsers",), mixed=True))
        await metadata.call(m.ShareObjects(bucket_id=made.bucket_id, grantees=("b" * 64,)))
        settings = (await metadata.call(m.FindBucket(tenant_id="acme", name="photos"))).settings
        assert settings == BucketSettings(mixed=True, object_grantees=("AllUsers", "b" * 64))

    async def test_tenants_by_their_ids(self, metadata: Metadata) -> None:
        found = await metadata.call(m.FindTenants(canonical_ids=("b" * 64, "c" * 64)))
        assert [tenant.tenant_id for tenant in found.tenants] == ["zeta"]

    async def test_the_list_of_an_object_is_replaced(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        version = await put(metadata, bucket, "a")
        acl = Acl("a" * 64, "Acme", (Grant("READ", group="AllUsers"),))
        for wanted in (acl, None):
            await metadata.call(m.PutAcl(bucket_id=bucket.bucket_id, key="a", version_id=version.version_id, acl=wanted))
            found = (await metadata.call(m.Locate(bucket_id=bucket.bucket_id, key="a"))).version
            assert found.facts.acl == wanted
            assert found.facts.headers == FACTS.headers
            assert found.committed_at == version.committed_at
        assert await refused(metadata, m.PutAcl(bucket_id=bucket.bucket_id, key="a", version_id=NOWHERE, acl=acl)) == "NoSuchKey"


async def _is_found(metadata: Metadata, call: m.FindBucket) -> bool:
    with suppress(RequestError):
        await metadata.call(call)
        return True
    return False
