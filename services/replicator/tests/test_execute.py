from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    NamespaceNotFound,
)
from domicile_common.model import Blob, Facts
from domicile_common.stamps import STAMP_HEADER, read_sidecar, read_stamp, sidecar_key
from domicile_common.testing.memory import (
    CHUNK,
    NAMESPACE,
    VERSION_ID,
    MemoryStore,
    backend,
    blob,
    digest_of,
    md5,
    version_of,
    work_for,
)
from domicile_replicator import plan as planning
from domicile_replicator.execute import Copied, Executor
from domicile_replicator.plan import Copy, Remove, WriteSidecar
from domicile_replicator.stamped import read_stamp_of

BODY = b"The quick brown fox jumps over the lazy dog."
SIDECAR = Blob("de", NAMESPACE, sidecar_key(VERSION_ID))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(planning, "SMALLEST_PART", 10)


class Site:
    """Three backends; ``fi`` and ``us`` hold the body, ``de`` shall."""

    def __init__(self, body: bytes = BODY, parts: tuple[int, ...] = (), **quirks) -> None:
        self.body = body
        self.digest = digest_of(body, parts, "crc32c")
        self.fi, self.de, self.us = (MemoryStore(backend(name, **quirks)) for name in ("fi", "de", "us"))
        self.stores = {store.backend.backend_id: store for store in (self.fi, self.de, self.us)}
        for store in (self.fi, self.us):
            store.put(blob(store.backend.backend_id), body)
        self.executor = Executor(self.stores)

    def step(self, multipart_bytes: int = 1000, **changes) -> Copy:
        work = work_for(self.digest, **{"sources": (blob("fi"), blob("us")), **changes})
        backends = {name: store.backend for name, store in self.stores.items()}
        step = planning.plan(work, backends, multipart_bytes)
        assert isinstance(step, Copy)
        return step

    async def copy(self, multipart_bytes: int = 1000, **changes) -> Copied:
        try:
            return await self.executor.copy(self.step(multipart_bytes, **changes))
        finally:
            assert not any(store.open_sources for store in self.stores.values())

    @property
    def copied(self) -> bytes | None:
        return self.de.body(blob("de"))


async def test_copies_with_the_whole_stamp():
    site = Site()
    assert await site.copy() == Copied(site.digest.etag, len(BODY), stamped=True, source="fi")
    body, headers, _ = site.de.blobs[NAMESPACE, blob("de").blob_key]
    assert body == BODY
    assert headers["content-type"] == "text/plain"
    stamp = read_stamp(headers)
    assert stamp
    assert (stamp.version_id, stamp.tenant_id, stamp.bucket, stamp.key) == (VERSION_ID, "acme", "photos", "a/b")
    assert stamp.digest == site.digest
    assert site.de.calls["head"] == 0  # a fresh small copy costs one request at each side
    assert site.us.calls["open_get"] == 0


async def test_copies_an_empty_blob():
    site = Site(b"")
    await site.copy()
    assert site.copied == b""


@pytest.mark.parametrize("parts", [(), (30, 14), (44,), (20, 20, 4)])
@pytest.mark.parametrize("multipart_bytes", [10, 1000])
async def test_uploads_the_parts_of_the_version_again(parts, multipart_bytes):
    site = Site(parts=parts)
    copied = await site.copy(multipart_bytes)
    assert site.copied == BODY
    assert not site.de.uploads
    if parts:
        assert copied.etag == site.digest.etag
    assert site.de.calls["open_get"] == 0  # the ETag proves it


async def test_what_an_etag_cannot_prove_is_read_back():
    site = Site(quirks="generic")
    await site.copy()
    assert site.de.calls["open_get"] == 1


@pytest.mark.parametrize("quirks", ["generic", "seaweedfs"])
@pytest.mark.parametrize("multipart_bytes", [10, 1000])
async def test_a_target_that_stores_other_bytes_is_found_out(quirks, multipart_bytes):
    site = Site(quirks=quirks)
    site.de.damage = lambda body: body[:-1] + b"?"
    with pytest.raises(BlobMismatch) as caught:
        await site.copy(multipart_bytes)
    assert caught.value.backend_id == "de"


