"""Blobs that are adopted objects: in a bucket that others may write to, and at first with bytes that nobody here has read."""

from __future__ import annotations

import msgspec
import pytest

from domicile_common.errors import BlobMismatch
from domicile_common.model import Blob, Digest
from domicile_common.stamps import read_sidecar, sidecar_key
from domicile_common.testing.memory import NAMESPACE, VERSION_ID, MemoryStore, backend, blob, digest_of, version_of, work_for
from domicile_replicator import plan as planning
from domicile_replicator.execute import Executor
from domicile_replicator.plan import Copy, Remove, WriteSidecar, plan

BODY = b"The quick brown fox jumps over the lazy dog."
PLACE = Blob("fi", "old", "a/b")
APART = Blob("fi", NAMESPACE, sidecar_key(VERSION_ID))
PARTS = (20, 20, 4)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(planning, "SMALLEST_PART", 10)


class Site:
    """``fi`` has an object that was adopted; ``de`` shall have a copy."""

    def __init__(self, etag: str, **quirks: str) -> None:
        self.fi, self.de = MemoryStore(backend("fi", **quirks)), MemoryStore(backend("de"))
        self.fi.namespaces.add("old")
        self.fi.put(PLACE, BODY, etag=etag)
        self.stores = {"fi": self.fi, "de": self.de}
        self.executor = Executor(self.stores)

    async def copy(self, digest: Digest):
        step = plan(work_for(digest, sources=(PLACE,)), {name: it.backend for name, it in self.stores.items()}, 1000)
        assert isinstance(step, Copy)
        return await self.executor.copy(step)


async def test_bytes_that_nothing_can_prove_are_learned_from_the_first_copy():
    site = Site("odd-tag")
    copied = await site.copy(Digest(len(BODY), "", given_etag="odd-tag"))
    assert copied.learned == msgspec.structs.replace(digest_of(BODY), given_etag="odd-tag")
    assert (copied.source, copied.stamped, site.de.body(blob("de"))) == ("fi", True, BODY)
    sidecar = Blob("de", NAMESPACE, sidecar_key(VERSION_ID))
    assert read_sidecar(site.de.body(sidecar) or b"").digest == copied.learned


async def test_the_sizes_of_its_parts_let_an_entity_tag_prove_its_bytes():
    expected = digest_of(BODY, PARTS)
    site = Site(expected.etag)
    site.fi.sizes["a/b"] = PARTS
    copied = await site.copy(Digest(len(BODY), "", given_etag=expected.etag))
    assert copied.learned == expected
    assert copied.etag == expected.etag  # uploaded in the same parts


async def test_an_entity_tag_that_contradicts_the_bytes_is_believed():
    other = digest_of(BODY[::-1], PARTS).etag
    site = Site(other)
    site.fi.sizes["a/b"] = PARTS
    with pytest.raises(BlobMismatch):
        await site.copy(Digest(len(BODY), "", given_etag=other))
    assert site.de.body(blob("de")) is None


async def test_sizes_of_parts_mean_nothing_where_entity_tags_do_not():
    expected = digest_of(BODY, PARTS)
    site = Site(expected.etag, quirks="generic")
    site.fi.sizes["a/b"] = PARTS
    copied = await site.copy(Digest(len(BODY), "", given_etag=expected.etag))
    assert copied.learned == msgspec.structs.replace(digest_of(BODY), given_etag=expected.etag)


async def test_another_object_in_its_place_is_not_copied():
    site = Site("newer")
    with pytest.raises(BlobMismatch):
        await site.copy(Digest(len(BODY), "", given_etag="older"))
    assert site.de.body(blob("de")) is None


async def test_a_target_is_read_back_against_what_was_learned():
    site = Site("odd-tag")
    site.de.damage = lambda body: body[:-1] + b"?"
    with pytest.raises(BlobMismatch):
        await site.copy(Digest(len(BODY), "", given_etag="odd-tag"))


async def test_what_is_at_the_target_already_is_not_believed_unread():
    site = Site("odd-tag")
    site.de.put(blob("de"), BODY[::-1])
    step = plan(
        work_for(Digest(len(BODY), "", given_etag="odd-tag"), sources=(PLACE,), attempt=3),
        {name: it.backend for name, it in site.stores.items()},
        1000,
    )
    assert isinstance(step, Copy)
    await site.executor.copy(step)
    assert site.de.body(blob("de")) == BODY


async def test_its_stamp_is_written_apart_and_says_where_it_is():
    site = Site("tag")
    work = work_for(digest_of(BODY), "stamp", target=PLACE, adopted_etag="tag", sidecar=APART)
    await site.executor.stamp(WriteSidecar(work, PLACE, version_of(digest_of(BODY))))
    assert read_sidecar(site.fi.body(APART) or b"").blob == PLACE
    assert [key for namespace, key in site.fi.blobs if namespace == "old"] == ["a/b"]


@pytest.mark.parametrize("etag, left", [("tag", None), ("newer", BODY)])
async def test_only_what_was_adopted_is_removed(etag, left):
    site = Site(etag)
    site.fi.put(APART, b"{}")
    upload = await site.fi.create_upload(PLACE, {})
    step = plan(
        work_for(digest_of(BODY), "delete", target=PLACE, adopted_etag="tag", sidecar=APART),
        {"fi": site.fi.backend},
        1000,
    )
    assert step == Remove(PLACE, "tag", APART)
    await site.executor.remove(step)
    assert (site.fi.body(PLACE), site.fi.body(APART)) == (left, None)
    assert list(site.fi.uploads) == [upload]  # somebody else's
    await site.executor.remove(step)
