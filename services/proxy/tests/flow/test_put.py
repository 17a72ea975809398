from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import zlib

import msgspec
import pytest

from domicile_common.errors import BackendRefused, BackendUnavailable, NamespaceNotFound, RequestError, Unavailable
from domicile_common.metadata_client.models import Abort, Begin, Commit, Renew
from domicile_common.stamps import read_stamp
from domicile_proxy.operations import fan_out, intents
from domicile_proxy.probing import probe

SHORT = b"hello"
LONG = os.urandom(300_000)
CHUNKED = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-trailer": "x-amz-checksum-crc32"}


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def wrong_md5() -> dict[str, str]:
    return {"content-md5": base64.b64encode(bytes(16)).decode()}


def committed(proxy):
    return next(call for call in proxy.metadata.asked if isinstance(call, Commit))


@pytest.mark.parametrize("body", [b"", SHORT, LONG], ids=["empty", "short", "long"])
async def test_what_is_put_is_stored_recorded_and_answered(proxy, body):
    answer = await proxy.ask("PUT", "/bucket/a/key", {"content-type": "text/plain", "x-amz-meta-color": "blue"}, body)
    assert (answer.status, answer.headers["etag"]) == (200, etag(body))
    assert answer.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert "x-amz-checksum-crc64nvme" in answer.headers
    assert proxy.stores["fi"].lone_blob() == body
    got = await proxy.ask("GET", "/bucket/a/key")
    assert (got.body, got.headers["x-amz-meta-color"], got.headers["content-type"]) == (body, "blue", "text/plain")


async def test_the_backend_is_told_what_bytes_to_take(proxy):
    """A write that was given up, and garbled, does not come to its end late in the place of the copy that was made instead."""
    await proxy.ask("PUT", "/bucket/key", body=SHORT)
    ((_, headers),) = proxy.stores["fi"].blobs.values()
    assert headers["content-md5"] == base64.b64encode(hashlib.md5(SHORT, usedforsecurity=False).digest()).decode()


async def test_the_intent_comes_before_the_first_byte_and_the_commit_after_the_last(proxy):
    seen = []
    proxy.metadata.before[Begin] = lambda: seen.append(("begin", proxy.stores["fi"].written))
    proxy.metadata.before[Commit] = lambda: seen.append(("commit", proxy.stores["fi"].written))
    await proxy.ask("PUT", "/bucket/key", body=LONG)
    assert seen == [("begin", 0), ("commit", len(LONG))]


@pytest.mark.parametrize("body", [SHORT, LONG], ids=["short", "long"])
async def test_a_quorum_of_two_is_two_blobs_before_the_answer(proxy, body):
    proxy.metadata.quorum = 2
    await proxy.ask("PUT", "/bucket/key", body=body)
    assert [store.lone_blob() for store in proxy.stores.values()] == [body, body]
    assert {item.backend_id for item in committed(proxy).stored} == {"fi", "de"}


