from __future__ import annotations

import base64
import hashlib
import os

import msgspec
import pytest

from domicile_common.checksums import multipart_md5
from domicile_common.errors import BackendUnavailable
from domicile_common.metadata_client.models import Begin, Commit, Located
from domicile_common.model import Digest, Part

BODY = os.urandom(700_000)


@pytest.fixture
async def source(proxy):
    headers = {"content-type": "text/plain", "x-amz-meta-color": "blue", "x-amz-tagging": "a=1", "cache-control": "no-store"}
    await proxy.ask("PUT", "/bucket/source", headers, BODY)
    await proxy.ask("PUT", "/bucket/empty", body=b"")
    proxy.metadata.asked.clear()
    return proxy


async def copy(proxy, to: str, source: str, **headers: str):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return await proxy.ask("PUT", to, {"x-amz-copy-source": source} | fields, b"")


async def test_a_copy_takes_bytes_headers_metadata_and_tags_along(source):
    answer = await copy(source, "/bucket/copy", "/bucket/source")
    assert (answer.status, b"<CopyObjectResult" in answer.body) == (200, True)
    assert hashlib.md5(BODY, usedforsecurity=False).hexdigest().encode() in answer.body
    got = await source.ask("GET", "/bucket/copy")
    assert got.body == BODY
    expected = {"content-type": "text/plain", "x-amz-meta-color": "blue", "cache-control": "no-store", "x-amz-tagging-count": "1"}
    assert expected.items() <= got.headers.items()


async def test_a_copy_has_a_blob_and_a_whole_stamp_of_its_own(source):
    await copy(source, "/bucket/copy", "bucket/source")
    assert len([place for place in source.stores["fi"].blobs if place[1].startswith(("copy", "source"))]) == 2
    commit = next(call for call in source.metadata.asked if isinstance(call, Commit))
    assert commit.stored[0].stamped


async def test_replace_takes_what_the_request_says(source):
    await copy(
        source, "/bucket/copy", "bucket/source", x_amz_metadata_directive="REPLACE", x_amz_meta_size="big", content_type="a/b"
    )
    got = await source.ask("HEAD", "/bucket/copy")
    assert (got.headers["content-type"], got.headers["x-amz-meta-size"]) == ("a/b", "big")
    assert "x-amz-meta-color" not in got.headers
    assert got.headers["x-amz-tagging-count"] == "1"


async def test_a_body_is_refused_where_it_would_be_ignored(source):
    answer = await source.ask("PUT", "/bucket/copy", {"x-amz-copy-source": "bucket/source"}, b"a body")
    assert (answer.status, answer.code) == (400, "InvalidRequest")


async def test_an_empty_object_is_copied(source):
    assert (await copy(source, "/bucket/copy", "bucket/empty")).status == 200
    assert (await source.ask("GET", "/bucket/copy")).body == b""


async def test_a_copy_to_itself_must_change_something(source):
    answer = await copy(source, "/bucket/source", "bucket/source")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert not source.metadata.count(Begin)
    assert (await copy(source, "/bucket/source", "bucket/source", x_amz_metadata_directive="REPLACE")).status == 200
    assert (await copy(source, "/bucket/source", "bucket/source", x_amz_storage_class="STANDARD_IA")).status == 200
    assert (await source.ask("GET", "/bucket/source")).body == BODY


@pytest.mark.parametrize(
    "value, code",
    [
        ("", "InvalidArgument"),
        ("bucket", "InvalidArgument"),
        ("bucket/", "InvalidArgument"),
        ("/bucket/none", "NoSuchKey"),
        ("B!/key", "InvalidArgument"),
        ("bucket/%zz", "InvalidArgument"),
        ("bucket/a%00?versionId=", "NoSuchKey"),
    ],
)
async def test_sources_that_are_none(source, value, code):
    assert (await copy(source, "/bucket/copy", value)).code == code


async def test_an_unknown_directive_is_refused(source):
    answer = await copy(source, "/bucket/copy", "bucket/source", x_amz_metadata_directive="MERGE")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


async def test_source_conditions(source):
    etag = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    assert (
        await copy(source, "/bucket/copy", "bucket/source", x_amz_copy_source_if_none_match=etag)
    ).code == "PreconditionFailed"
    assert (await copy(source, "/bucket/copy", "bucket/source", x_amz_copy_source_if_match=etag)).status == 200


async def test_a_target_that_fails_is_replaced_although_bytes_have_flowed(source):
    source.stores["fi"].break_writes_at = 300_000
    assert (await copy(source, "/bucket/copy", "bucket/source")).status == 200
    assert [place[1].split("/")[0] for place in source.stores["de"].blobs] == ["copy"]
    assert not source.metadata.intents


async def test_a_source_that_cannot_be_read_leaves_nothing_behind(source):
    source.stores["fi"].failing["open_get"] = BackendUnavailable("fi", "refused")
    answer = await copy(source, "/bucket/copy", "bucket/source")
    assert (answer.status, answer.code) == (503, "SlowDown")
    assert not source.metadata.intents


async def test_a_copy_of_other_bytes_than_recorded_is_refused(source):
    store = source.stores["fi"]
    store.etag = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    ((place, (_, headers)),) = ((place, blob) for place, blob in store.blobs.items() if place[1].startswith("source"))
    store.blobs[place] = (bytes(len(BODY)), headers)
    assert (await copy(source, "/bucket/copy", "bucket/source")).status == 503
    assert (await source.ask("HEAD", "/bucket/copy")).status == 404


