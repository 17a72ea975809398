"""A backend dies: reads go on from another copy, writes go elsewhere, and it receives what it is owed when it comes back."""

from __future__ import annotations

import hashlib
import http.client
import socket
from contextlib import closing, suppress
from dataclasses import dataclass

import httpx
import pytest

from domicile_common.testing.installation import Installation, until
from domicile_common.testing.links import Link, Links
from domicile_common.testing.noise import noise
from domicile_common.testing.private import private_backend
from domicile_local.servers import ports
from domicile_local.servers.s3 import S3Server

pytestmark = pytest.mark.servers

MIB = 1024 * 1024


@dataclass
class World:
    """``fi`` can be killed; the way to ``de`` can be cut, stalled and broken. Reads prefer the one that ``prefer`` names."""

    domicile: Installation
    fi: S3Server
    de: Link

    def prefer(self, backend_id: str) -> None:
        for each in self.domicile.backends:
            self.domicile.register(each, cost=1 if each == backend_id else 100)
        until(lambda: not self.avoided(), what="what failed before has been tried again")

    def avoided(self) -> list[str]:
        page = httpx.get(f"{self.domicile.suite.services['proxy'].health}/metrics", trust_env=False).text
        return [
            line for line in page.splitlines() if line.startswith("domicile_proxy_backend_avoided{") and line.endswith(" 1.0")
        ]


@pytest.fixture(scope="module")
def world(tmp_path_factory, open_installation, backends):
    real = {backend.backend_id: backend for backend in backends}
    with (
        private_backend(tmp_path_factory.mktemp("fi"), "fi", "FI") as fi,
        Links({"de": (ports.take(), real["de"].port)}) as links,
        open_installation(
            backends=[fi.backend, real["de"]],
            links={"de": links.by_name["de"].port},
            BACKEND_IDLE_SECONDS="3",
            INTENT_SECONDS="5",
        ) as domicile,
    ):
        yield World(domicile, fi, links.by_name["de"])


@pytest.fixture
def domicile(world):
    yield world.domicile
    world.domicile.mend()
    world.de.heal()
    if not world.fi.child.alive:
        world.fi.start()
        world.fi.wait_ready()


@pytest.fixture(scope="module")
def body() -> bytes:
    return noise(40 * MIB)


@pytest.fixture
def large(domicile, bucket, body):
    """The target of a large object that is verified at both backends."""
    domicile.client().put_object(Bucket=bucket, Key="large", Body=body)
    domicile.verified(bucket, "large", seconds=60)
    return f"/{bucket}/large"


def read_half(connection: socket.socket, body: bytes) -> bytes:
    """The head and some of the body, no more than a quarter."""
    received = b""
    while len(received) < len(body) // 4:
        received += connection.recv(64 * 1024)
    head, _, beginning = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return beginning


