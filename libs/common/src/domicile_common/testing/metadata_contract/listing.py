"""Objects, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.testing.metadata_contract.common import MD5, NOWHERE, make_bucket, put, refused


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
