from __future__ import annotations

import asyncio
import base64
import hashlib
import os

import msgspec
import pytest

from domicile_common.errors import BackendUnavailable, Unavailable
from domicile_common.metadata_client.health import DoubtCopies
from domicile_common.metadata_client.models import Locate
from domicile_proxy.health import Health
from domicile_proxy.operations.objects_read import READ_AT_ONCE
from domicile_proxy.operations.streams import best_first
from domicile_proxy.probing import probe
from domicile_proxy.reporting import report

SHORT = b"0123456789"
LONG = os.urandom(1_000_000)


@pytest.fixture
async def two_copies(proxy):
    """``/bucket/short`` and ``/bucket/long`` at ``fi`` and ``de``."""
    proxy.metadata.quorum = 2
    await proxy.ask("PUT", "/bucket/short", body=SHORT)
    await proxy.ask("PUT", "/bucket/long", body=LONG)
    return proxy


def blobs_of(store, name: str):
    return [place for place in store.blobs if place[1].startswith(name)]


def damage(store, name: str, content: bytes) -> None:
    for place in blobs_of(store, name):
        store.blobs[place] = (content, store.blobs[place][1])


@pytest.mark.parametrize(
    "asked, start, end",
    [("bytes=2-4", 2, 4), ("bytes=7-", 7, 9), ("bytes=-3", 7, 9), ("bytes=0-0", 0, 0), ("bytes=0-999", 0, 9)],
)
async def test_a_range(two_copies, asked, start, end):
    answer = await two_copies.ask("GET", "/bucket/short", {"range": asked})
    assert (answer.status, answer.body) == (206, SHORT[start : end + 1])
    assert answer.headers["content-range"] == f"bytes {start}-{end}/10"


async def test_a_range_past_the_end(two_copies):
    answer = await two_copies.ask("GET", "/bucket/short", {"range": "bytes=10-"})
    assert (answer.status, answer.code) == (416, "InvalidRange")


async def test_a_long_range_streams(two_copies):
    first, last = 100_001, 100_000 + 2 * READ_AT_ONCE
    answer = await two_copies.ask("GET", "/bucket/long", {"range": f"bytes={first}-{last}"})
    assert (answer.status, answer.body) == (206, LONG[first : last + 1])


async def test_conditions(two_copies):
    etag = f'"{hashlib.md5(SHORT, usedforsecurity=False).hexdigest()}"'
    answer = await two_copies.ask("GET", "/bucket/short", {"if-none-match": etag})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    answer = await two_copies.ask("GET", "/bucket/short", {"if-match": '"other"'})
    assert (answer.status, answer.code) == (412, "PreconditionFailed")


async def test_head_says_the_same_as_get_without_touching_a_backend(two_copies):
    got = await two_copies.ask("GET", "/bucket/long", {"x-amz-checksum-mode": "ENABLED"})
    for store in two_copies.stores.values():
        store.opened.clear()
    head = await two_copies.ask("HEAD", "/bucket/long", {"x-amz-checksum-mode": "ENABLED"})
    own = {"x-amz-request-id", "date"}
    assert {k: v for k, v in head.headers.items() if k not in own} == {k: v for k, v in got.headers.items() if k not in own}
    assert "x-amz-checksum-crc64nvme" in head.headers
    assert not any(store.opened for store in two_copies.stores.values())


async def test_overrides(two_copies):
    answer = await two_copies.ask("GET", "/bucket/short?response-content-type=text%2Fx")
    assert answer.headers["content-type"] == "text/x"
    answer = await two_copies.ask("GET", "/bucket/short?response-content-type=a%0D%0Ab")
    assert answer.status == 400


@pytest.mark.parametrize("name, body", [("short", SHORT), ("long", LONG)])
async def test_a_replica_that_cannot_be_opened_is_replaced(two_copies, name, body):
    two_copies.stores["fi"].failing["open_get"] = BackendUnavailable("fi", "refused")
    assert (await two_copies.ask("GET", f"/bucket/{name}")).body == body


@pytest.mark.parametrize("name, body", [("short", SHORT), ("long", LONG)])
async def test_a_replica_without_the_blob_is_replaced(two_copies, name, body):
    two_copies.stores["fi"].blobs.clear()
    assert (await two_copies.ask("GET", f"/bucket/{name}")).body == body
    assert two_copies.context.health.avoided() == ()
    await is_told(two_copies)


async def test_a_replica_that_breaks_off_is_replaced_from_the_byte_where_it_stopped(two_copies):
    two_copies.stores["fi"].break_reads_after = 400_123
    answer = await two_copies.ask("GET", "/bucket/long")
    assert answer.body == LONG
    assert two_copies.stores["de"].opened == [(400_123, None)]
    assert [store.open_sources for store in two_copies.stores.values()] == [0, 0]


async def test_a_range_breaks_off_and_goes_on(two_copies):
    two_copies.stores["fi"].break_reads_after = 200_000
    answer = await two_copies.ask("GET", "/bucket/long", {"range": "bytes=100000-899999"})
    assert answer.body == LONG[100_000:900_000]
    assert two_copies.stores["de"].opened == [(300_000, 899_999)]


