import asyncio
from dataclasses import replace

import msgspec
import pytest

from domicile_common.bucket_settings import BucketSettings
from domicile_common.errors import ConfigurationError, RequestError, Unavailable
from domicile_common.metadata_client.models import (
    Begin,
    ChangeBucket,
    CreateBucket,
    Delete,
    DeleteBucket,
    FindBucket,
    FindCredential,
    ListBackends,
    ListBuckets,
    Locate,
    ShareObjects,
)
from domicile_common.model import Bucket
from domicile_common.namespace import namespace_name
from domicile_metadata.main import check_bucket_names

pytestmark = pytest.mark.servers


async def test_a_bucket_is_found_as_it_was_made(metadata):
    made = await metadata.make_bucket("photos", location="fi,de")
    assert made.policy.countries == ("FI", "DE")
    assert made.location == "fi,de"
    assert set(made.namespaces) == {"fi", "de"}
    assert await metadata.ask(FindBucket(tenant_id="acme", name="photos")) == made
    rows = await metadata.sql("SELECT countries, jurisdictions FROM buckets")
    assert tuple(rows[0]) == (["FI", "DE"], None)


async def test_names_belong_to_a_tenant(metadata):
    await metadata.make_bucket("photos")
    await metadata.ask(CreateBucket(tenant_id="zeta", name="photos"))
    with pytest.raises(RequestError, match="BucketAlreadyOwnedByYou"):
        await metadata.make_bucket("photos")
    with pytest.raises(RequestError, match="NoSuchBucket"):
        await metadata.ask(FindBucket(tenant_id="zeta", name="other"))
    with pytest.raises(RequestError, match="AccessDenied"):
        await metadata.ask(CreateBucket(tenant_id="nobody", name="photos"))


@pytest.mark.parametrize(
    ("name", "location", "code"),
    [
        ("Photos", "", "InvalidBucketName"),
        ("a", "", "InvalidBucketName"),
        ("nul\x00", "", "InvalidBucketName"),
        ("photos", "atlantis", "InvalidLocationConstraint"),
        ("photos", "fi,\x00", "InvalidLocationConstraint"),
        (
            "photos",
            "SE",
            "InvalidLocationConstraint",
        ),  # no backend there: refused when the bucket is made, not at the first write
        ("photos", "FI", "InvalidLocationConstraint"),  # two copies are asked for
    ],
)
async def test_what_cannot_be_made(metadata, name, location, code):
    with pytest.raises(RequestError) as refused:
        await metadata.make_bucket(name, location)
    assert refused.value.code == code
    assert await metadata.sql("SELECT FROM buckets") == []
    assert await metadata.sql("SELECT FROM policies WHERE level = 'bucket'") == []
    assert await metadata.sql("SELECT FROM namespaces") == []


async def test_a_bucket_cannot_leave_its_tenants_lock(metadata):
    await metadata.sql("""INSERT INTO policies (level, subject, document) VALUES ('tenant', 'acme', '{"region_lock": ["EU"]}')""")
    bucket = await metadata.make_bucket("inside")
    assert bucket.policy.countries is not None
    assert "US" not in bucket.policy.countries
    assert set(bucket.namespaces) == {"fi", "de"}
    with pytest.raises(RequestError, match="InvalidLocationConstraint"):
        await metadata.make_bucket("outside", "us,fi")


async def test_without_a_default_policy_no_bucket_is_made(metadata):
    await metadata.sql("DELETE FROM policies")
    with pytest.raises(RequestError) as refused:
        await metadata.make_bucket()
    assert refused.value.detail["Rule"] == "replica_count"


async def test_a_tenant_has_so_many_buckets_and_no_more(metadata):
    settings = metadata.context.settings.model_copy(update={"buckets_per_tenant": 2})
    object.__setattr__(metadata.context, "settings", settings)
    await metadata.make_bucket("one")
    await metadata.make_bucket("two")
    with pytest.raises(RequestError, match="TooManyBuckets"):
        await metadata.make_bucket("three")


async def test_of_many_creators_at_once_one_succeeds(metadata):
    request = CreateBucket(tenant_id="acme", name="photos")
    answers = await metadata.ask_all(*[request] * 8)
    codes = sorted(getattr(answer, "code", "") for answer in answers)
    assert codes == ["", *["BucketAlreadyOwnedByYou"] * 7]


async def test_physical_names_are_the_published_function_of_the_logical_ones(metadata):
    bucket = await metadata.make_bucket()
    key = metadata.context.settings.namespace_key.get_secret_value().encode()
    assert bucket.namespaces["fi"] == namespace_name(key, "s3gw", "acme", "photos", "fi", "nord", 0)


