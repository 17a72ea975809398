"""The port on real servers: the run's own kind of backend, and rclone."""

import hashlib
import os
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator

import pytest

from domicile_common.backends.port import BlobStore
from domicile_common.backends.quirks import quirks_of
from domicile_common.backends.stores import open_store
from domicile_common.checksums import multipart_md5
from domicile_common.errors import (
    BackendRefused,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    NamespaceNotFound,
    UploadNotFound,
)
from domicile_common.model import Backend, Blob, Part
from domicile_common.testing.private import private_backend
from domicile_local.servers.reach import DEFAULT_BACKENDS, S3Backend, backend_kind

pytestmark = pytest.mark.servers


# The run's own, and the one that differs most.
KINDS = {backend_kind(os.environ) or DEFAULT_BACKENDS, "rclone"}


@pytest.fixture(scope="module", params=sorted(KINDS))
def server(request, tmp_path_factory, backends) -> Iterator[S3Backend]:
    """A real backend."""
    if request.param == backends[0].quirks:
        yield backends[0]
    else:
        with private_backend(tmp_path_factory.mktemp("backend"), "private", "FI", request.param) as private:
            yield private.backend


def registered(server: S3Backend) -> Backend:
    return Backend(server.backend_id, "test", server.endpoint, "FI", ("FI",), server.access_key, "sealed", quirks=server.quirks)


@pytest.fixture
async def store(server) -> AsyncIterator[BlobStore]:
    store = open_store(registered(server), server.secret_key)
    yield store
    await store.close()


@pytest.fixture
async def namespace(store) -> str:
    name = f"s3gw-{secrets.token_hex(8)}-test"
    await store.ensure_namespace(name)
    return name


async def put(store: BlobStore, blob: Blob, body: bytes, headers: dict[str, str] | None = None) -> str:
    sink = await store.open_put(blob, len(body), headers or {})
    for start in range(0, len(body), 100_000):
        await sink.write(body[start : start + 100_000])
    return await sink.finish()


async def got(store: BlobStore, blob: Blob, start: int = 0, end: int | None = None) -> bytes:
    source = await store.open_get(blob, start, end)
    try:
        return b"".join([chunk async for chunk in source.chunks()])
    finally:
        await source.close()


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("key", ["plain/1", "a b/c+d/é/%2F/x=1&y/1", "~!@$*()'/:,;/1", "日本/" + "x" * 200 + "/1"])
@pytest.mark.parametrize("size", [0, 1, 1_000_003])
async def test_a_blob_comes_back_as_it_went(store, namespace, key, size):
    blob, body = Blob("fi", namespace, key), os.urandom(size)
    etag = await put(store, blob, body, {"content-type": "text/x-test", "x-amz-meta-domicile": "stamp 1"})
    info = await store.head(blob)
    assert info.size == size
    assert info.headers["content-type"] == "text/x-test"
    assert info.headers["x-amz-meta-domicile"] == "stamp 1"
    assert await got(store, blob) == body
    if quirks_of(store.backend).etag_is_md5:
        assert etag == info.etag == md5(body)
    assert (await store.list_blobs(namespace)).entries == ((key, size, info.etag),)
    await store.delete(blob)
    with pytest.raises(BlobNotFound):
        await store.head(blob)
    with pytest.raises(BlobNotFound):
        await store.open_get(blob)
    await store.delete(blob)


@pytest.mark.parametrize("key", ["plain/1", "a b/c+d/é/%2F/x=1&y/1"])
async def test_a_backend_copies_its_own_blobs(store, namespace, key):
    """Also one that is not asked to, since the quirk says only what can be relied on."""
    source, target, body = Blob("fi", namespace, key), Blob("fi", f"{namespace}-2", f"{key}-copy"), os.urandom(300_000)
    await store.ensure_namespace(target.namespace)
    await put(store, source, body, {"content-type": "text/x-old", "x-amz-meta-domicile": "old"})
    etag = await store.copy(source, target, {"content-type": "text/x-new", "x-amz-meta-domicile": "new"})
    assert await got(store, target) == body
    if quirks_of(store.backend).copies:
        info = await store.head(target)
        assert (etag, info.headers["content-type"], info.headers["x-amz-meta-domicile"]) == (md5(body), "text/x-new", "new")
    with pytest.raises(BlobNotFound):
        await store.copy(Blob("fi", namespace, "none/1"), target, {})