def read_rest(connection: socket.socket, received: bytes, size: int) -> bytes:
    pieces = [received]
    left = size - len(received)
    while left and (piece := connection.recv(1024 * 1024)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def test_a_read_goes_on_when_its_backend_is_killed(world, domicile, large, body):
    world.prefer("fi")
    raw = domicile.raw()
    host, port = raw.address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        connection.sendall(raw.prepare("GET", large).head())
        beginning = read_half(connection, body)
        world.fi.kill()
        assert read_rest(connection, beginning, len(body)) == body
    assert raw.send("GET", large).body == body


def test_a_client_that_downloads_a_gigabyte_does_not_notice_that_its_backend_is_killed(world, domicile, bucket, tmp_path):
    world.prefer("fi")
    sent, received = hashlib.sha256(), hashlib.sha256()
    rest = noise(MIB - 8)
    with (tmp_path / "gigabyte").open("wb") as file:
        for number in range(1024):
            piece = number.to_bytes(8, "big") + rest
            sent.update(piece)
            file.write(piece)
    s3 = domicile.fresh_client(domicile.keys["one"])
    s3.upload_file(str(tmp_path / "gigabyte"), bucket, "gigabyte")
    domicile.verified(bucket, "gigabyte", seconds=180)
    with closing(s3.get_object(Bucket=bucket, Key="gigabyte")["Body"]) as body:
        for number, piece in enumerate(body.iter_chunks(MIB)):
            received.update(piece)
            if number == 200:
                world.fi.kill()
    assert received.digest() == sent.digest()


@pytest.mark.parametrize("after", [0, 1, 5 * MIB, 40 * MIB - 100])
def test_a_read_goes_on_when_the_way_to_its_backend_breaks(world, domicile, large, body, after):
    world.prefer("de")
    world.de.break_after(after)
    assert domicile.raw().send("GET", large).body == body
    world.de.heal()
    world.de.break_after(after)
    answer = domicile.raw().send("GET", large, headers={"range": f"bytes=1000-{30 * MIB}"})
    assert answer.body == body[1000 : 30 * MIB + 1]


def test_a_read_goes_on_when_its_backend_falls_silent(world, domicile, large, body):
    world.prefer("de")
    assert domicile.raw().send("GET", large).body == body
    world.de.stall()
    assert domicile.raw().send("GET", large).body == body


def tampered(domicile, copy, content: bytes | None) -> None:
    """What a backend may do to a blob behind our back."""
    place = {"Bucket": copy["namespace"], "Key": copy["blob_key"]}
    s3 = domicile.at(copy["backend_id"])
    if content is None:
        s3.delete_object(**place)
    else:
        s3.put_object(**place, Body=content)


def held(domicile, copy) -> bytes | None:
    try:
        return domicile.read(copy)
    except domicile.at(copy["backend_id"]).exceptions.NoSuchKey:
        return None


@pytest.mark.parametrize("size", [1000, 3 * MIB], ids=["short", "long"])
@pytest.mark.parametrize("damage", ["other bytes", "cut off", "gone"])
def test_a_damaged_copy_is_not_served(world, domicile, bucket, size, damage):
    world.prefer("de")
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket}/k", noise(size)).status == 200
    copy = domicile.verified(bucket, "k")["de"]
    other = noise(size)[:-1] + b"x"
    tampered(domicile, copy, {"other bytes": other, "cut off": noise(size)[:-1], "gone": None}[damage])
    assert raw.send("GET", f"/{bucket}/k").body == noise(size)
    until(lambda: held(domicile, copy) == noise(size), what="what the read has met is repaired")
    domicile.verified(bucket, "k")
    assert raw.send("GET", f"/{bucket}/k", headers={"range": "bytes=-5"}).body == noise(size)[-5:]


@pytest.mark.parametrize("size", [1000, 30 * MIB], ids=["short", "long"])
def test_a_damaged_source_is_not_copied(world, domicile, bucket, size):
    world.prefer("fi")
    domicile.suite.services["replicator"].kill()
    body = noise(size)
    domicile.client().put_object(Bucket=bucket, Key="k", Body=body)
    copies = domicile.replicas(bucket, "k")
    tampered(domicile, copies["fi"], body[:-1] + b"x")
    domicile.start("replicator", REPLICATOR_MULTIPART_BYTES=str(8 * MIB))
    until(lambda: domicile.replicas(bucket, "k")["de"]["attempt"] >= 1, what="the copy has been tried")
    assert domicile.replicas(bucket, "k")["de"]["state"] == "wanted"
    assert domicile.blobs("de", copies["de"]["namespace"]) == {}
    tampered(domicile, copies["fi"], body)
    assert all(domicile.read(copy) == body for copy in domicile.verified(bucket, "k").values())
    assert domicile.uploads("de", copies["de"]["namespace"]) == []


def test_a_physical_bucket_that_somebody_deleted_is_made_again(world, domicile, bucket):
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket}/k", b"1").status == 200
    for backend_id, copy in domicile.verified(bucket, "k").items():
        tampered(domicile, copy, None)
        domicile.at(backend_id).delete_bucket(Bucket=copy["namespace"])
    for key, size in (("short", 1000), ("long", 300_000)):
        assert until(lambda key=key, size=size: raw.send("PUT", f"/{bucket}/{key}", noise(size)).status == 200)
        assert all(domicile.read(copy) == noise(size) for copy in domicile.verified(bucket, key).values())


