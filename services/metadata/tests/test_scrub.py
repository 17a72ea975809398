"""What the record says of what a backend lists."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import RequestError
from domicile_common.metadata_client.health import Doubt, DoubtCopies
from domicile_common.metadata_client.scrub import (
    CompareBlobs,
    CompareUploads,
    Copy,
    Finding,
    Listed,
    ListNamespaces,
    ListUnseen,
    ReportFindings,
)
from domicile_common.model import Blob, Digest, Part
from domicile_common.stamps import blob_key, sidecar_key
from domicile_metadata.domain.scrub import Known, is_leftover, judge, looks_right, to_look_at, version_of
from domicile_metadata.schedule import step
from domicile_metadata.services import tasks
from domicile_metadata.services.tasks import NewTask

VERSION = "0192f0c1d2e37abc8def012345678901"
MD5 = "0" * 32
KEY = blob_key("a/b", VERSION)
DIGEST = Digest(3, MD5)


@given(st.text(max_size=20), st.sampled_from(["readable", "opaque"]), st.sampled_from(["", "0a1b"]))
def test_every_blob_and_sidecar_tells_its_version(key, layout, again):
    made = blob_key(key, VERSION, layout, again)
    assert version_of(made) == VERSION
    assert version_of(sidecar_key(made)) == VERSION


@pytest.mark.parametrize("key", ["", "a", f"a/{VERSION}/b", f".domicile/{VERSION}", f".domicile/stamps/{VERSION}", f"{VERSION}.json", f".domicile/parts/{VERSION}"])  # fmt: skip
def test_what_tells_no_version(key):
    assert version_of(key) is None


def verdict(listed: Listed, *known: Known, md5: bool = True) -> str:
    return judge(listed, known, etag_is_md5=md5)[0]


def test_a_good_copy():
    known = Known("b", "verified", KEY, DIGEST)
    assert verdict(Listed(KEY, 3, MD5), known) == "good"
    assert verdict(Listed(KEY, 4, MD5), known) == "suspect"
    assert verdict(Listed(KEY, 3, "1" * 32), known) == "suspect"
    assert verdict(Listed(KEY, 3, "1" * 32), known, md5=False) == "good"
    assert verdict(Listed(sidecar_key(KEY), 99), known) == "known"


@given(st.sampled_from(["wanted", "lost", "deleting"]), st.integers(0, 9), st.text(max_size=3))
def test_a_copy_that_somebody_works_at_is_left_alone(state, size, etag):
    assert verdict(Listed(KEY, size, etag), Known("b", state, KEY, DIGEST)) == "known"


def test_what_no_row_explains():
    begun, removed = Known("b", written_to=(KEY,)), Known("b", removed=(KEY,))
    assert verdict(Listed(KEY), begun) == "known"
    assert verdict(Listed(sidecar_key(KEY)), begun) == "known"
    assert verdict(Listed(KEY), removed) == "orphaned"
    assert verdict(Listed(sidecar_key(KEY)), removed) == "orphaned"
    assert verdict(Listed(KEY), Known("b"), Known("c")) == "unknown"
    assert verdict(Listed(KEY), Known("b"), begun) == "known"
    assert verdict(Listed(KEY)) == "unknown"
    assert verdict(Listed("holiday.jpg")) == "foreign"
    assert verdict(Listed(".domicile/parts/ab/cd/begun")) == "known"


def test_an_older_blob_of_a_version_that_has_another_one_now():
    again = blob_key("a/b", VERSION, again="0a1b")
    known = Known("b", "verified", again, DIGEST, removed=(KEY,))
    assert verdict(Listed(KEY, 3, MD5), known) == "orphaned"
    assert verdict(Listed(again, 3, MD5), known) == "good"


def test_parts_that_were_cut_otherwise_tell_nothing():
    parts = Digest(3, MD5, parts=(Part(1, 1, MD5), Part(2, 2, MD5)))
    assert looks_right(Listed(KEY, 3, f"{MD5}-2"), parts, etag_is_md5=True)
    assert not looks_right(Listed(KEY, 3, f"{'1' * 32}-2"), parts, etag_is_md5=True)
    assert looks_right(Listed(KEY, 3, f"{'1' * 32}-3"), parts, etag_is_md5=True)
    assert looks_right(Listed(KEY, 3, "1" * 32), parts, etag_is_md5=True)
    assert looks_right(Listed(KEY, 3, f"{'1' * 32}-3"), DIGEST, etag_is_md5=True)
    assert looks_right(Listed(KEY, 3, ""), DIGEST, etag_is_md5=True)


def test_uploads_of_nobody():
    assert is_leftover(KEY, [])
    assert is_leftover(KEY, [Known("b", removed=(KEY,))])
    assert not is_leftover(KEY, [Known("b", written_to=(KEY,))])
    assert not is_leftover(KEY, [Known("b", "wanted", KEY, is_at_rest=True)])
    assert not is_leftover(KEY, [Known("b", "verified", KEY)])
    assert is_leftover(KEY, [Known("b", "verified", KEY, is_at_rest=True)])


BLOBS = [Blob(at, "bucket", KEY) for at in ("fi", "de", "us")]


@given(st.sets(st.sampled_from(BLOBS)), st.sets(st.sampled_from(BLOBS)))
def test_a_copy_is_looked_at_while_another_can_be_read(doubted, readable):
    looked_at = to_look_at([Doubt("b", VERSION, blob) for blob in doubted], {VERSION: readable})
    assert {doubt.blob for doubt in looked_at} == (doubted & readable if readable - doubted else set())


async def begin(metadata, **parameters) -> str:
    raw = msgspec.Raw(msgspec.json.encode({"backend_id": "fi", **parameters}))
    return (await tasks.create(metadata.context, NewTask("scrub", raw))).task_id


async def copies(metadata, task_id, bucket, since):
    asked = ListUnseen(task_id=task_id, backend_id="fi", bucket_id=bucket.bucket_id, since=since)
    return await metadata.ask(asked)


@pytest.mark.servers
class TestService:
    async def test_what_cannot_be_scrubbed(self, metadata):
        for parameters in ({"backend_id": "no"}, {"bucket": "photos"}, {"depth": "deeper"}, {"bytes_per_second": 0}, {"more": 1}):
            with pytest.raises(RequestError):
                await begin(metadata, **parameters)

    async def test_from_listing_to_repair(self, metadata):
        task_id = await begin(metadata)
        bucket = await metadata.make_bucket(location="fi,de")
        version = (await metadata.put(bucket, "k")).version
        (home,) = (await metadata.ask(ListNamespaces(backend_id="fi"))).namespaces
        assert (home.bucket_id, home.is_own) == (bucket.bucket_id, True)
        intent = await metadata.begin(bucket, "k")
        listed = [blob_key("k", version.version_id), blob_key("k", intent.version_id), "foreign", blob_key("other", VERSION)]
        compared = await metadata.ask(
            CompareBlobs(
                task_id=task_id, backend_id="fi", namespace=home.namespace, blobs=tuple(Listed(key, 3, MD5) for key in listed)
            )
        )
        assert compared.suspects == ()
        assert [(it.key, it.version_id) for it in compared.strangers] == [("foreign", ""), (listed[3], VERSION)]
        later = (await metadata.ask(ListNamespaces(backend_id="fi"))).now
        assert (await copies(metadata, task_id, bucket, later)).copies == ()
        (unseen,) = (await copies(metadata, await begin(metadata), bucket, later)).copies
        assert (unseen.version_id, unseen.digest) == (version.version_id, version.digest)
        before = version.committed_at - timedelta(seconds=1)
        assert (await copies(metadata, await begin(metadata), bucket, before)).copies == (), "it came later"

        lost = Finding(kind="missing", blob=unseen.blob, done="repair", bucket_id=bucket.bucket_id, version_id=version.version_id)
        for _ in range(2):
            await metadata.ask(ReportFindings(task_id=task_id, findings=(lost, lost)))
        assert (await metadata.replicas(version.version_id))["fi"] == "lost"
        await step(metadata.context)
        rows = "SELECT kind, resolved_at IS NULL AS open FROM findings"
        assert [tuple(row) for row in await metadata.sql(rows)] == [("missing", True)]
        await metadata.sql("UPDATE replicas SET state = 'verified' WHERE state = 'lost'")
        await step(metadata.context)
        assert [tuple(row) for row in await metadata.sql(rows)] == [("missing", False)]

    async def test_only_the_blob_that_is_meant_is_lost_or_verified(self, metadata):
        bucket = await metadata.make_bucket(location="fi,de")
        version = (await metadata.put(bucket, "k")).version
        other = Blob("fi", bucket.namespaces["fi"], "another")
        report = ReportFindings(
            task_id=VERSION,
            findings=(
                Finding(kind="missing", blob=other, done="repair", bucket_id=bucket.bucket_id, version_id=version.version_id),
            ),
            verified=(Copy(bucket.bucket_id, version.version_id, other, version.digest),),
        )
        await metadata.ask(report)
        assert (await metadata.replicas(version.version_id))["fi"] == "verified"
        verified_at = "SELECT verified_at FROM replicas WHERE backend_id = 'fi'"
        assert (await metadata.sql(verified_at))[0]["verified_at"] is None
        right = Blob("fi", bucket.namespaces["fi"], blob_key("k", version.version_id))
        await metadata.ask(
            ReportFindings(task_id=VERSION, verified=(Copy(bucket.bucket_id, version.version_id, right, version.digest),))
        )
        assert (await metadata.sql(verified_at))[0]["verified_at"] is not None

    async def test_what_reads_doubt_is_looked_at_unless_nothing_else_is_left(self, metadata):
        bucket = await metadata.make_bucket(location="fi,de")
        version = (await metadata.put(bucket, "k")).version
        key = blob_key("k", version.version_id)
        fi, de = (Doubt(bucket.bucket_id, version.version_id, Blob(at, bucket.namespaces[at], key)) for at in ("fi", "de"))

        async def states_after(*doubts: Doubt) -> tuple[str, str]:
            await metadata.ask(DoubtCopies(doubts=doubts))
            states = await metadata.replicas(version.version_id)
            return states["fi"], states["de"]

        before = await metadata.replicas(version.version_id)
        assert await states_after(fi) == (before["fi"], before["de"]), "the other one is still owed"
        await metadata.sql("UPDATE replicas SET state = 'verified', verified_at = now()")
        assert await states_after(fi, de) == ("verified", "verified")
        assert await states_after(msgspec.structs.replace(fi, blob=Blob("fi", "bucket", "another"))) == ("verified", "verified")
        await metadata.sql("UPDATE backends SET state = 'readonly' WHERE backend_id = 'fi'")
        assert await states_after(fi) == ("verified", "verified"), "nobody could repair it"
        await metadata.sql("UPDATE backends SET state = 'active' WHERE backend_id = 'fi'")
        assert await states_after(fi) == ("lost", "verified")
        assert await states_after(fi, de) == ("lost", "verified")

    async def test_a_copy_that_came_to_lie_outside_its_lock_may_be_read_all_the_same(self, metadata):
        bucket = await metadata.make_bucket()
        version = (await metadata.put(bucket, "k")).version
        await metadata.sql("UPDATE buckets SET countries = '{FI}'")
        here = Blob("us", bucket.namespaces["us"], blob_key("k", version.version_id))
        await metadata.ask(
            ReportFindings(task_id=VERSION, verified=(Copy(bucket.bucket_id, version.version_id, here, version.digest),))
        )
        assert (await metadata.sql("SELECT verified_at FROM replicas WHERE backend_id = 'us'"))[0]["verified_at"] is not None

    async def test_uploads_in_progress_are_somebodys(self, metadata):
        bucket = await metadata.make_bucket(location="fi,de")
        intent = await metadata.begin(bucket, "k", upload=True)
        keys = (intent.blobs[0].blob_key, "foreign", blob_key("k", VERSION))
        asked = CompareUploads(backend_id="fi", namespace=bucket.namespaces["fi"], keys=keys)
        assert (await metadata.ask(asked)).keys == keys[1:]

    async def test_a_copy_that_is_not_wanted_is_looked_at_again(self, metadata):
        bucket = await metadata.make_bucket(location="fi,de")
        version = (await metadata.put(bucket, "k")).version
        await metadata.sql("UPDATE versions SET decision = jsonb_set(decision, '{wanted}', '[\"de\"]')")
        page = await copies(metadata, VERSION, bucket, version.committed_at)
        assert [it.version_id for it in page.misplaced] == [version.version_id]
        found = Finding(kind="misplaced", blob=page.misplaced[0].blob, bucket_id=bucket.bucket_id, version_id=version.version_id)
        await metadata.ask(ReportFindings(task_id=VERSION, findings=(found,)))
        assert [row["version_id"].hex for row in await metadata.sql("SELECT version_id FROM unsettled_versions WHERE due_at <= now()")] == [version.version_id]  # fmt: skip
        assert (await copies(metadata, VERSION, bucket, version.committed_at)).misplaced == ()

    async def test_a_name_that_others_could_have_made_up_is_not_ours_alone(self, metadata):
        await metadata.make_bucket(location="fi,de")
        await metadata.sql("UPDATE namespaces SET namespace = 'holiday-pictures' WHERE backend_id = 'fi'")
        (home,) = (await metadata.ask(ListNamespaces(backend_id="fi"))).namespaces
        assert not home.is_own

    async def test_each_backend_is_scrubbed_when_it_is_due_and_once(self, metadata):
        await metadata.sql("UPDATE backends SET created_at = now() - interval '2 days' WHERE backend_id <> 'us'")
        for _ in range(2):
            await step(metadata.context)
            rows = await metadata.sql("SELECT parameters ->> 'backend_id' AS at FROM tasks WHERE kind = 'scrub' ORDER BY 1")
            assert [row["at"] for row in rows] == ["de", "fi"]
        await metadata.sql(
            "UPDATE tasks SET state = 'done', finished_at = now() - interval '3 days' WHERE kind = 'scrub' AND parameters ->> 'backend_id' = 'fi'"
        )
        await step(metadata.context)
        assert len(await metadata.sql("SELECT 1 FROM tasks WHERE kind = 'scrub'")) == 3