async def test_ranges(store, namespace):
    blob, body = Blob("fi", namespace, "a"), os.urandom(1000)
    await put(store, blob, body)
    assert await got(store, blob, 10) == body[10:]
    assert await got(store, blob, 10, 19) == body[10:20]
    assert await got(store, blob, 0, 0) == body[:1]
    assert await got(store, blob, 990, 5000) == body[990:]
    with pytest.raises(BlobMismatch):
        await store.open_get(blob, 1000)


async def test_absence_is_told_apart(store, namespace):
    with pytest.raises(BlobNotFound):
        await store.head(Blob("fi", namespace, "a"))
    elsewhere = Blob("fi", "s3gw-is-not-there", "a")
    for call in (
        store.head(elsewhere),
        store.open_get(elsewhere),
        store.list_blobs(elsewhere.namespace),
        put(store, elsewhere, b"x"),
    ):
        with pytest.raises(NamespaceNotFound):
            await call
    await store.delete(elsewhere)


async def test_an_aborted_put_leaves_nothing(store, namespace):
    blob = Blob("fi", namespace, "a")
    for size, written in ((1_000_000, 999_999), (0, 0)):
        sink = await store.open_put(blob, size, {})
        await sink.write(bytes(written))
        await sink.abort()
        with pytest.raises(BlobNotFound):
            await store.head(blob)


async def test_other_bytes_than_those_of_the_md5_do_not_take_the_place_of_what_is_there(store, namespace):
    blob = Blob("fi", namespace, "a")
    await put(store, blob, b"good")
    of_good = b64encode(hashlib.md5(b"good", usedforsecurity=False).digest()).decode()
    with pytest.raises(BlobMismatch):
        await put(store, blob, b"evil", {"content-md5": of_good})
    assert await got(store, blob) == b"good"


async def test_namespaces(store, namespace):
    store.forget_namespace(namespace)
    await store.ensure_namespace(namespace)
    blob = Blob("fi", namespace, "a")
    await put(store, blob, b"x")
    assert not await store.delete_namespace(namespace)
    await store.delete(blob)
    assert await store.delete_namespace(namespace)
    assert await store.delete_namespace(namespace)
    await store.ensure_namespace(namespace)
    await put(store, blob, b"x")


async def test_multipart(store, namespace):
    blob = Blob("fi", namespace, "multi part/1")
    bodies = [os.urandom(5 * 2**20), os.urandom(5 * 2**20), b"end"]
    assert await store.list_uploads(blob) == ()
    upload_id = await store.create_upload(blob, {"content-type": "text/x-test", "x-amz-meta-domicile": "stamp"})
    assert await store.list_uploads(blob) == (upload_id,)
    assert await store.list_uploads(Blob("fi", namespace, "multi part/")) == ()
    parts = []
    for number, body in enumerate(bodies, 1):
        sink = await store.open_part(blob, upload_id, number, len(body))
        await sink.write(body)
        parts.append(Part(number, len(body), await sink.finish()))
    assert [part.etag for part in parts] == [md5(body) for body in bodies]
    listed = await store.list_parts(blob, upload_id)
    assert [(part.number, part.size) for part in listed] == [(part.number, part.size) for part in parts]
    assert all(part.etag in ("", parts[part.number - 1].etag) for part in listed)
    with pytest.raises(BlobNotFound):
        await store.head(blob)
    etag = await store.complete_upload(blob, upload_id, tuple(parts))
    if quirks_of(store.backend).etag_is_md5:
        assert etag == f"{multipart_md5(part.etag for part in parts)}-3"
    info = await store.head(blob)
    assert info.etag == etag
    assert info.headers["x-amz-meta-domicile"] == "stamp"
    assert await got(store, blob) == b"".join(bodies)
    assert await store.list_uploads(blob) == ()
    assert [key for key, _, _ in (await store.list_blobs(namespace)).entries] == [blob.blob_key]


