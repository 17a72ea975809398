"""Multipart uploads."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from domicile_common.errors import Unavailable
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.model import Digest, Part, Policy
from domicile_common.testing.metadata_contract.common import FACTS, INITIATOR, MD5, PART_SIZE, make_bucket, refused


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
        abort = m.Abort(bucket_id=upload.bucket_id, version_id=upload.upload_id, expected=True)
        for request in (m.FindUpload(**place), abort):
            assert await refused(metadata, request) == "NoSuchUpload"

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

    async def test_parts_may_be_chosen_again_when_nothing_came_of_the_choice(self, metadata: Metadata) -> None:
        upload = await self.begin(metadata)
        place: dict[str, Any] = {"bucket_id": upload.bucket_id, "upload_id": upload.upload_id}
        reopen = m.ReopenUpload(**place)
        first, other = (
            m.BeginComplete(**place, key="a", parts=tuple(m.CompletedPart(number, f"{number:032x}") for number in numbers))
            for numbers in ((1,), (1, 2))
        )
        await metadata.call(reopen)  # nothing was chosen yet
        for _ in range(2):
            await metadata.call(first)
        await metadata.call(reopen)
        assert await refused(metadata, other) == "InvalidRequest"  # one of the two is still at it
        await metadata.call(reopen)
        await metadata.call(other)
        assert await refused(metadata, first) == "InvalidRequest"

    async def test_an_upload_that_is_gone(self, metadata: Metadata) -> None:
        upload = await self.begin(metadata)
        place: dict[str, Any] = {"bucket_id": upload.bucket_id, "upload_id": upload.upload_id}
        assert await refused(metadata, m.FindUpload(**place, key="other")) == "NoSuchUpload"
        await metadata.call(m.Renew(bucket_id=upload.bucket_id, version_id=upload.upload_id))
        abort = m.Abort(bucket_id=upload.bucket_id, version_id=upload.upload_id, expected=True)
        for _ in range(2):  # the first answer may have been lost
            await metadata.call(abort)
        for request in (
            m.FindUpload(**place, key="a"),
            m.PutPart(**place, part=Part(1, 1, MD5)),
            m.ListParts(**place, key="a"),
            m.BeginComplete(**place, key="a", parts=(m.CompletedPart(1, MD5),)),
            m.RegisterUpload(**place, uploads={}),
        ):
            assert await refused(metadata, request) == "NoSuchUpload"