async def test_a_collision_raises_the_counter(metadata):
    key = metadata.context.settings.namespace_key.get_secret_value().encode()
    for counter in (0, 1):
        taken = namespace_name(key, "s3gw", "acme", "photos", "fi", "nord", counter)
        await metadata.sql("INSERT INTO namespaces VALUES ('zeta', $1, 'fi', 0, $2)", f"other{counter}", taken)
    bucket = await metadata.make_bucket()
    assert bucket.namespaces["fi"] == namespace_name(key, "s3gw", "acme", "photos", "fi", "nord", 2)
    assert bucket.namespaces["de"] == namespace_name(key, "s3gw", "acme", "photos", "de", "mitte", 0)
    rows = await metadata.sql("SELECT backend_id, counter FROM namespaces WHERE tenant_id = 'acme' ORDER BY 1")
    assert [tuple(row) for row in rows] == [("de", 0), ("fi", 2), ("us", 0)]


async def test_a_backend_registered_later_gets_its_namespace(metadata):
    bucket = await metadata.make_bucket(location="EU")
    add = "INSERT INTO backends SELECT $1, 'new', endpoint, $2, ARRAY[$2], access_key, sealed_secret, region, addressing, quirks, state, 1 FROM backends WHERE backend_id = 'fi'"
    await metadata.sql(add, "fr", "FR")
    await metadata.sql(add, "jp", "JP")
    intent = await metadata.begin(bucket, "k")  # before anybody asked for the bucket again
    assert intent.decision.write == ("fr",)
    found = await metadata.ask(FindBucket(tenant_id="acme", name="photos"))
    assert set(found.namespaces) == {"fi", "de", "fr"}
    assert found.namespaces["fr"] == intent.blobs[0].namespace
    assert {name: found.namespaces[name] for name in bucket.namespaces} == bucket.namespaces


async def test_a_bucket_made_again_has_the_same_namespaces(metadata):
    first = await metadata.make_bucket()
    await metadata.ask(DeleteBucket(tenant_id="acme", name="photos"))
    again = await metadata.make_bucket()
    assert again.namespaces == first.namespaces
    assert again.bucket_id != first.bucket_id


async def test_only_an_empty_bucket_is_deleted(metadata):
    with pytest.raises(RequestError, match="NoSuchBucket"):
        await metadata.ask(DeleteBucket(tenant_id="acme", name="photos"))
    bucket = await metadata.make_bucket()
    delete = DeleteBucket(tenant_id="acme", name="photos")
    with pytest.raises(RequestError, match="NoSuchBucket"):
        await metadata.ask(msgspec.structs.replace(delete, tenant_id="zeta"))
    await metadata.put(bucket, "k")
    with pytest.raises(RequestError, match="BucketNotEmpty"):
        await metadata.ask(delete)
    await metadata.ask(Delete(bucket_id=bucket.bucket_id, key="k"))
    await metadata.begin(bucket, "k", upload=True)
    await metadata.ask(delete)
    (answer,) = await metadata.ask_all(Locate(bucket_id=bucket.bucket_id, key="k"))
    assert answer.code == "NoSuchBucket"


async def test_deleting_a_bucket_cancels_writes_under_way(metadata):
    bucket = await metadata.make_bucket()
    intent = await metadata.begin(bucket, "k")
    await metadata.ask(DeleteBucket(tenant_id="acme", name="photos"))
    assert await metadata.replicas(intent.version_id) == {"us": "deleting"}
    with pytest.raises(Unavailable):
        await metadata.ask(metadata.commit(intent))
    with pytest.raises(RequestError, match="NoSuchBucket"):
        await metadata.begin(bucket, "k")


async def test_a_bucket_is_deleted_or_written_to_never_both(metadata):
    for round_number in range(10):
        bucket = await metadata.make_bucket(f"photos{round_number}")
        intents = await metadata.ask_all(*(Begin(bucket_id=bucket.bucket_id, key=f"k{i}") for i in range(5)))
        deleted, *committed = await asyncio.gather(
            metadata.ask_all(DeleteBucket(tenant_id="acme", name=bucket.name)),
            *(metadata.ask_all(metadata.commit(intent)) for intent in intents),
        )
        kept = [answer for (answer,) in committed if not isinstance(answer, Exception)]
        if isinstance(deleted[0], RequestError):
            assert deleted[0].code == "BucketNotEmpty"
            assert kept
        else:
            assert not kept
        rows = await metadata.sql("SELECT FROM versions WHERE bucket_id = $1", bucket.bucket_id)
        assert len(rows) == len(kept)


async def test_making_and_deleting_tell_the_proxies(metadata):
    await metadata.make_bucket()
    await metadata.ask(DeleteBucket(tenant_id="acme", name="photos"))
    rows = await metadata.sql("SELECT routing_key, payload ->> 'kind' AS kind, payload ->> 'id' AS id FROM outbox")
    assert [tuple(row) for row in rows] == [("invalidate", "bucket", "acme/photos")] * 2


async def test_buckets_are_listed_page_by_page_in_byte_order(metadata):
    names = ["a-b", "a.b", "a0", "ab", "b-1", "b-2", "zz9"]
    for name in reversed(names):
        await metadata.make_bucket(f"{name}-x")
    listed: list[str] = []
    while True:
        page = await metadata.ask(ListBuckets(tenant_id="acme", after=listed[-1] if listed else "", limit=2))
        listed += [entry.name for entry in page.buckets]
        if not page.truncated:
            break
    assert listed == sorted(f"{name}-x" for name in names)
    page = await metadata.ask(ListBuckets(tenant_id="acme", prefix="b-"))
    assert [entry.name for entry in page.buckets] == ["b-1-x", "b-2-x"]
    assert not page.truncated
    assert (await metadata.ask(ListBuckets(tenant_id="zeta"))).buckets == ()
    assert not (await metadata.ask(ListBuckets(tenant_id="acme", limit=0))).truncated