def test_a_backend_that_no_longer_lets_us_in_is_done_without(world, domicile, bucket):
    world.prefer("de")
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket}/before", b"1").status == 200
    domicile.verified(bucket, "before")
    domicile.register("de", secret_key="no-longer-this-one")
    try:
        until(lambda: raw.send("PUT", f"/{bucket}/while", b"2").status == 200 and "fi" in written_to(domicile, bucket, "while"))
        assert raw.send("PUT", f"/{bucket}/while-long", noise(300_000)).status == 200
        for key, content in (("before", b"1"), ("while", b"2"), ("while-long", noise(300_000))):
            assert raw.send("GET", f"/{bucket}/{key}").body == content
    finally:
        domicile.register("de", secret_key=domicile.backends["de"].secret_key)
    for key in ("while", "while-long"):
        assert sorted(domicile.verified(bucket, key, seconds=60)) == ["de", "fi"]


def written_to(domicile, bucket: str, key: str) -> list[str]:
    return domicile.admin("GET", "/placement", tenant="one", bucket=bucket, key=key)["version"]["decision"]["write"]


def test_without_any_copy_a_read_is_put_off(world, domicile, bucket):
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket}/k", b"1").status == 200
    domicile.verified(bucket, "k")
    world.de.cut()
    world.fi.kill()
    assert raw.send("GET", f"/{bucket}/k").status == 503
    assert raw.send("HEAD", f"/{bucket}/k").status == 200
    world.de.heal()
    assert until(lambda: (got := raw.send("GET", f"/{bucket}/k")).status == 200 and got).body == b"1"


def test_writes_go_elsewhere_and_the_copies_come_later(world, domicile, bucket):
    world.prefer("fi")
    s3 = domicile.client()
    s3.put_object(Bucket=bucket, Key="before", Body=b"0")
    domicile.idle()
    world.fi.kill()
    bodies = {"short": b"1", "long": noise(MIB), "before": b"overwritten"}
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "long"})
    bodies["copy"] = bodies["long"]
    for key, body in bodies.items():
        placement = domicile.admin("GET", "/placement", tenant="one", bucket=bucket, key=key)
        assert placement["version"]["decision"]["write"] == ["de"]
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        states = {replica["backend_id"]: replica["state"] for replica in placement["replicas"]}
        assert states == {"de": "verified", "fi": "wanted"}
    owed = {it["backend_id"]: it for it in domicile.admin("GET", "/jobs")["backlogs"]}
    assert owed["fi"]["owed"] >= len(bodies)
    world.fi.start()
    world.fi.wait_ready()
    domicile.idle(60)
    for key, body in bodies.items():
        copies = domicile.verified(bucket, key)
        assert sorted(copies) == ["de", "fi"]
        assert all(domicile.read(copy) == body for copy in copies.values())
    for blobs in domicile.leftovers(bucket).values():
        assert len([blob for blob in blobs if not blob.startswith(".domicile/")]) == len(bodies)


def test_a_write_whose_backend_dies_in_the_middle_is_all_or_nothing(world, domicile, bucket, body):
    """The client's bytes cannot be asked for again: it is told to try again, and finds what was there before."""
    world.prefer("de")
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket}/k", b"before").status == 200
    domicile.idle()
    world.de.stall()
    with suppress(OSError):  # more than what fits into the buffers on the way; the answer comes while the client still sends
        assert raw.send("PUT", f"/{bucket}/k", body).status == 503
    assert raw.send("GET", f"/{bucket}/k").body == b"before"
    world.de.heal()
    assert until(lambda: domicile.client(retries={"total_max_attempts": 5}).put_object(Bucket=bucket, Key="k", Body=body))
    assert raw.send("GET", f"/{bucket}/k").body == body
    domicile.idle(60)
    for blobs in domicile.leftovers(bucket).values():
        assert len([blob for blob in blobs if not blob.startswith(".domicile/")]) == 1


@pytest.fixture
def wide(domicile, bucket):
    """The bucket, whose writes go to both backends at once, and need one."""
    domicile.admin("PUT", f"/policies/buckets/one/{bucket}", {"write_width": 2})
    return bucket


