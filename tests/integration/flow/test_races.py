"""Clients that get in each other's way, also through different proxies."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

pytestmark = pytest.mark.servers

CLIENTS = 8
T = TypeVar("T")


def at_once(action: Callable[[int], T], count: int = CLIENTS) -> list[T]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(action, range(count)))


def body_of(client: int, step: int = 0) -> bytes:
    """Short and long ones, each of which tells whose it is."""
    numbers = random.Random(f"{client} {step}")
    return numbers.randbytes(numbers.choice([20, 70_000, 200_000]))


@pytest.fixture(scope="module")
def other_proxy(domicile):
    with domicile.another("proxy") as service:
        yield f"http://127.0.0.1:{service.wiring.values['PROXY_PORT']}"


@pytest.fixture
def proxies(domicile, other_proxy):
    """Two ways to the same buckets, for even and odd clients."""
    return [domicile.raw(), domicile.raw(endpoint=other_proxy)]


def test_the_last_commit_wins_and_every_read_is_whole(domicile, proxies, bucket):
    written = {body_of(client, step) for client in range(CLIENTS) for step in range(6)}

    def client(number: int) -> None:
        raw = proxies[number % 2]
        for step in range(6):
            assert raw.send("PUT", f"/{bucket}/k", body_of(number, step)).status == 200
            assert raw.send("GET", f"/{bucket}/k").body in written

    at_once(client)
    seen = {raw.send("GET", f"/{bucket}/k").body for raw in proxies}
    assert len(seen) == 1
    copies = domicile.verified(bucket, "k")
    assert {domicile.read(copy) for copy in copies.values()} == seen
    domicile.idle()
    for backend_id, blobs in domicile.leftovers(bucket).items():
        assert [blob for blob in blobs if not blob.startswith(".domicile/")] == [copies[backend_id]["blob_key"]]


def test_one_of_many_that_must_be_first_is(proxies, bucket):
    def client(number: int) -> int:
        return proxies[number % 2].send("PUT", f"/{bucket}/k", body_of(number), {"if-none-match": "*"}).status

    statuses = at_once(client)
    assert sorted(statuses) == [200, *[412] * (CLIENTS - 1)]
    assert proxies[0].send("GET", f"/{bucket}/k").body == body_of(statuses.index(200))


def test_a_counter_under_if_match_loses_no_step(proxies, bucket):
    proxies[0].send("PUT", f"/{bucket}/k", b"0")

    def client(number: int) -> None:
        raw, done = proxies[number % 2], 0
        while done < 3:
            got = raw.send("GET", f"/{bucket}/k")
            put = raw.send("PUT", f"/{bucket}/k", b"%d" % (int(got.body) + 1), {"if-match": got.headers["etag"]})
            assert put.status in {200, 409, 412}
            done += put.status == 200

    at_once(client, 4)
    assert proxies[1].send("GET", f"/{bucket}/k").body == b"12"


def test_puts_deletes_and_reads_of_one_key(domicile, proxies, bucket):
    def client(number: int) -> None:
        raw = proxies[number % 2]
        for step in range(6):
            if number % 3 == 0:
                assert raw.send("DELETE", f"/{bucket}/k").status == 204
            else:
                assert raw.send("PUT", f"/{bucket}/k", body_of(number, step)).status == 200
            assert raw.send("GET", f"/{bucket}/k").status in {200, 404}

    at_once(client)
    assert proxies[0].send("DELETE", f"/{bucket}/k").status == 204
    assert proxies[1].send("GET", f"/{bucket}/k").code == "NoSuchKey"
    domicile.idle()
    assert domicile.leftovers(bucket) == {}


def test_a_bucket_is_made_once(domicile, proxies):
    def client(number: int) -> int:
        return proxies[number % 2].send("PUT", "/made-by-many").status

    assert set(at_once(client)) <= {200, 409}
    assert domicile.client().list_buckets(Prefix="made-by-many")["Buckets"][0]["Name"] == "made-by-many"
    for raw in proxies:
        assert raw.send("PUT", "/made-by-many/k", b"1").status == 200


def test_a_bucket_is_deleted_while_objects_are_put(domicile, proxies):
    """Whoever comes first: an object that was acknowledged is there, and a bucket that is gone left nothing."""
    for attempt in range(4):
        name = domicile.new_bucket()
        assert all(raw.send("GET", f"/{name}").status == 200 for raw in proxies)  # both know it

        def client(number: int, name: str = name) -> tuple[int, str]:
            raw = proxies[number % 2]
            answer = raw.send("DELETE", f"/{name}") if number == 0 else raw.send("PUT", f"/{name}/{number}", body_of(number))
            return answer.status, answer.code

        deleted, *puts = at_once(client)
        assert {code for _, code in puts} <= {"", "NoSuchBucket", "SlowDown"}, attempt
        stored = [str(number) for number, (status, _) in enumerate(puts, 1) if status == 200]
        assert deleted == ((409, "BucketNotEmpty") if stored else (204, ""))
        for raw in proxies:
            assert raw.send("GET", f"/{name}").texts("Key") == stored
        domicile.idle()
        assert bool(domicile.leftovers(name)) == bool(stored)


def test_a_bucket_made_anew_elsewhere_is_the_new_one_at_once(domicile, proxies):
    name = domicile.new_bucket()
    here, there = proxies
    assert there.send("PUT", f"/{name}/k", b"old").status == 200
    assert here.send("DELETE", f"/{name}/k").status == 204
    assert here.send("DELETE", f"/{name}").status == 204
    assert there.send("GET", f"/{name}/k").code in {"NoSuchBucket", "NoSuchKey"}
    location = b"<CreateBucketConfiguration><LocationConstraint>FI,DE</LocationConstraint></CreateBucketConfiguration>"
    assert here.send("PUT", f"/{name}", location).status == 200
    assert there.send("PUT", f"/{name}/k", b"new").status == 200
    assert here.send("GET", f"/{name}/k").body == b"new"
    assert there.send("GET", f"/{name}?location").texts("LocationConstraint") in ([], ["FI,DE"])


def test_one_upload_is_completed_by_many(domicile, proxies, bucket):
    raw = proxies[0]
    [upload] = raw.send("POST", f"/{bucket}/k?uploads").texts("UploadId")
    target = f"/{bucket}/k?uploadId={upload}"
    etag = raw.send("PUT", f"{target}&partNumber=1", body_of(1)).headers["etag"]
    document = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"

    def client(number: int) -> tuple[int, str]:
        answer = proxies[number % 2].send("POST", target, document.encode())
        return answer.status, answer.code

    answers = at_once(client)
    assert (200, "") in answers
    assert {status for status, _ in answers} <= {200, 404, 409, 503}, answers
    assert proxies[1].send("GET", f"/{bucket}/k").body == body_of(1)
    assert raw.send("POST", target, document.encode()).status == 200
    domicile.idle()
    assert {domicile.read(copy) for copy in domicile.verified(bucket, "k").values()} == {body_of(1)}


def test_an_upload_is_completed_by_one_and_aborted_by_another(domicile, proxies, bucket):
    """Who comes first is told so, the other one that there is no such upload; and what is there is whole, or nothing."""
    raw, won = proxies[0], {}
    for key in map(str, range(12)):
        [upload] = raw.send("POST", f"/{bucket}/{key}?uploads").texts("UploadId")
        target = f"/{bucket}/{key}?uploadId={upload}"
        etag = raw.send("PUT", f"{target}&partNumber=1", body_of(1)).headers["etag"]
        part = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        requests = [("POST", part.encode()), ("DELETE", b"")]

        def client(number: int, target: str = target, requests: list[tuple[str, bytes]] = requests) -> int:
            method, document = requests[number]
            return proxies[number].send(method, target, document).status

        completed, aborted = at_once(client, 2)
        assert (completed, aborted) in {(200, 404), (404, 204), (503, 204)}
        won[key] = completed == 200
    for key, is_there in won.items():
        got = raw.send("GET", f"/{bucket}/{key}")
        assert (got.status, got.body) == (200, body_of(1)) if is_there else got.code == "NoSuchKey"
    assert raw.send("GET", f"/{bucket}?uploads").texts("UploadId") == []
    domicile.idle()
    kept = {copy["blob_key"] for key in won if won[key] for copy in domicile.verified(bucket, key).values()}
    left = {blob for blobs in domicile.leftovers(bucket).values() for blob in blobs if not blob.startswith(".domicile/")}
    assert left == kept
