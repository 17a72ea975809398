"""A write, from its intent to its version."""

from __future__ import annotations

from typing import assert_type

import msgspec
import pytest

from domicile_common.errors import Unavailable
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.model import Digest, Policy
from domicile_common.testing.metadata_contract.common import FACTS, MD5, NOWHERE, commit_of, make_bucket, put, refused


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