@pytest.mark.parametrize("parts", [(), (30, 14)])
@pytest.mark.parametrize("multipart_bytes", [10, 1000])
async def test_what_changes_on_its_way_does_not_take_the_place_of_a_good_copy(parts, multipart_bytes):
    """Two workers may have the same job: the first one's copy is verified, and then the second one sends it again."""
    site = Site(parts=parts)
    await site.copy(multipart_bytes)
    site.de.garble = lambda body: body[:-1] + b"?"
    with pytest.raises(BlobMismatch):
        await site.copy(multipart_bytes)
    assert site.copied == BODY


@pytest.mark.parametrize(
    "failure", [BackendUnavailable("fi", ""), BackendRefused("fi", ""), BlobNotFound("fi", ""), NamespaceNotFound("fi", "")]
)
@pytest.mark.parametrize("operation", ["open_get", "read"])
async def test_the_next_source_serves_when_one_fails(operation, failure):
    site = Site()
    site.fi.fail[operation] = [None, failure] if operation == "read" else [failure]
    await site.copy()
    assert site.copied == BODY


@pytest.mark.parametrize("multipart_bytes", [10, 1000])
async def test_when_no_source_serves_nothing_is_seen_at_the_target(multipart_bytes):
    site = Site()
    site.fi.fail["read"] = [None, None, BackendUnavailable("fi", "")]
    site.us.fail["open_get"] = [BlobNotFound("us", "")]
    with pytest.raises(BlobNotFound) as caught:
        await site.copy(multipart_bytes)
    assert caught.value.backend_id == "us"
    assert site.copied is None


@given(served=st.binary(max_size=80), announce=st.booleans(), parts=st.booleans(), body=st.binary(max_size=80))
def test_wrong_bytes_never_complete_at_the_target(served, announce, parts, body):
    """A source that sends other bytes, more or fewer, and announces their length or the right one."""
    site = Site(body)
    site.fi.served[blob("fi").blob_key] = served
    if announce:
        site.fi.announced[blob("fi").blob_key] = len(served)
    step = site.step(10 if parts else 1000, sources=(blob("fi"),))

    async def attempt():
        await site.executor.copy(step)

    if served == body:
        asyncio.run(attempt())
        assert site.copied == body
        return
    with pytest.raises(BackendError) as caught:
        asyncio.run(attempt())
    assert caught.value.backend_id == "fi"
    assert site.copied is None
    assert not site.de.uploads or not isinstance(caught.value, BlobMismatch)
    assert site.de.received < max(len(body), 1)  # the last chunk was withheld


@pytest.mark.parametrize("operation", ["open_put", "write", "finish"])
async def test_a_failing_target_is_not_blamed_on_sources(operation):
    site = Site()
    site.de.fail[operation] = [BackendUnavailable("de", "down")]
    with pytest.raises(BackendUnavailable) as caught:
        await site.copy()
    assert caught.value.backend_id == "de"
    assert site.us.calls["open_get"] == 0
    assert site.copied is None


# --- copies that go on where an earlier one stopped ---