def make_multipart(proxy, sizes: list[int], **checksums: str) -> None:
    """As if the source had been uploaded in parts, without a checksum of the whole. ``checksums``: composite ones."""
    place = proxy.metadata.buckets["t", "bucket"].bucket_id, "source"
    located = proxy.metadata.objects[place]
    parts, at = [], 0
    for number, size in enumerate(sizes, 1):
        parts.append(Part(number, size, hashlib.md5(BODY[at : at + size], usedforsecurity=False).hexdigest()))
        at += size
    etag = multipart_md5(part.etag for part in parts)
    digest = Digest(len(BODY), etag, checksums, "COMPOSITE" if checksums else "FULL_OBJECT", parts=tuple(parts))
    version = msgspec.structs.replace(located.version, digest=digest)
    proxy.metadata.objects[place] = Located(version, located.replicas)


async def test_a_copy_of_parts_becomes_one_piece_with_an_etag_of_its_own(source):
    make_multipart(source, [300_000, 400_000])
    answer = await copy(source, "/bucket/copy", "bucket/source")
    assert answer.status == 200
    got = await source.ask("GET", "/bucket/copy", {"x-amz-checksum-mode": "ENABLED"})
    assert (got.body, got.headers["etag"]) == (BODY, f'"{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"')
    assert "x-amz-checksum-crc64nvme" in got.headers


async def test_a_copy_of_parts_keeps_their_algorithm(source):
    make_multipart(source, [300_000, 400_000], sha256="c29tZQ==-2")
    assert (await copy(source, "/bucket/copy", "bucket/source")).status == 200
    got = await source.ask("HEAD", "/bucket/copy", {"x-amz-checksum-mode": "ENABLED"})
    expected = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    assert (got.headers["x-amz-checksum-sha256"], got.headers["x-amz-checksum-type"]) == (expected, "FULL_OBJECT")


@pytest.mark.parametrize("place", [0, 299_999, 300_000, 699_999])
async def test_parts_are_compared_with_their_record_while_they_are_copied(source, place):
    make_multipart(source, [300_000, 400_000])
    bucket_id = source.metadata.buckets["t", "bucket"].bucket_id
    store = source.stores["fi"]
    store.etag = source.metadata.objects[bucket_id, "source"].version.digest.etag
    ((where, (_, headers)),) = ((place, blob) for place, blob in store.blobs.items() if place[1].startswith("source"))
    store.blobs[where] = (BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :], headers)
    answer = await copy(source, "/bucket/copy", "bucket/source")
    assert (answer.status, answer.code) == (503, "SlowDown")
    assert not [blob for blob in store.blobs if blob[1].startswith("copy")]


def verify(proxy) -> None:
    """As if the copies of the source had been verified, at backends that can copy by themselves."""
    place = proxy.metadata.buckets["t", "bucket"].bucket_id, "source"
    located = proxy.metadata.objects[place]
    replicas = tuple(msgspec.structs.replace(replica, verified=True) for replica in located.replicas)
    proxy.metadata.objects[place] = Located(located.version, replicas)
    for store in proxy.stores.values():
        store.backend = msgspec.structs.replace(store.backend, quirks="seaweedfs")


async def test_within_a_backend_no_byte_passes_here(source):
    verify(source)
    source.stores["fi"].failing["open_get"] = source.stores["fi"].failing["open_put"] = BackendUnavailable("fi", "refused")
    answer = await copy(source, "/bucket/copy", "bucket/source", x_amz_meta_a="b", x_amz_metadata_directive="REPLACE")
    assert (answer.status, source.stores["fi"].copied) == (200, 1)
    ((_, headers),) = [blob for place, blob in source.stores["fi"].blobs.items() if place[1].startswith("copy")]
    assert "x-amz-meta-domicile" in headers
    commit = next(call for call in source.metadata.asked if isinstance(call, Commit))
    assert commit.stored[0].stamped
    assert commit.digest.md5 == hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    assert (await source.ask("HEAD", "/bucket/copy", {"x-amz-checksum-mode": "ENABLED"})).headers["x-amz-checksum-crc64nvme"]


@pytest.mark.parametrize("hindrance", ["refusal", "other bytes", "not verified", "another checksum", "a quirk"])
async def test_what_a_backend_cannot_copy_streams_through(source, hindrance):
    verify(source)
    store, headers = source.stores["fi"], {}
    if hindrance == "refusal":
        store.failing["copy"] = BackendUnavailable("fi", "refused")
    elif hindrance == "not verified":
        place = source.metadata.buckets["t", "bucket"].bucket_id, "source"
        located = source.metadata.objects[place]
        unverified = tuple(msgspec.structs.replace(replica, verified=False) for replica in located.replicas)
        source.metadata.objects[place] = Located(located.version, unverified)
    elif hindrance == "another checksum":
        headers = {"x_amz_checksum_algorithm": "SHA256"}
    elif hindrance == "a quirk":
        store.backend = msgspec.structs.replace(store.backend, quirks="generic")
    else:
        copied = store.copy

        async def copy_badly(*args):
            await copied(*args)
            return "0" * 32

        store.copy = copy_badly
    assert (await copy(source, "/bucket/copy", "bucket/source", **headers)).status == 200
    assert (await source.ask("GET", "/bucket/copy")).body == BODY
    assert store.copied == (hindrance == "other bytes")