async def test_a_key_that_may_not_be_used_is_not_known(metadata):
    insert = "INSERT INTO credentials (access_key, tenant_id, sealed_secret, access, state, expires_at) VALUES ($1, $2, 'v1.s', 'full', $3, $4::text::timestamptz)"
    await metadata.sql(insert, "GOOD", "acme", "active", None)
    await metadata.sql(insert, "SOON", "acme", "active", "2999-01-01")
    await metadata.sql(insert, "LATE", "acme", "active", "2020-01-01")
    await metadata.sql(insert, "OFF", "acme", "disabled", None)
    await metadata.sql(insert, "GONE", "zeta", "active", None)
    await metadata.sql("UPDATE tenants SET state = 'disabled' WHERE tenant_id = 'zeta'")
    keys = ["GOOD", "SOON", "LATE", "OFF", "GONE", "NEVER", "", "\x00"]
    answers = await metadata.ask_all(*(FindCredential(access_key=key) for key in keys))
    assert [getattr(answer, "access_key", None) or answer.code for answer in answers] == [
        "GOOD",
        "SOON",
        *["InvalidAccessKeyId"] * 6,
    ]
    assert answers[0].tenant.canonical_id == "a" * 64
    assert answers[1].expires_at.year == 2999


async def test_all_backends_are_listed(metadata):
    await metadata.sql("UPDATE backends SET state = 'disabled' WHERE backend_id = 'us'")
    listed = (await metadata.ask(ListBackends())).backends
    assert [(backend.backend_id, backend.state) for backend in listed] == [("de", "active"), ("fi", "active"), ("us", "disabled")]
    assert listed[0].jurisdictions == ("DE",)


# --- one name space for all tenants ---


@pytest.fixture
def shared(metadata, settings):
    """The same service where tenants share bucket names."""
    context = replace(metadata.context, settings=settings.model_copy(update={"bucket_names": "global"}))
    return type(metadata)(context)


async def test_a_global_name_belongs_to_one_tenant(shared):
    made = await shared.make_bucket()
    with pytest.raises(RequestError) as taken:
        await shared.ask(CreateBucket(tenant_id="zeta", name="photos"))
    assert taken.value.code == "BucketAlreadyExists"
    with pytest.raises(RequestError) as own:
        await shared.make_bucket()
    assert own.value.code == "BucketAlreadyOwnedByYou"
    for caller in ("acme", "zeta", ""):
        assert await shared.ask(FindBucket(tenant_id=caller, name="photos")) == made


async def test_of_many_tenants_at_once_one_gets_the_name(shared):
    calls = [CreateBucket(tenant_id=tenant_id, name="photos") for tenant_id in ("acme", "zeta") * 4]
    answers = await shared.ask_all(*calls)
    assert len({answer.tenant_id for answer in answers if isinstance(answer, Bucket)}) == 1
    assert sum(isinstance(answer, Bucket) for answer in answers) == 1


async def test_names_cannot_become_global_while_one_is_used_twice(metadata, settings):
    shared = settings.model_copy(update={"bucket_names": "global"})
    await metadata.make_bucket()
    await check_bucket_names(shared, metadata.database)
    await metadata.ask(CreateBucket(tenant_id="zeta", name="photos"))
    with pytest.raises(ConfigurationError, match="photos"):
        await check_bucket_names(shared, metadata.database)
    await check_bucket_names(settings, metadata.database)


async def test_a_locked_out_tenants_bucket_is_closed_to_others_too(metadata):
    made = await metadata.make_bucket()
    await metadata.ask(ShareObjects(bucket_id=made.bucket_id, grantees=("AllUsers",)))
    assert (await metadata.ask(FindBucket(tenant_id="", name="photos"))).bucket_id == made.bucket_id
    await metadata.sql("UPDATE tenants SET state = 'disabled' WHERE tenant_id = 'acme'")
    with pytest.raises(RequestError) as gone:
        await metadata.ask(FindBucket(tenant_id="", name="photos"))
    assert gone.value.code == "AccessDenied"


async def test_a_changed_setting_is_told_to_the_proxies_and_goes_with_its_bucket(metadata):
    made = await metadata.make_bucket()
    await metadata.sql("DELETE FROM outbox")
    await metadata.ask(ChangeBucket(bucket_id=made.bucket_id, put=BucketSettings(policy="{}")))
    assert [row["payload"] for row in await metadata.sql("SELECT payload FROM outbox")] == [
        '{"id": "acme/photos", "kind": "bucket"}'
    ]
    await metadata.ask(DeleteBucket(tenant_id="acme", name="photos"))
    assert await metadata.sql("SELECT * FROM bucket_settings") == []
