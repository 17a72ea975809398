"""What a tenant with a quota may write: ``small`` has 10 bytes and 2 objects."""

from __future__ import annotations

from typing import Any

import pytest

from domicile_common.errors import Unavailable
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.model import Part
from domicile_common.testing.metadata_contract.common import MD5, commit_of, make_bucket, refused


class QuotaContract:
    async def write(self, metadata: Metadata, key: str, size: int) -> m.Committed:
        bucket = await metadata.call(m.FindBucket(tenant_id="small", name="photos"))
        intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key=key, size=size))
        return await metadata.call(commit_of(intent, size=size))

    async def test_no_more_than_it_may_use(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata, tenant_id="small")
        assert await refused(metadata, m.Begin(bucket_id=bucket.bucket_id, key="a", size=11)) == "QuotaExceeded"
        for size in (6, 10, 4):  # what is replaced does not count
            await self.write(metadata, "a", size)
        assert await refused(metadata, m.Begin(bucket_id=bucket.bucket_id, key="b", size=7)) == "QuotaExceeded"
        await self.write(metadata, "b", 0)
        assert await refused(metadata, m.Begin(bucket_id=bucket.bucket_id, key="c")) == "QuotaExceeded", "a third object"
        await metadata.call(m.Delete(bucket_id=bucket.bucket_id, key="b"))
        await self.write(metadata, "c", 6)

    async def test_a_write_that_turns_out_too_large_has_ended(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata, tenant_id="small")
        await self.write(metadata, "a", 1)
        intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a"))
        commit = commit_of(intent, size=11)
        assert await refused(metadata, commit) == "QuotaExceeded"
        with pytest.raises(Unavailable):
            await metadata.call(commit)
        assert (await metadata.call(m.Locate(bucket_id=bucket.bucket_id, key="a"))).version.digest.size == 1

    async def test_parts_count(self, metadata: Metadata) -> None:
        bucket = await make_bucket(metadata, tenant_id="small")
        intent = await metadata.call(m.Begin(bucket_id=bucket.bucket_id, key="a", upload=True))
        place: dict[str, Any] = {"bucket_id": bucket.bucket_id, "upload_id": intent.version_id}
        await metadata.call(m.RegisterUpload(**place, uploads=dict.fromkeys(intent.decision.write, "theirs")))
        for size in (9, 10):
            await metadata.call(m.PutPart(**place, part=Part(1, size, MD5)))
        assert await refused(metadata, m.PutPart(**place, part=Part(2, 1, MD5))) == "QuotaExceeded"
        assert [entry.part.number for entry in (await metadata.call(m.ListParts(**place, key="a"))).parts] == [1]
        await metadata.call(m.BeginComplete(**place, key="a", parts=(m.CompletedPart(1, MD5),)))
        await metadata.call(commit_of(intent, size=10))
        assert await refused(metadata, m.Begin(bucket_id=bucket.bucket_id, key="b", size=1)) == "QuotaExceeded"