@pytest.mark.parametrize("body", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("failure", ["open", "write", "finish", "other etag", "slow"])
async def test_a_write_goes_on_without_a_backend_that_it_does_not_need(proxy, monkeypatch, body, failure):
    monkeypatch.setattr(fan_out, "LATE_SECONDS", 0.05)
    proxy.metadata.width = 2
    fi = proxy.stores["fi"]
    match failure:
        case "open":
            fi.failing["open_put"] = BackendUnavailable("fi", "away")
        case "write":
            fi.break_writes_at = len(body) // 2
        case "finish":
            fi.failing["finish"] = BackendUnavailable("fi", "away")
        case "other etag":
            fi.stored_etag = "0" * 32
        case "slow":
            fi.finishing = asyncio.Event()
    answer = await proxy.ask("PUT", "/bucket/key", body=body)
    assert (answer.status, answer.headers["etag"]) == (200, etag(body))
    assert proxy.metadata.count(Begin) == 1
    assert [item.backend_id for item in committed(proxy).stored] == ["de"]
    assert proxy.stores["de"].lone_blob() == body
    assert fi.aborted or failure == "open"


async def test_a_wide_write_that_finds_no_quorum_is_no_write(proxy):
    proxy.metadata.width = 2
    for store in proxy.stores.values():
        store.break_writes_at = 1
    assert (await proxy.ask("PUT", "/bucket/key", body=LONG)).status == 503
    assert not any(store.blobs for store in proxy.stores.values())
    assert not proxy.metadata.intents


async def test_a_short_body_is_stamped_with_its_checksum_a_long_one_is_owed_its_sidecar(proxy):
    await proxy.ask("PUT", "/bucket/key", body=SHORT)
    ((_, headers),) = proxy.stores["fi"].blobs.values()
    stamp = read_stamp(headers)
    assert (stamp.bucket, stamp.key, stamp.tenant_id) == ("bucket", "key", "t")
    assert stamp.digest.md5 == hashlib.md5(SHORT, usedforsecurity=False).hexdigest()
    assert committed(proxy).stored[0].stamped
    proxy.metadata.asked.clear()
    await proxy.ask("PUT", "/bucket/long", body=LONG)
    assert not committed(proxy).stored[0].stamped


async def test_where_metadata_does_not_last_a_sidecar_is_owed(proxy):
    store = proxy.stores["fi"]
    store.backend = msgspec.structs.replace(store.backend, quirks="rclone")
    await proxy.ask("PUT", "/bucket/key", body=SHORT)
    assert not committed(proxy).stored[0].stamped


async def test_a_long_body_whose_digests_are_promised_is_stamped(proxy):
    headers = {
        "content-md5": base64.b64encode(hashlib.md5(LONG, usedforsecurity=False).digest()).decode(),
        "x-amz-checksum-crc32": base64.b64encode(zlib.crc32(LONG).to_bytes(4, "big")).decode(),
    }
    answer = await proxy.ask("PUT", "/bucket/long", headers, LONG)
    assert answer.headers["x-amz-checksum-crc32"] == headers["x-amz-checksum-crc32"]
    assert committed(proxy).stored[0].stamped


async def test_the_trailing_checksum_of_an_sdk_is_verified(proxy):
    def framed(checksum: int) -> bytes:
        trailer = base64.b64encode(checksum.to_bytes(4, "big"))
        return b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(LONG), LONG, trailer)

    headers = CHUNKED | {"x-amz-decoded-content-length": str(len(LONG)), "content-encoding": "aws-chunked"}
    answer = await proxy.ask("PUT", "/bucket/good", headers, framed(zlib.crc32(LONG)))
    assert (answer.status, answer.headers["etag"]) == (200, etag(LONG))
    answer = await proxy.ask("PUT", "/bucket/bad", headers, framed(1))
    assert (answer.status, answer.code) == (400, "BadDigest")
    got = await proxy.ask("GET", "/bucket/good")
    assert got.body == LONG
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("body", [SHORT, LONG], ids=["short", "long"])
async def test_a_body_that_is_not_what_was_said_leaves_nothing_behind(proxy, body):
    answer = await proxy.ask("PUT", "/bucket/key", wrong_md5(), body)
    assert (answer.status, answer.code) == (400, "BadDigest")
    assert not any(store.blobs for store in proxy.stores.values())
    assert not proxy.metadata.intents
    assert (await proxy.ask("GET", "/bucket/key")).code == "NoSuchKey"


async def test_the_last_piece_of_a_bad_body_never_reaches_a_backend(proxy):
    await proxy.ask("PUT", "/bucket/key", wrong_md5(), LONG)
    assert 0 < proxy.stores["fi"].written < len(LONG)
    assert proxy.stores["fi"].aborted


async def test_a_refusal_in_the_head_leaves_the_body_unread(proxy):
    for headers in ({"content-md5": "nonsense"}, {"x-amz-storage-class": "TAPE"}, {"if-modified-since": "abc"}):
        async with proxy.connection() as connection:
            connection.send(proxy.head("PUT", "/bucket/key", headers | {"expect": "100-continue"}, length=5))
            assert (await connection.answer()).status in (400, 501)
    assert not proxy.metadata.count(Begin)


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind(proxy):
    async with proxy.connection() as connection:
        connection.send(proxy.head("PUT", "/bucket/key", length=len(LONG)) + LONG[:200_000])
        await proxy.wait(lambda: proxy.metadata.count(Begin) == 1)
    await proxy.wait(lambda: not proxy.metadata.intents)
    assert proxy.stores["fi"].aborted == 1
    assert not proxy.stores["fi"].blobs


@pytest.mark.parametrize("body", [SHORT, LONG], ids=["short", "long"])
async def test_a_backend_that_cannot_be_opened_is_avoided_by_another_placement(proxy, body):
    proxy.stores["fi"].failing["open_put"] = BackendUnavailable("fi", "refused")
    assert (await proxy.ask("PUT", "/bucket/key", body=body)).status == 200
    assert proxy.stores["de"].lone_blob() == body
    assert proxy.metadata.count(Abort) == 1
    assert (await proxy.ask("PUT", "/bucket/key2", body=body)).status == 200
    begins = [call.avoid for call in proxy.metadata.asked if isinstance(call, Begin)]
    assert begins == [(), ("fi",), ("fi",)]


async def test_a_backend_that_serves_again_is_not_avoided_any_more(proxy):
    proxy.stores["fi"].failing["open_put"] = BackendUnavailable("fi", "refused")
    await proxy.ask("PUT", "/bucket/key", body=SHORT)
    proxy.stores["fi"].failing.clear()
    proxy.now = 1.5
    await probe(proxy.context)
    for _ in range(3):
        await proxy.ask("PUT", "/bucket/key", body=SHORT)
    assert [call.avoid for call in proxy.metadata.asked if isinstance(call, Begin)][-3:] == [(), (), ()]


async def test_a_short_body_survives_a_backend_that_fails_in_the_end(proxy):
    proxy.stores["fi"].failing["finish"] = BackendUnavailable("fi", "500")
    assert (await proxy.ask("PUT", "/bucket/key", body=SHORT)).status == 200
    assert proxy.stores["de"].lone_blob() == SHORT