async def send(store: BlobStore, blob: Blob, upload_id: str, number: int, body: bytes) -> Part:
    sink = await store.open_part(blob, upload_id, number, len(body))
    await sink.write(body)
    return Part(number, len(body), await sink.finish())


async def test_parts_come_in_any_order_again_and_with_gaps(store, namespace):
    blob = Blob("fi", namespace, "a")
    upload_id = await store.create_upload(blob, {})
    last = await send(store, blob, upload_id, 10_000, b"end")
    if store.backend.quirks != "ceph":  # it wants every part listed that was ever sent
        await send(store, blob, upload_id, 7, b"left out")
    for body in (bytes(5 * 2**20), os.urandom(5 * 2**20)):
        first = await send(store, blob, upload_id, 3, body)
    with pytest.raises(BlobMismatch):
        await store.complete_upload(blob, upload_id, (Part(3, 5 * 2**20, md5(b"other")), last))
    with pytest.raises(BlobMismatch):
        await store.complete_upload(blob, upload_id, (first, Part(4, 3, md5(b"end"))))
    with pytest.raises(BlobNotFound):
        await store.head(blob)
    await store.complete_upload(blob, upload_id, (first, last))
    assert await got(store, blob) == body + b"end"
    assert [key for key, _, _ in (await store.list_blobs(namespace)).entries] == [blob.blob_key]


async def test_an_upload_that_is_gone(store, namespace):
    blob = Blob("fi", namespace, "a")
    upload_id = await store.create_upload(blob, {})
    await store.abort_upload(blob, upload_id)
    await store.abort_upload(blob, upload_id)
    assert await store.list_uploads(blob) == ()
    sink = await store.open_part(blob, upload_id, 1, 1)
    await sink.write(b"x")
    with pytest.raises(UploadNotFound):
        await sink.finish()
    with pytest.raises(UploadNotFound):
        await store.list_parts(blob, upload_id)
    with pytest.raises(UploadNotFound):
        await store.complete_upload(blob, upload_id, (Part(1, 1, md5(b"x")),))


async def test_listing_in_pages(store, namespace, monkeypatch):
    monkeypatch.setattr("domicile_common.backends.s3.PAGE_KEYS", 3)
    keys = {f"a/{name}" for name in ("1", "2", "3 +", "4/x", "4!", "é", "7")} | {"b/8"}
    for key in keys:
        await put(store, Blob("fi", namespace, key), b"x")
    seen: list[str] = []
    after = ""
    while True:
        page = await store.list_blobs(namespace, "a/", after)
        seen += [key for key, _, _ in page.entries]
        if not page.next:
            break
        after = page.next
    assert sorted(seen) == sorted(keys - {"b/8"})


async def test_a_wrong_secret_is_refused(server, namespace):
    stranger = open_store(registered(server), "not the secret")
    for call in (
        stranger.head(Blob("fi", namespace, "a")),
        stranger.list_blobs(namespace),
        stranger.ensure_namespace("s3gw-mine"),
        put(stranger, Blob("fi", namespace, "a"), b"x"),
    ):
        with pytest.raises(BackendRefused):
            await call
    await stranger.close()


async def test_a_big_put_that_is_refused_does_not_wait_for_the_end(server, namespace):
    stranger = open_store(registered(server), "not the secret")
    with pytest.raises((BackendRefused, BackendUnavailable)):  # the server may close before its answer is read
        await put(stranger, Blob("fi", namespace, "a"), bytes(64 * 2**20))
    await stranger.close()