async def test_the_only_replica_may_break_off_more_than_once(two_copies):
    two_copies.stores["de"].blobs.clear()
    two_copies.stores["fi"].break_reads_after = 300_000
    assert (await two_copies.ask("GET", "/bucket/long")).body == LONG


async def test_a_body_that_no_replica_can_end_is_cut_short_not_filled(two_copies):
    two_copies.stores["fi"].break_reads_after = 300_000

    original = two_copies.stores["fi"].open_get

    async def once(blob, start=0, end=None):
        if start:
            raise BackendUnavailable("fi", "gone")
        return await original(blob, start, end)

    two_copies.stores["fi"].open_get = once
    two_copies.stores["de"].failing["open_get"] = BackendUnavailable("de", "gone")
    answer = await two_copies.ask("GET", "/bucket/long")
    assert (answer.status, answer.whole, answer.body) == (200, False, LONG[:300_000])


@pytest.mark.parametrize("name", ["short", "long"])
async def test_nothing_readable_is_503_and_never_404(two_copies, name):
    two_copies.stores["fi"].failing["open_get"] = BackendUnavailable("fi", "refused")
    two_copies.stores["de"].blobs.clear()
    answer = await two_copies.ask("GET", f"/bucket/{name}")
    assert (answer.status, answer.code) == (503, "SlowDown")


@pytest.mark.parametrize("name, body", [("short", SHORT), ("long", LONG)])
@pytest.mark.parametrize("is_as_long", [False, True])
async def test_a_blob_of_another_size_or_etag_is_not_believed(two_copies, name, body, is_as_long):
    damage(two_copies.stores["fi"], name, bytes(len(body)) if is_as_long else b"something else")
    assert (await two_copies.ask("GET", f"/bucket/{name}")).body == body
    await is_told(two_copies)


async def is_told(proxy) -> None:
    """Of the copy at ``fi`` alone, and once."""
    doubts = proxy.context.health.untold()
    assert [doubt.blob.backend_id for doubt in doubts] == ["fi"]
    assert proxy.context.health.doubts(doubts[0].blob)
    proxy.metadata.failing[DoubtCopies] = Unavailable("away")
    await report(proxy.context, "observer")
    assert proxy.context.health.untold() == doubts
    del proxy.metadata.failing[DoubtCopies]
    await report(proxy.context, "observer")
    assert proxy.context.health.untold() == ()


async def test_bytes_that_differ_under_a_right_etag_are_read_elsewhere(two_copies):
    store = two_copies.stores["fi"]
    store.etag = hashlib.md5(SHORT, usedforsecurity=False).hexdigest()
    damage(store, "short", bytes(len(SHORT)))
    assert (await two_copies.ask("GET", "/bucket/short")).body == SHORT