async def test_a_long_body_cannot_be_had_twice(proxy):
    proxy.stores["fi"].break_writes_at = 100_000
    answer = await proxy.ask("PUT", "/bucket/key", body=LONG)
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert not proxy.metadata.intents
    assert not any(store.blobs for store in proxy.stores.values())


async def test_one_tenants_odd_key_does_not_make_a_backend_look_ill(proxy):
    proxy.stores["fi"].failing["finish"] = BackendRefused("fi", "400 InvalidArgument")
    assert (await proxy.ask("PUT", "/bucket/odd", body=SHORT)).status == 200
    assert proxy.context.health.avoided() == ()


async def test_attempts_are_bounded(proxy):
    for store in proxy.stores.values():
        store.failing["open_put"] = NamespaceNotFound(store.backend.backend_id, "NoSuchBucket")
    answer = await proxy.ask("PUT", "/bucket/key", body=SHORT)
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert proxy.metadata.count(Begin) == proxy.metadata.count(Abort) == 3


async def test_a_namespace_deleted_behind_our_back_is_made_again(proxy):
    await proxy.ask("PUT", "/bucket/first", body=SHORT)
    store = proxy.stores["fi"]
    store.namespaces.clear()
    store.blobs.clear()
    assert (await proxy.ask("PUT", "/bucket/key", body=SHORT)).status == 200
    assert store.lone_blob() == SHORT
    assert [call.avoid for call in proxy.metadata.asked if isinstance(call, Begin)] == [(), (), ()]


async def test_a_long_body_into_a_lost_namespace_succeeds_when_it_comes_again(proxy):
    store = proxy.stores["fi"]
    store.failing["finish"] = NamespaceNotFound("fi", "NoSuchBucket")
    store.known_namespaces.add("ns-fi")
    assert (await proxy.ask("PUT", "/bucket/key", body=LONG)).status == 503
    store.failing.clear()
    assert (await proxy.ask("PUT", "/bucket/key", body=LONG)).status == 200


async def test_an_etag_that_is_not_the_md5_is_no_stored_blob(proxy):
    for store in proxy.stores.values():
        store.stored_etag = "0" * 32
    answer = await proxy.ask("PUT", "/bucket/key", body=LONG)
    assert answer.status == 503
    assert not proxy.metadata.intents


async def test_if_none_match_is_decided_by_the_commit(proxy):
    only_new = {"if-none-match": "*"}
    assert (await proxy.ask("PUT", "/bucket/key", only_new, SHORT)).status == 200
    answer = await proxy.ask("PUT", "/bucket/key", only_new, b"other")
    assert (answer.status, answer.code) == (412, "PreconditionFailed")
    assert (await proxy.ask("GET", "/bucket/key")).body == SHORT


async def test_a_commit_without_an_answer_is_abandoned(proxy):
    proxy.metadata.failing[Commit] = Unavailable("no answer")
    answer = await proxy.ask("PUT", "/bucket/key", body=SHORT)
    assert (answer.status, answer.code) == (503, "SlowDown")
    assert proxy.metadata.count(Abort) == 1


async def test_a_policy_refusal_reaches_the_client(proxy):
    proxy.metadata.failing[Begin] = RequestError("InvalidRequest", "no backend in FI", {"Rule": "region_lock"})
    answer = await proxy.ask("PUT", "/bucket/key", body=SHORT)
    assert answer.status == 400
    assert b"<Rule>region_lock</Rule>" in answer.body


async def test_a_long_upload_renews_its_intent(proxy, monkeypatch):
    monkeypatch.setattr(intents, "SHORTEST_RENEWAL", 0.01)
    proxy.metadata.intent_seconds = 0.03
    async with proxy.connection() as connection:
        connection.send(proxy.head("PUT", "/bucket/key", length=len(LONG)) + LONG[:100_000])
        await proxy.wait(lambda: proxy.metadata.count(Renew) >= 2)
        connection.send(LONG[100_000:])
        assert (await connection.answer()).status == 200
    await proxy.wait(lambda: "_renew" not in {task.get_coro().__name__ for task in asyncio.all_tasks()})


async def test_delete_is_204_also_when_there_is_nothing(proxy):
    await proxy.ask("PUT", "/bucket/key", body=SHORT)
    for _ in range(2):
        answer = await proxy.ask("DELETE", "/bucket/key")
        assert (answer.status, answer.body) == (204, b"")
    assert (await proxy.ask("GET", "/bucket/key")).code == "NoSuchKey"


async def test_a_lock_wants_a_checksum(proxy):
    lock = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2999-01-01T00:00:00Z"}
    answer = await proxy.ask("PUT", "/bucket/key", lock, SHORT)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert not proxy.metadata.count(Begin)
    md5 = base64.b64encode(hashlib.md5(SHORT, usedforsecurity=False).digest()).decode()
    assert (await proxy.ask("PUT", "/bucket/key", lock | {"content-md5": md5}, SHORT)).status == 200
    begin = next(call for call in proxy.metadata.asked if isinstance(call, Begin))
    assert begin.lock.mode == "GOVERNANCE"
