"""What callers may expect of metadata, whoever answers: one suite for the fake and for the service.

    class TestFake(MetadataContract):
        @pytest.fixture
        def metadata(self) -> Metadata: ...

``metadata`` holds the tenants ``acme`` (canonical id ``aaa…``) and ``zeta`` (``bbb…``) without buckets, the
backends ``fi`` (FI, cost 10), ``de`` (DE, cost 20) and ``us``
(US, cost 5), and a default policy of two replicas and a quorum of one.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, assert_type

import msgspec
import pytest

from domicile_common.bucket_settings import Acl, BucketSettings, CorsRule, Grant, PublicAccessBlock
from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.health import NoteHealth, Seen
from domicile_common.metadata_client.tasks import AdvanceTask, ClaimTask
from domicile_common.model import Bucket, Digest, Facts, Lock, Part, Policy, Tenant, Version

MD5 = "0123456789abcdef" * 2
INITIATOR = Tenant(tenant_id="two", name="Two", canonical_id="2" * 64)
NOWHERE = "0" * 32
PART_SIZE = 5 << 20
FACTS = Facts(headers={"content-type": "text/é"}, metadata={"a": "1"}, tags={"b": "2"}, storage_class="STANDARD_IA")


async def refused(metadata: Metadata, request: m.Request[Any]) -> str:
    """The code that a request is refused with."""
    with pytest.raises(RequestError) as caught:
        await metadata.call(request)
    return caught.value.code


async def make_bucket(metadata: Metadata, name: str = "photos", location: str = "", tenant_id: str = "acme") -> Bucket:
    return await metadata.call(m.CreateBucket(tenant_id=tenant_id, name=name, location=location))


def commit_of(intent: m.Intent, md5: str = MD5, *, condition: m.Condition | None = None, size: int = 3) -> m.Commit:
    return m.Commit(
        bucket_id=intent.bucket_id,
        version_id=intent.version_id,
        digest=Digest(size, md5, {"crc32": "AAAAAA=="}),
        stored=tuple(m.Stored(backend_id, md5) for backend_id in intent.decision.write),
        condition=condition or m.Condition(),
    )


async def put(metadata: Metadata, bucket: Bucket, key: str, md5: str = MD5, *, condition: m.Condition | None = None) -> Version:
    intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key=key, facts=FACTS))
    return (await metadata.call(commit_of(intent, md5, condition=condition))).version


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


class VersionContract:
    """Versioning, object lock, tags."""

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


class WriteContract:
    async def test_a_committed_write_is_located(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata, location="DE,FI")
        intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a/é ", facts=FACTS))
        assert set(intent.decision.wanted) == {"fi", "de"}
        assert len(intent.decision.write) == 1
        assert [blob.backend_id for blob in intent.blobs] == list(intent.decision.wanted)
        assert all(blob.namespace == bucket.namespaces[blob.backend_id] for blob in intent.blobs)
        locate = m.Locate(bucket_id=bucket.bucket_id, key="a/é ")
        assert await refused(metadata, locate) == "NoSuchKey"
        committed = await metadata.call(commit_of(intent))
        located = await metadata.call(locate)
        assert_type(located, m.Located)
        assert located.version == committed.version
        assert (located.version.version_id, located.version.key) == (intent.version_id, "a/é ")
        assert (located.version.facts, located.version.digest) == (FACTS, Digest(3, MD5, {"crc32": "AAAAAA=="}))
        assert [replica.blob for replica in located.replicas] == [
            blob for blob in intent.blobs if blob.backend_id in intent.decision.write
        ]

    async def test_replicas_come_cheapest_first(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata, location="DE,US")
        intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a"))
        commit = m.Commit(
            bucket_id=bucket.bucket_id,
            version_id=intent.version_id,
            digest=Digest(3, MD5),
            stored=(m.Stored("de", MD5), m.Stored("us", MD5)),
        )
        await metadata.call(commit)
        located = await metadata.call(m.Locate(bucket_id=bucket.bucket_id, key="a"))
        assert [replica.blob.backend_id for replica in located.replicas] == ["us", "de"]

    async def test_an_owner_is_told_where_the_copies_are(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        version = await put(metadata, bucket, "k")
        found = await metadata.call(m.FindPlacement(bucket_id=bucket.bucket_id, version_id=version.version_id))
        places = [(copy.backend_id, copy.country, copy.state) for copy in found.copies]
        assert places == [("fi", "FI", "wanted"), ("us", "US", "verified")]
        assert [copy.verified_at is not None for copy in found.copies] == [False, True]
        assert all(copy.provider for copy in found.copies)
        assert found.reason
        for place in ((bucket.bucket_id, NOWHERE), (NOWHERE, version.version_id), ("", "")):
            assert await refused(metadata, m.FindPlacement(bucket_id=place[0], version_id=place[1])) == "NoSuchVersion"

    async def test_backends_to_avoid_are_not_written_to(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata, location="FI,DE")
        intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a", avoid=("fi",)))
        assert intent.decision.write == ("de",)
        assert set(intent.decision.wanted) == {"fi", "de"}
        with pytest.raises(Unavailable):
            await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a", avoid=("fi", "de")))

    async def test_a_wide_write_needs_only_its_quorum(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata, location="FI,DE")
        wide = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a", policy=Policy(write_width=2)))
        assert (set(wide.decision.write), wide.decision.least) == ({"fi", "de"}, 1)
        await metadata.call(msgspec.structs.replace(commit_of(wide), stored=(m.Stored("de", MD5),)))
        located = await metadata.call(m.Locate(bucket_id=bucket.bucket_id, key="a"))
        assert [replica.blob.backend_id for replica in located.replicas] == ["de"]

    async def test_a_write_ends_once(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        ended, aborted = [await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a")) for _ in range(2)]
        await metadata.call(commit_of(ended))
        for _ in range(2):
            await metadata.call(m.Abort(bucket_id=bucket.bucket_id, version_id=aborted.version_id))
        for intent in (ended, aborted):
            with pytest.raises(Unavailable):
                await metadata.call(commit_of(intent))
            renew = m.Renew(bucket_id=bucket.bucket_id, version_id=intent.version_id)
            assert await refused(metadata, renew) == "NoSuchUpload"
        assert (await metadata.call(m.Locate(bucket_id=bucket.bucket_id, key="a"))).version.version_id == ended.version_id

    async def test_a_condition_that_fails_already_ends_a_write_before_it_begins(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        begin = m.Begin(bucket_id=bucket.bucket_id, key="a", condition=m.Condition(if_match=MD5))
        assert await refused(metadata, begin) == "NoSuchKey"
        await put(metadata, bucket, "a")
        assert (await metadata.call(begin)).key == "a"
        for condition in (m.Condition(if_none_match=True), m.Condition(if_match="other"), m.Condition(other_than=(MD5,))):
            assert await refused(metadata, msgspec.structs.replace(begin, condition=condition)) == "PreconditionFailed"

    async def test_the_last_commit_wins(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        first = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a"))
        second = await put(metadata, bucket, "a")
        await metadata.call(commit_of(first))
        located = await metadata.call(m.Locate(bucket_id=bucket.bucket_id, key="a"))
        assert located.version.version_id == first.version_id
        null = m.Locate(bucket_id=bucket.bucket_id, key="a", version_id="null")
        assert await metadata.call(null) == located
        replaced = m.Locate(bucket_id=bucket.bucket_id, key="a", version_id=second.version_id)
        assert await refused(metadata, replaced) == "NoSuchVersion"

    @pytest.mark.parametrize(
        ("condition", "absent", "present"),
        [
            (m.Condition(if_none_match=True), None, "PreconditionFailed"),
            (m.Condition(if_match="*"), "NoSuchKey", None),
            (m.Condition(if_match=MD5), "NoSuchKey", None),
            (m.Condition(if_match="f" * 32), "NoSuchKey", "PreconditionFailed"),
        ],
    )
    async def test_conditions(self, metadata: Metadata, condition: m.Condition, absent: str | None, present: str | None) -> None:
        bucket = await make_bucket(metadata)
        await put(metadata, bucket, "present")
        for key, code in (("absent", absent), ("present", present)):
            intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key=key))
            commit = commit_of(intent, condition=condition)
            if code is None:
                await metadata.call(commit)
                continue
            assert await refused(metadata, commit) == code
            with pytest.raises(Unavailable):  # a refused commit has ended the write
                await metadata.call(commit)

    async def test_removing(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        await put(metadata, bucket, "a")
        for _ in range(2):
            assert await metadata.call(m.Delete(bucket_id=bucket.bucket_id, key="a")) == m.Deleted()
        assert await refused(metadata, m.Locate(bucket_id=bucket.bucket_id, key="a")) == "NoSuchKey"

    async def test_what_cannot_begin(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="é" * 512))
        assert await refused(metadata, m.Begin(bucket_id=bucket.bucket_id, key="é" * 512 + "x")) == "KeyTooLongError"
        assert await refused(metadata, m.Begin(bucket_id=NOWHERE, key="a")) == "NoSuchBucket"


class PageContract:
    async def test_keys_sort_by_their_bytes(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        keys = ["a", "B", "a/", "a!", "é", "\uffff", "\U0001f600", "a/b"]
        for key in keys:
            await put(metadata, bucket, key)
        page = await metadata.call(m.ListObjects(bucket_id=bucket.bucket_id))
        assert [entry.key for entry in page.objects] == sorted(keys, key=str.encode)
        entry = page.objects[0]
        assert (entry.size, entry.etag, entry.storage_class, entry.checksum_algorithms) == (3, MD5, "STANDARD_IA", ("crc32",))

    async def test_every_page_size_gives_the_same_list(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        for key in ("a", "b/1", "b/2", "b0", "c/1", "c/d/1", "d"):
            await put(metadata, bucket, key)
        whole = ["a", "b/", "b0", "c/", "d"]
        for limit in (1, 2, 3, 1000):
            seen: list[str] = []
            after, more = "", True
            while more:
                ask = m.ListObjects(bucket_id=bucket.bucket_id, delimiter="/", after=after, limit=limit)
                page = await metadata.call(ask)
                names = sorted([*(entry.key for entry in page.objects), *page.prefixes], key=str.encode)
                assert page.last == names[-1]
                seen += names
                after, more = page.last, page.truncated
            assert seen == whole

    @pytest.mark.parametrize(
        ("asked", "keys", "prefixes"),
        [
            ({"prefix": "b/", "delimiter": "/"}, ["b/1", "b/2"], []),
            ({"prefix": "c/", "delimiter": "/"}, ["c/1"], ["c/d/"]),
            ({"prefix": "c/", "after": "c/1"}, ["c/d/1"], []),
            ({"delimiter": "/", "after": "b/"}, ["d"], ["c/"]),
            ({"delimiter": "/", "after": "b/1"}, ["d"], ["b/", "c/"]),
            ({"prefix": "x", "delimiter": "/"}, [], []),
            ({"delimiter": "/1"}, ["a", "b/2", "d"], ["b/1", "c/1", "c/d/1"]),
        ],
    )
    async def test_prefixes_and_delimiters(
        self, metadata: Metadata, asked: dict[str, Any], keys: list[str], prefixes: list[str]
    ) -> None:
        bucket = await make_bucket(metadata)
        for key in ("a", "b/1", "b/2", "c/1", "c/d/1", "d"):
            await put(metadata, bucket, key)
        page = await metadata.call(m.ListObjects(bucket_id=bucket.bucket_id, **asked))
        assert ([entry.key for entry in page.objects], list(page.prefixes)) == (keys, prefixes)

    async def test_nothing_to_list(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata)
        assert await metadata.call(m.ListObjects(bucket_id=bucket.bucket_id)) == m.ObjectPage((), (), truncated=False, last="")
        await put(metadata, bucket, "a")
        assert not (await metadata.call(m.ListObjects(bucket_id=bucket.bucket_id, limit=0))).truncated
        assert await refused(metadata, m.ListObjects(bucket_id=NOWHERE)) == "NoSuchBucket"


class UploadContract:
    async def begin(self, metadata: Metadata) -> m.Upload:
        """An upload with parts 1 (large), 2 (small) and 5."""
        bucket = await make_bucket(metadata)
        intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a", facts=FACTS, upload=True))
        ids = dict.fromkeys(intent.decision.write, "theirs")
        place: dict[str, Any] = {"bucket_id": bucket.bucket_id, "upload_id": intent.version_id}
        checksum = {"checksum_algorithm": "crc32", "checksum_type": "COMPOSITE"}
        await metadata.call(m.RegisterUpload(**place, uploads=ids, **checksum, initiator=INITIATOR))
        for number, size in ((5, 1), (1, PART_SIZE), (2, 7)):
            await metadata.call(m.PutPart(**place, part=Part(number, size, f"{number:032x}"), checksums={"crc32": "AAAAAA=="}))
        return await metadata.call(m.FindUpload(**place, key="a"))

    async def test_an_upload_goes_on_without_a_backend_that_it_does_not_need(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata, location="FI,DE")
        begin = m.Begin(bucket_id=bucket.bucket_id, key="a", policy=Policy(write_width=2), upload=True)
        intent = await metadata.call(begin)
        place: dict[str, Any] = {"bucket_id": bucket.bucket_id, "upload_id": intent.version_id}
        await metadata.call(m.RegisterUpload(**place, uploads={"fi": "1", "de": "2"}))
        await metadata.call(m.PutPart(**place, part=Part(1, 1, MD5), dropped=("fi",)))
        upload = await metadata.call(m.FindUpload(**place, key="a"))
        assert (upload.uploads, [blob.backend_id for blob in upload.blobs], upload.quorum) == ({"de": "2"}, ["de"], 1)
        with pytest.raises(Unavailable):
            await metadata.call(m.PutPart(**place, part=Part(2, 1, MD5), dropped=("de",)))
        assert [entry.part.number for entry in (await metadata.call(m.ListParts(**place, key="a"))).parts] == [1]

    async def test_an_upload_from_beginning_to_end(self, metadata: Metadata) -> None:
        upload = await self.begin(metadata)
        assert upload.uploads == dict.fromkeys((blob.backend_id for blob in upload.blobs), "theirs")
        assert (upload.facts, upload.checksum_algorithm, upload.checksum_type) == (FACTS, "crc32", "COMPOSITE")
        assert upload.initiator == INITIATOR
        place: dict[str, Any] = {"bucket_id": upload.bucket_id, "key": "a", "upload_id": upload.upload_id}
        first = await metadata.call(m.ListParts(**place, limit=2))
        assert [entry.part.number for entry in first.parts] == [1, 2]
        assert first.truncated
        rest = await metadata.call(m.ListParts(**place, after=2))
        assert [(entry.part, entry.checksums) for entry in rest.parts] == [(Part(5, 1, f"{5:032x}"), {"crc32": "AAAAAA=="})]
        complete = m.BeginComplete(**place, parts=(m.CompletedPart(1, f"{1:032x}"), m.CompletedPart(5, f"{5:032x}")))
        for _ in range(2):
            completion = await metadata.call(complete)
            assert [entry.part.number for entry in completion.parts] == [1, 5]
        commit = m.Commit(
            bucket_id=upload.bucket_id,
            version_id=upload.upload_id,
            digest=Digest(PART_SIZE + 1, MD5),
            stored=tuple(m.Stored(backend_id, MD5) for backend_id in upload.uploads),
        )
        version = (await metadata.call(commit)).version
        assert version.digest.etag == f"{MD5}-2"
        assert (await metadata.call(m.Locate(bucket_id=upload.bucket_id, key="a"))).version == version
        assert await refused(metadata, m.FindUpload(**place)) == "NoSuchUpload"

    @pytest.mark.parametrize(
        ("parts", "code"),
        [
            ([5, 1], "InvalidPartOrder"),
            ([1, 1], "InvalidPartOrder"),
            ([1, 3], "InvalidPart"),
            ([1, 2, 5], "EntityTooSmall"),
        ],
    )
    async def test_parts_that_make_no_version(self, metadata: Metadata, parts: list[int], code: str) -> None:
        upload = await self.begin(metadata)
        named = tuple(m.CompletedPart(number, f"{number:032x}") for number in parts)
        complete = m.BeginComplete(bucket_id=upload.bucket_id, key="a", upload_id=upload.upload_id, parts=named)
        assert await refused(metadata, complete) == code

    async def test_a_part_replaces_the_one_of_its_number(self, metadata: Metadata) -> None:
        upload = await self.begin(metadata)
        place: dict[str, Any] = {"bucket_id": upload.bucket_id, "upload_id": upload.upload_id}
        await metadata.call(m.PutPart(**place, part=Part(1, 9, MD5)))
        parts = (await metadata.call(m.ListParts(**place, key="a"))).parts
        assert [entry.part.size for entry in parts] == [9, 7, 1]
        stale = m.BeginComplete(**place, key="a", parts=(m.CompletedPart(1, f"{1:032x}"),))
        assert await refused(metadata, stale) == "InvalidPart"

    async def test_an_upload_outlives_a_condition_that_fails(self, metadata: Metadata) -> None:
        upload = await self.begin(metadata)
        complete = m.BeginComplete(
            bucket_id=upload.bucket_id,
            key="a",
            upload_id=upload.upload_id,
            parts=(m.CompletedPart(1, f"{1:032x}"),),
            condition=m.Condition(if_match=MD5),
        )
        assert await refused(metadata, complete) == "NoSuchKey"
        assert (await metadata.call(msgspec.structs.replace(complete, condition=m.UNCONDITIONAL))).upload.key == "a"

    async def test_an_upload_that_is_gone(self, metadata: Metadata) -> None:
        upload = await self.begin(metadata)
        place: dict[str, Any] = {"bucket_id": upload.bucket_id, "upload_id": upload.upload_id}
        assert await refused(metadata, m.FindUpload(**place, key="other")) == "NoSuchUpload"
        await metadata.call(m.Renew(bucket_id=upload.bucket_id, version_id=upload.upload_id))
        abort = m.Abort(bucket_id=upload.bucket_id, version_id=upload.upload_id, expected=True)
        await metadata.call(abort)
        for request in (
            abort,
            m.FindUpload(**place, key="a"),
            m.PutPart(**place, part=Part(1, 1, MD5)),
            m.ListParts(**place, key="a"),
            m.BeginComplete(**place, key="a", parts=(m.CompletedPart(1, MD5),)),
            m.RegisterUpload(**place, uploads={}),
        ):
            assert await refused(metadata, request) == "NoSuchUpload"


class TaskContract:
    async def test_tasks_that_nobody_has(self, metadata: Metadata) -> None:
        assert (await metadata.call(ClaimTask(kinds=("none",), worker="w"))).task is None
        assert not (await metadata.call(AdvanceTask(task_id=NOWHERE, worker="w"))).go_on


class HealthContract:
    async def test_how_backends_look_is_noted_also_of_those_that_nobody_knows(self, metadata: Metadata) -> None:
        seen = (Seen("fi", is_avoided=True, seconds=0.0), Seen("nowhere", is_avoided=False, seconds=0.1))
        for said in (seen, seen[:1], ()):
            assert await metadata.call(NoteHealth(observer="proxy", backends=said)) == m.Empty()


class MetadataContract(
    BucketContract, SettingsContract, VersionContract, WriteContract, PageContract, UploadContract, TaskContract, HealthContract
):
    """The whole suite."""