async def test_bytes_are_checked_whatever_checksum_the_client_chose(two_copies):
    chosen = {"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(SHORT).digest()).decode()}
    assert (await two_copies.ask("PUT", "/bucket/chosen", chosen, SHORT)).status == 200
    store = two_copies.stores["fi"]
    store.etag = hashlib.md5(SHORT, usedforsecurity=False).hexdigest()
    damage(store, "chosen", bytes(len(SHORT)))
    answer = await two_copies.ask("GET", "/bucket/chosen", {"x-amz-checksum-mode": "ENABLED"})
    assert answer.body == SHORT
    assert [name for name in answer.headers if name.startswith("x-amz-checksum")] == [
        "x-amz-checksum-sha256",
        "x-amz-checksum-type",
    ]


async def test_a_long_body_that_differs_is_cut_short_and_read_elsewhere_when_asked_for_again(two_copies):
    store = two_copies.stores["fi"]
    store.etag = hashlib.md5(LONG, usedforsecurity=False).hexdigest()
    damage(store, "long", LONG[:-1] + bytes([LONG[-1] ^ 1]))
    answer = await two_copies.ask("GET", "/bucket/long")
    assert not answer.whole
    for _ in range(2):
        assert (await two_copies.ask("GET", "/bucket/long")).body == LONG
    await is_told(two_copies)


async def test_a_backend_that_failed_is_asked_last_until_it_recovers(two_copies):
    two_copies.stores["fi"].failing["open_get"] = BackendUnavailable("fi", "refused")
    await two_copies.ask("GET", "/bucket/short")
    two_copies.stores["fi"].failing.clear()
    await two_copies.ask("GET", "/bucket/short")
    assert two_copies.stores["fi"].opened == []
    two_copies.now = 2.0
    await probe(two_copies.context)
    for _ in range(3):
        await two_copies.ask("GET", "/bucket/short")
    assert len(two_copies.stores["fi"].opened) == 3


async def test_a_backend_that_is_still_away_stays_avoided(two_copies):
    two_copies.stores["fi"].failing |= dict.fromkeys(("open_get", "head"), BackendUnavailable("fi", "refused"))
    await two_copies.ask("GET", "/bucket/short")
    two_copies.now = 2.0
    await probe(two_copies.context)
    assert two_copies.context.health.avoided() == ("fi",)


async def test_among_copies_that_cost_the_same_the_fastest_is_read(two_copies):
    located = next(iter(two_copies.metadata.objects.values()))
    replicas = tuple(msgspec.structs.replace(replica, cost=1) for replica in located.replicas)
    health = Health(lambda: 0.0)
    health.answered("fi", 0.2)
    health.answered("de", 0.1)
    assert [replica.blob.backend_id for replica in best_first(replicas, health)] == ["de", "fi"]
    health.failed("de")
    assert [replica.blob.backend_id for replica in best_first(replicas, health)] == ["fi", "de"]


@pytest.mark.parametrize("name, body", [("short", SHORT), ("long", LONG)])
async def test_a_read_that_waits_too_long_asks_the_next_copy_as_well(two_copies, monkeypatch, name, body):
    monkeypatch.setitem(two_copies.context.settings.__dict__, "read_hedge_seconds", 0.01)
    slow, asked = asyncio.Event(), two_copies.stores["fi"].open_get

    async def wait(*args):
        await slow.wait()
        return await asked(*args)

    two_copies.stores["fi"].open_get = wait
    assert (await two_copies.ask("GET", f"/bucket/{name}")).body == body
    refused = asyncio.Event()

    async def refuse(*args):
        refused.set()
        raise BackendUnavailable("de", "refused")

    two_copies.stores["de"].open_get = refuse
    late = asyncio.create_task(two_copies.ask("GET", f"/bucket/{name}"))
    await refused.wait()
    slow.set()
    assert (await late).body == body


async def test_a_replica_outside_the_lock_is_never_opened(two_copies):
    bucket = two_copies.metadata.buckets["t", "bucket"]
    two_copies.metadata.buckets["t", "bucket"] = replace_policy(bucket, ("DE",))
    two_copies.context.directory.forget_everything()
    assert (await two_copies.ask("GET", "/bucket/short")).body == SHORT
    two_copies.stores["de"].failing["open_get"] = BackendUnavailable("de", "refused")
    assert (await two_copies.ask("GET", "/bucket/short")).status == 503
    assert two_copies.stores["fi"].opened == []


def replace_policy(bucket, countries):
    import msgspec

    return msgspec.structs.replace(bucket, policy=msgspec.structs.replace(bucket.policy, countries=countries))


async def test_a_version_that_was_replaced_meanwhile_is_located_again(two_copies):
    stale = two_copies.metadata.objects[two_copies.metadata.buckets["t", "bucket"].bucket_id, "short"]
    await two_copies.ask("PUT", "/bucket/short", body=b"newer")
    for store in two_copies.stores.values():
        for replica in stale.replicas:
            store.blobs.pop((replica.blob.namespace, replica.blob.blob_key), None)
    answers = [stale]
    original = two_copies.metadata.Locate
    two_copies.metadata.Locate = lambda request: answers.pop() if answers else original(request)
    assert (await two_copies.ask("GET", "/bucket/short")).body == b"newer"
    assert two_copies.metadata.count(Locate) == 2


async def test_a_client_that_leaves_ends_the_read(two_copies):
    huge = os.urandom(16 * 1024 * 1024)
    await two_copies.ask("PUT", "/bucket/huge", body=huge)
    async with two_copies.connection() as connection:
        connection.reader._limit = 1
        connection.send(two_copies.head("GET", "/bucket/huge"))
        await connection.reader.read(1000)
        assert two_copies.stores["fi"].open_sources == 1
        connection.writer.transport.abort()
    await two_copies.wait(lambda: two_copies.stores["fi"].open_sources == 0)
    assert two_copies.stores["fi"].delivered < len(huge) / 2


async def test_a_client_that_takes_nothing_does_not_hold_a_backend(two_copies):
    object.__setattr__(two_copies.context.settings, "client_idle_seconds", 0.2)
    await two_copies.ask("PUT", "/bucket/huge", body=os.urandom(16 * 1024 * 1024))
    async with two_copies.connection() as connection:
        connection.reader._limit = 1
        connection.send(two_copies.head("GET", "/bucket/huge"))
        await two_copies.wait(lambda: two_copies.stores["fi"].open_sources == 1)
        await two_copies.wait(lambda: two_copies.stores["fi"].open_sources == 0)


async def test_an_empty_object_needs_no_backend(two_copies):
    await two_copies.ask("PUT", "/bucket/empty", body=b"")
    for store in two_copies.stores.values():
        store.opened.clear()
    answer = await two_copies.ask("GET", "/bucket/empty")
    assert (answer.status, answer.headers["content-length"]) == (200, "0")
    assert (await two_copies.ask("GET", "/bucket/empty", {"range": "bytes=0-"})).code == "InvalidRange"
    assert not any(store.opened for store in two_copies.stores.values())