@pytest.mark.parametrize("quirks", ["generic", "seaweedfs"])
@pytest.mark.parametrize("parts", [(), (10, 10, 10, 14)], ids=["whole", "in parts"])
@pytest.mark.parametrize("operation, sent", [("open_part", 24), ("write", 34), ("finish", 24), ("complete_upload", 0)])
async def test_what_was_uploaded_is_not_sent_again(operation, sent, parts, quirks):
    """The target fails at its third part, or when all are there."""
    site = Site(parts=parts, quirks=quirks)
    times = {"complete_upload": 0}.get(operation, 2)
    site.de.fail[operation] = [None] * times + [BackendUnavailable("de", "down")]
    with pytest.raises(BackendUnavailable):
        await site.copy(10)
    reads = site.fi.calls["read"]
    copied = await site.copy(10, attempt=1)
    assert (site.copied, copied.sent, copied.stamped) == (BODY, sent, True)
    assert site.de.calls["create_upload"] == 1
    assert not site.de.uploads
    # Of parts whose MD5 is on record, nothing is read either.
    is_proven = bool(parts) and quirks == "seaweedfs"
    assert site.fi.calls["read"] - reads == -(-(sent if is_proven else len(BODY)) // CHUNK)


async def test_a_cancelled_copy_is_gone_on_with():
    site = Site()
    reached = asyncio.Event()
    open_part = site.de.open_part

    async def hang(where, upload_id, number, length):
        if number < 3:
            return await open_part(where, upload_id, number, length)
        reached.set()
        return await asyncio.Event().wait()

    site.de.open_part = hang
    task = asyncio.create_task(site.copy(10))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    site.de.open_part = open_part
    assert (await site.copy(10)).sent == len(BODY) - 20
    assert site.copied == BODY


async def begun_upload(site, *parts: bytes, headers=None) -> str:
    upload_id = await site.de.create_upload(blob("de"), headers or {})
    for number, body in enumerate(parts, 1):
        sink = await site.de.open_part(blob("de"), upload_id, number, len(body))
        await sink.write(body)
        await sink.finish()
    return upload_id


async def test_of_several_uploads_the_furthest_is_gone_on_with():
    site = Site()
    await begun_upload(site, BODY[:10])
    await begun_upload(site, BODY[:10], BODY[10:20])
    await begun_upload(site, BODY[:12], BODY[12:24], BODY[24:36])  # another cut
    await begun_upload(site)
    assert (await site.copy(10)).sent == len(BODY) - 20
    assert site.copied == BODY
    assert not site.de.uploads


@pytest.mark.parametrize("parts", [(), (10, 10, 10, 14)], ids=["whole", "in parts"])
async def test_parts_with_other_bytes_are_never_completed(parts):
    site = Site(parts=parts)
    await begun_upload(site, b"0123456789", BODY[10:20])
    with pytest.raises(BlobMismatch) as caught:
        await site.copy(10)
    assert caught.value.backend_id == "de"
    assert site.copied is None
    assert not site.de.uploads
    await site.copy(10)
    assert site.copied == BODY


async def test_other_bytes_where_etags_prove_nothing_are_read_back():
    site = Site(quirks="generic")
    await begun_upload(site, b"0123456789")
    with pytest.raises(BlobMismatch):
        await site.copy(10)
    await site.copy(10, attempt=1)
    assert site.copied == BODY


async def test_a_resumed_upload_with_an_older_stamp_gets_a_sidecar():
    site = Site()
    await begun_upload(site, BODY[:10], headers={STAMP_HEADER: "old"})
    assert (await site.copy(10)).stamped
    assert read_sidecar(site.de.body(SIDECAR) or b"").digest == site.digest


@pytest.mark.parametrize("multipart_bytes", [10, 1000])
async def test_the_next_source_goes_on_from_the_byte_where_one_stopped(multipart_bytes):
    site = Site()
    site.fi.fail["read"] = [None, None, BackendUnavailable("fi", "")]
    copied = await site.copy(multipart_bytes)
    assert site.copied == BODY
    assert copied.sent == len(BODY)
    assert site.us.calls["read"] == -(-(len(BODY) - 2 * CHUNK) // CHUNK)


async def test_a_source_of_wrong_bytes_is_replaced_from_the_beginning():
    site = Site()
    site.fi.served[blob("fi").blob_key] = b"?" * len(BODY)
    await site.copy(10)
    assert site.copied == BODY
    assert not site.de.uploads


async def test_a_lost_answer_to_the_completion_is_looked_up():
    site = Site()
    complete = site.de.complete_upload

    async def lose_first_answer(where, upload_id, parts):
        await complete(where, upload_id, parts)
        return await complete(where, upload_id, parts)

    site.de.complete_upload = lose_first_answer
    await site.copy(10)
    assert site.copied == BODY


async def test_a_namespace_that_vanished_is_made_again():
    site = Site()
    site.de.fail["open_put"] = [NamespaceNotFound("de", "")]
    await site.copy()
    assert site.copied == BODY
    assert site.de.calls["forget_namespace"] == 1
    site.de.fail["open_put"] = [NamespaceNotFound("de", "")] * 2
    with pytest.raises(NamespaceNotFound):
        await site.copy()


# --- a blob that is there already ---


@pytest.mark.parametrize("quirks", ["generic", "seaweedfs"])
async def test_a_replay_does_not_copy_again(quirks):
    site = Site(quirks=quirks)
    first = await site.copy()
    again = await site.copy(attempt=1)
    assert again == Copied(first.etag, 0, stamped=True)
    assert site.de.calls["open_put"] == 1
    assert site.de.calls["open_get"] == (2 if quirks == "generic" else 0)


@pytest.mark.parametrize("quirks", ["generic", "seaweedfs"])
@pytest.mark.parametrize("there", [BODY[:-1], BODY[:-1] + b"?"])
async def test_other_bytes_that_are_there_are_replaced(quirks, there):
    site = Site(quirks=quirks)
    site.de.put(blob("de"), there)
    assert (await site.copy(attempt=1)).sent == len(BODY)
    assert site.copied == BODY


async def test_a_blob_without_its_stamp_gets_a_sidecar():
    site = Site()
    site.de.put(blob("de"), BODY)
    assert await site.copy(attempt=1) == Copied(md5(BODY), 0, stamped=True)
    assert read_sidecar(site.de.body(SIDECAR) or b"").digest == site.digest


async def test_an_unreachable_target_is_not_taken_for_an_absent_blob():
    site = Site()
    site.de.fail["head"] = [BackendUnavailable("de", "")]
    with pytest.raises(BackendUnavailable):
        await site.copy(attempt=1)


# --- stamps that do not fit ---


async def test_a_stamp_that_does_not_fit_goes_beside_the_blob():
    site = Site()
    version = version_of(site.digest, metadata={"note": "n" * 2000})
    assert (await site.copy(version=version)).stamped
    assert STAMP_HEADER not in site.de.blobs[NAMESPACE, blob("de").blob_key][1]
    assert read_sidecar(site.de.body(SIDECAR) or b"").facts == version.facts


async def test_where_metadata_does_not_last_the_stamp_goes_beside_the_blob():
    site = Site(quirks="rclone")
    assert (await site.copy()).stamped
    assert STAMP_HEADER not in site.de.blobs[NAMESPACE, blob("de").blob_key][1]
    assert read_sidecar(site.de.body(SIDECAR) or b"").digest == site.digest


async def test_a_copy_made_anew_leaves_no_older_stamp_beside_it():
    """It was verified, its tags were changed, it was lost, and they were changed again: nobody owes a stamp beside a blob that is lost."""
    site = Site()
    await site.copy()
    tagged = msgspec.structs.replace(version_of(site.digest), facts=Facts(tags={"a": "1"}))
    await site.executor.stamp(WriteSidecar(work_for(site.digest, "stamp"), blob("de"), tagged))
    await site.de.delete(blob("de"))
    tagged = msgspec.structs.replace(tagged, facts=Facts(tags={"a": "2"}))
    assert (await site.copy(version=tagged, suspect=True, revision=2)).stamped
    stamp = await read_stamp_of(site.de, blob("de"))
    assert stamp
    assert stamp.facts.tags == {"a": "2"}


async def test_a_sidecar_that_fails_is_owed_on():
    site = Site()
    version = version_of(site.digest, metadata={"note": "n" * 2000})
    site.de.fail["open_put"] = [None, BackendUnavailable("de", "")]
    assert not (await site.copy(version=version)).stamped
    assert site.copied == BODY


async def test_an_owed_sidecar_is_written():
    site = Site()
    work = work_for(site.digest, "stamp")
    await site.executor.stamp(WriteSidecar(work, blob("de"), version_of(site.digest)))
    assert read_sidecar(site.de.body(SIDECAR) or b"").version_id == VERSION_ID


# --- removal ---


async def test_removes_the_blob_its_sidecar_and_unfinished_uploads():
    site = Site()
    site.de.put(blob("de"), BODY)
    site.de.put(SIDECAR, b"{}")
    await site.de.create_upload(blob("de"), {})
    await site.executor.remove(Remove(blob("de")))
    assert not site.de.blobs
    assert not site.de.uploads
    await site.executor.remove(Remove(blob("de")))


async def test_a_blob_in_a_namespace_that_is_gone_is_absent():
    site = Site()
    await site.de.delete_namespace(NAMESPACE)
    await site.executor.remove(Remove(blob("de")))


@pytest.mark.parametrize("operation", ["list_uploads", "delete", "head"])
@pytest.mark.parametrize("error", [BackendUnavailable("de", ""), BackendRefused("de", "")])
async def test_an_error_is_not_an_answer(operation, error):
    site = Site()
    site.de.fail[operation] = [error]
    with pytest.raises(type(error)):
        await site.executor.remove(Remove(blob("de")))


async def test_a_blob_that_is_still_there_is_not_removed():
    site = Site()
    site.de.put(blob("de"), BODY)

    async def pretend(where):
        pass

    site.de.delete = pretend
    with pytest.raises(BackendUnavailable):
        await site.executor.remove(Remove(blob("de")))