def begun_at_both(domicile, s3, bucket, piece):
    """An upload whose first part is at both backends, and the part's ETag. One that is much later than the other is dropped, rightly."""

    def begun():
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        place = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
        etag = s3.upload_part(**place, PartNumber=1, Body=piece)["ETag"]
        if all(domicile.uploads(each, domicile.namespace(each, bucket)) for each in ("fi", "de")):
            return place, etag
        s3.abort_multipart_upload(**place)
        return None

    return until(begun, what="both took the first part in time")


@pytest.mark.parametrize("how", ["killed", "stalled", "killed, in parts", "stalled, in parts"])
def test_a_wide_write_goes_on_when_a_backend_dies_in_the_middle(world, domicile, wide, body, how):
    backend_id = "fi" if "killed" in how else "de"

    def pieces():
        yield body[: 20 * MIB]
        world.fi.kill() if backend_id == "fi" else world.de.stall()
        yield body[20 * MIB :]

    raw, s3 = domicile.raw(), domicile.client()
    if "parts" in how:
        both = pieces()
        place, etag = begun_at_both(domicile, s3, wide, next(both))
        parts = [
            {"PartNumber": 1, "ETag": etag},
            {"PartNumber": 2, "ETag": s3.upload_part(**place, PartNumber=2, Body=next(both))["ETag"]},
        ]
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    else:
        path = raw.signer.presigned("PUT", f"/{wide}/k", {"host": raw.address}, 60)
        with closing(http.client.HTTPConnection(raw.address, timeout=60)) as connection:
            connection.request("PUT", path, pieces(), {"content-length": str(len(body))})
            assert connection.getresponse().status == 200
    copies = domicile.replicas(wide, "k")
    assert {name: copy["state"] for name, copy in copies.items()} == {"fi": "verified", "de": "verified"} | {backend_id: "wanted"}
    assert raw.send("GET", f"/{wide}/k").body == body
    world.de.heal()
    if not world.fi.child.alive:
        world.fi.start()
        world.fi.wait_ready()
    assert [domicile.read(copy) == body for copy in domicile.verified(wide, "k", seconds=60).values()] == [True, True]
    assert [domicile.uploads(name, copy["namespace"]) for name, copy in copies.items()] == [[], []]


def test_a_deletion_reaches_a_backend_that_was_down(world, domicile, bucket):
    raw = domicile.raw()
    assert raw.send("PUT", f"/{bucket}/k", b"1").status == 200
    domicile.verified(bucket, "k")
    world.fi.kill()
    assert raw.send("DELETE", f"/{bucket}/k").status == 204
    assert raw.send("GET", f"/{bucket}/k").code == "NoSuchKey"
    until(lambda: domicile.blobs("de", domicile.namespace("de", bucket)) == {})
    world.fi.start()
    world.fi.wait_ready()
    domicile.idle(60)
    assert domicile.leftovers(bucket) == {}


def test_a_replicator_that_is_told_to_stop_hands_back_what_it_cannot_finish(world, domicile, bucket):
    world.prefer("fi")
    domicile.restart("replicator", REPLICATOR_DRAIN_SECONDS="0.5")
    world.de.stall()
    assert domicile.raw().send("PUT", f"/{bucket}/k", noise(MIB)).status == 200
    until(lambda: in_hand(domicile) == 1, what="the copy is under way")
    replicator = domicile.suite.services["replicator"]
    replicator.stop()
    assert "ended with exit code 0" in replicator.child.died()  # and was not killed in the end
    world.de.heal()
    domicile.start("replicator")
    copies = domicile.verified(bucket, "k")
    assert [domicile.read(copy) == noise(MIB) for copy in copies.values()] == [True, True]


def in_hand(domicile) -> int:
    """Jobs for ``de`` that the replicator is at work on."""
    lines = httpx.get(f"{domicile.suite.services['replicator'].health}/metrics", trust_env=False).text.splitlines()
    counts = [
        line.rpartition(" ")[2] for line in lines if line.startswith("domicile_replicator_jobs_in_flight") and '"de"' in line
    ]
    return int(float(counts[0])) if counts else 0
