"""Objects of a provider's bucket become versions where they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import PolicyRefused, RequestError
from domicile_common.metadata_client.adoption import AdoptObjects, CompareListed, FindVanished, Found, Listed
from domicile_common.metadata_client.models import (
    Delete,
    FindPlacement,
    ListObjects,
    Locate,
    PutVersioning,
    Report,
    Wanted,
)
from domicile_common.model import Blob, Digest, Facts
from domicile_common.stamps import sidecar_key
from domicile_metadata.domain.adoption import Newest, Place, verdict
from domicile_metadata.services import adoption
from domicile_metadata.services.adoption import WantedAdoption

MD5, OTHER = "1" * 32, "2" * 32
THEN = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
COPIED = Digest(3, MD5, crc="AAAAAAAAAAA=")
TIMES = st.datetimes(timezones=st.just(UTC))
PLACES = st.builds(Place, st.sampled_from([None, MD5, OTHER]), st.none() | TIMES, st.booleans())
NEWEST = st.none() | st.builds(Newest, st.sampled_from([MD5, OTHER]), st.integers(0, 1), st.booleans(), st.booleans())


@given(place=PLACES, newest=NEWEST, since=TIMES)
def test_nothing_of_domicile_is_ever_replaced(place, newest, since):
    if verdict(MD5, 1, place, newest, since) == "new":
        assert not place.is_leaving
        assert place.etag != MD5 or place.adopted_at is None
        assert newest is None or (newest.is_here and not newest.is_delete_marker)


servers = pytest.mark.servers


class Provider:
    """A task that adopts the bucket ``old`` of backend ``de`` into ``photos``, whose policy wants two copies."""

    def __init__(self, metadata, adopted) -> None:
        self.metadata, self.adopted = metadata, adopted
        self.place = {"bucket_id": adopted.bucket_id, "backend_id": "de", "source": "old"}

    async def compare(self, *objects, since=None):
        since = since or self.adopted.since
        request = CompareListed(**self.place, since=since, objects=tuple(Listed(*it) for it in objects))
        return (await self.metadata.ask(request)).verdicts

    async def adopt(self, *keys, digest=COPIED, since=None, **facts):
        digest = msgspec.structs.replace(digest, crc="")
        found = tuple(Found(key=key, modified_at=THEN, facts=Facts(**facts), digest=digest) for key in keys)
        request = AdoptObjects(**self.place, since=since or self.adopted.since, objects=found)
        return (await self.metadata.ask(request)).verdicts

    async def locate(self, key):
        return await self.metadata.ask(Locate(bucket_id=self.adopted.bucket_id, key=key))

    async def again(self):
        self.adopted = (await adoption.prepare(self.metadata.context, WANTED)).parameters

    async def replica(self, version, backend_id="de"):
        rows = await self.metadata.sql(
            "SELECT * FROM replicas WHERE version_id = $1 AND backend_id = $2", version.version_id, backend_id
        )
        return rows[0] if rows else None


WANTED = WantedAdoption(tenant="acme", bucket="photos", backend="de", source="old")


@pytest.fixture
async def provider(metadata):
    return Provider(metadata, (await adoption.prepare(metadata.context, WANTED)).parameters)


@servers
async def test_an_object_is_readable_where_it_is_as_soon_as_it_is_indexed(metadata, provider):
    keys = ("a", "e//f", "/lead", "ü +%", "a/../b")
    assert await provider.compare(*((key, 3, MD5) for key in keys)) == ("new",) * 5
    assert await provider.adopt(*keys, headers={"content-type": "text/x"}, tags={"t": "1"}) == ("indexed",) * 5
    for key in keys:
        located = await provider.locate(key)
        assert [replica.blob for replica in located.replicas] == [Blob("de", "old", key)]
        assert [(replica.etag, replica.verified) for replica in located.replicas] == [(MD5, False)]
        version = located.version
        assert (version.committed_at, version.digest, version.is_null) == (THEN, Digest(3, MD5), True)
        assert (version.facts.headers, version.facts.tags) == ({"content-type": "text/x"}, {"t": "1"})
    page = await metadata.ask(ListObjects(bucket_id=provider.adopted.bucket_id))
    assert [entry.key for entry in page.objects] == sorted(keys)
    assert await provider.compare(*((key, 3, MD5) for key in keys)) == ("indexed",) * 5


@servers
async def test_the_copies_that_the_policy_wants_are_owed(metadata, provider):
    await provider.adopt("k")
    await provider.adopt("one", tags={"replica-count": "1"})
    version = (await provider.locate("k")).version
    assert await metadata.replicas(version.version_id) == {"de": "stored", "us": "wanted"}
    work = await metadata.ask(Wanted(bucket_id=version.bucket_id, version_id=version.version_id, backend_id="us"))
    assert (work.action, work.sources, work.adopted_etag, work.sidecar) == ("copy", (Blob("de", "old", "k"),), "", None)
    assert await metadata.replicas((await provider.locate("one")).version.version_id) == {"de": "stored"}
    placement = await metadata.ask(FindPlacement(bucket_id=version.bucket_id, version_id=version.version_id))
    assert placement.reason == "old at de: adopted."


@servers
async def test_its_stamp_is_kept_where_only_domicile_writes(metadata, provider):
    await provider.adopt("x/k")
    version = (await provider.locate("x/k")).version
    work = await metadata.ask(Wanted(bucket_id=version.bucket_id, version_id=version.version_id, backend_id="de"))
    home = (await metadata.sql("SELECT namespace FROM namespaces WHERE backend_id = 'de'"))[0]["namespace"]
    assert (work.action, work.target, work.adopted_etag) == ("stamp", Blob("de", "old", "x/k"), MD5)
    assert work.sidecar == Blob("de", home, sidecar_key(version.version_id))


def verified(version, backend_id, learned=None, source="de"):
    return Report(
        bucket_id=version.bucket_id,
        version_id=version.version_id,
        backend_id=backend_id,
        outcome="verified",
        source=source,
        learned=learned,
    )


@servers
async def test_the_first_copy_teaches_what_nobody_knew(metadata, provider):
    unread = Digest(3, "", given_etag="abc-2")
    await provider.adopt("k", digest=unread)
    version = (await provider.locate("k")).version
    assert (version.digest, version.digest.etag) == (unread, "abc-2")
    learned = Digest(3, MD5, given_etag="abc-2", crc="AAAAAAAAAAA=")
    await metadata.ask(verified(version, "us", learned))
    located = await provider.locate("k")
    assert located.version.digest == learned
    assert {replica.blob.backend_id: replica.verified for replica in located.replicas} == {"de": True, "us": True}
    assert (await provider.replica(version))["verified_at"] is not None


@servers
async def test_a_second_copy_of_other_bytes_has_failed(metadata, provider):
    await provider.adopt("k", digest=Digest(3, "", given_etag="abc-2"))
    version = (await provider.locate("k")).version
    first, second = (Digest(3, md5, given_etag="abc-2", crc=f"{crc}AAAAAAAAAA=") for md5, crc in ((MD5, "A"), (OTHER, "B")))
    await metadata.sql(
        "INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state) VALUES ($1, $2, 'fi', 'n', 'b', 'wanted')",
        version.bucket_id,
        version.version_id,
    )
    await metadata.ask(verified(version, "us", first))
    await metadata.ask(verified(version, "fi", second))
    assert (await provider.locate("k")).version.digest == first
    failed = await provider.replica(version, "fi")
    assert (failed["state"], failed["attempt"]) == ("wanted", 1)


@servers
async def test_a_second_run_adopts_only_what_is_new(metadata, provider):
    await provider.adopt("k", "gone", "other/gone")
    await provider.again()
    assert await provider.compare(("k", 3, MD5), ("new", 3, MD5)) == ("known", "new")
    vanished = FindVanished(**provider.place, prefix="", since=provider.adopted.since)
    assert (await metadata.ask(vanished)).keys == ("gone", "other/gone")
    assert (await metadata.ask(msgspec.structs.replace(vanished, prefix="other/"))).keys == ("other/gone",)
    assert (await metadata.ask(msgspec.structs.replace(vanished, after="gone"))).keys == ("other/gone",)
    assert (await metadata.ask(msgspec.structs.replace(vanished, limit=1))).keys == ("gone",)
    assert (await provider.locate("gone")).version.digest.md5 == MD5


@servers
async def test_what_was_changed_behind_our_back_is_a_new_version(metadata, provider):
    """It takes the place over; the copies of the old one elsewhere go."""
    await provider.adopt("k")
    old = (await provider.locate("k")).version
    await metadata.ask(verified(old, "us"))
    await provider.again()
    assert await provider.compare(("k", 3, OTHER)) == ("new",)
    await provider.adopt("k", digest=Digest(3, OTHER))
    new = (await provider.locate("k")).version
    assert new.digest.md5 == OTHER
    assert await metadata.replicas(old.version_id) == {"us": "deleting"}
    assert await metadata.replicas(new.version_id) == {"de": "stored", "us": "wanted"}


@servers
async def test_with_versioning_the_old_one_stays_and_is_repaired_elsewhere(metadata, provider):
    await metadata.ask(PutVersioning(bucket_id=provider.adopted.bucket_id, versioning="enabled"))
    await provider.adopt("k")
    old = (await provider.locate("k")).version
    await metadata.ask(verified(old, "us"))
    await provider.adopt("k", digest=Digest(3, OTHER))
    lost = await provider.replica(old)
    home = (await metadata.sql("SELECT namespace FROM namespaces WHERE backend_id = 'de'"))[0]["namespace"]
    assert (lost["state"], lost["namespace"], lost["blob_key"]) == ("lost", home, f"{old.version_id}~r0")
    work = await metadata.ask(Wanted(bucket_id=old.bucket_id, version_id=old.version_id, backend_id="de"))
    assert (work.action, work.adopted_etag, [source.backend_id for source in work.sources]) == ("copy", "", ["us"])
    assert (await provider.locate("k")).version.digest.md5 == OTHER


@servers
async def test_what_domicile_has_committed_stays(metadata, provider):
    bucket = await metadata.make_bucket("other")
    photos = msgspec.structs.replace(bucket, bucket_id=provider.adopted.bucket_id)
    await metadata.put(photos, "theirs", md5=OTHER)
    await metadata.put(photos, "same", md5=MD5)
    objects = [("theirs", 3, MD5), ("same", 3, MD5), ("same", 4, MD5)]
    assert await provider.compare(*objects) == ("conflict", "known", "conflict")
    assert await provider.adopt("theirs", "same") == ("conflict", "known")
    assert (await provider.locate("theirs")).version.digest.md5 == OTHER


@servers
async def test_what_was_deleted_does_not_come_back(metadata, provider):
    bucket_id = provider.adopted.bucket_id
    await provider.adopt("k")
    version = (await provider.locate("k")).version
    about = Report(bucket_id=bucket_id, version_id=version.version_id, backend_id="de", outcome="stamped", blob_key="k")
    await metadata.ask(about)
    await metadata.ask(Delete(bucket_id=bucket_id, key="k"))
    work = await metadata.ask(Wanted(bucket_id=bucket_id, version_id=version.version_id, backend_id="de"))
    assert (work.action, work.target, work.adopted_etag) == ("delete", Blob("de", "old", "k"), MD5)
    assert work.sidecar is not None
    for etag in (MD5, OTHER):  # whatever is there, a worker may just be removing it
        assert await provider.compare(("k", 3, etag)) == ("leaving",)
        assert await provider.adopt("k", digest=Digest(3, etag)) == ("leaving",)
    await metadata.ask(msgspec.structs.replace(about, outcome="deleted"))
    assert await provider.compare(("k", 3, OTHER)) == ("new",)


@servers
async def test_a_delete_marker_is_not_undone(metadata, provider):
    bucket_id = provider.adopted.bucket_id
    await metadata.ask(PutVersioning(bucket_id=bucket_id, versioning="enabled"))
    await provider.adopt("k")
    await metadata.ask(Delete(bucket_id=bucket_id, key="k"))
    assert await provider.compare(("k", 3, MD5), ("k", 3, OTHER)) == ("indexed", "conflict")
    assert await provider.adopt("k", digest=Digest(3, OTHER)) == ("conflict",)


@servers
async def test_no_backend_outside_the_lock(metadata):
    with pytest.raises(PolicyRefused):
        await adoption.prepare(
            metadata.context, WantedAdoption(tenant="acme", bucket="new", backend="us", source="old", location="fi,de")
        )
    assert await metadata.sql("SELECT * FROM buckets") == []
    provider = Provider(metadata, (await adoption.prepare(metadata.context, WANTED)).parameters)
    await metadata.sql("UPDATE buckets SET countries = '{FI}'")
    with pytest.raises(RequestError, match="outside the bucket's lock"):
        await provider.adopt("k")


@servers
async def test_a_providers_bucket_has_one_owner(metadata, provider):
    await provider.again()
    with pytest.raises(RequestError, match="adopted by another"):
        await adoption.prepare(metadata.context, WantedAdoption(tenant="zeta", bucket="zzz", backend="de", source="old"))
    own = (await metadata.sql("SELECT namespace FROM namespaces WHERE backend_id = 'de'"))[0]["namespace"]
    with pytest.raises(RequestError, match="of Domicile itself"):
        await adoption.prepare(metadata.context, WantedAdoption(tenant="zeta", bucket="zzz", backend="de", source=own))
    assert await metadata.sql("SELECT * FROM buckets WHERE tenant_id = 'zeta'") == []


@servers
@pytest.mark.parametrize(
    "changes, code",
    [
        ({"tenant": "nobody"}, "NoSuchTenant"),
        ({"backend": "nowhere"}, "NoSuchBackend"),
        ({"bucket": "?"}, "InvalidBucketName"),
        ({"location": "xx"}, "InvalidLocationConstraint"),
    ],
)
async def test_what_is_not_there_cannot_be_adopted(metadata, changes, code):
    with pytest.raises(RequestError) as caught:
        await adoption.prepare(metadata.context, msgspec.structs.replace(WANTED, **changes))
    assert caught.value.code == code
    assert await metadata.sql("SELECT * FROM buckets") == []


@servers
async def test_thousands_of_objects_are_more_than_one_transaction(provider):
    keys = [f"k/{number}" for number in range(450)]
    assert set(await provider.adopt(*keys)) == {"indexed"}
    assert set(await provider.adopt(*keys, since=provider.adopted.since + timedelta(days=1))) == {"known"}
