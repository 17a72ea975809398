"""Parts that work badly: a backend that is full, slow or talks nonsense, a worker without disk, clocks that are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from domicile_common.testing.background import Background, fault_proxies
from domicile_common.testing.fault_proxy import Fault
from domicile_common.testing.installation import Installation, until
from domicile_common.testing.noise import noise
from domicile_common.testing.private import private_backend
from domicile_local.servers.s3 import S3Server, client
from domicile_local.services import Service

pytestmark = pytest.mark.servers


@dataclass
class World:
    """``fi`` is a server of our own; the way to ``de`` leads through a fault proxy."""

    domicile: Installation
    fi: S3Server
    ways: Background

    def prefer(self, backend_id: str) -> None:
        for each in self.domicile.backends:
            self.domicile.register(each, cost=1 if each == backend_id else 100)


@pytest.fixture(scope="module")
def world(tmp_path_factory, open_installation, backends) -> Iterator[World]:
    real = {backend.backend_id: backend for backend in backends}
    with (
        private_backend(tmp_path_factory.mktemp("fi"), "fi", "FI", "seaweedfs") as fi,
        fault_proxies({"de": real["de"].port}) as ways,
        open_installation(
            backends=[fi.backend, real["de"]],
            links={"de": ways.proxies["de"].port},
            INTENT_SECONDS="5",
            OVERDUE_SECONDS="2",
            BACKEND_IDLE_SECONDS="3",
        ) as domicile,
    ):
        yield World(domicile, fi, ways)


@pytest.fixture
def domicile(world) -> Iterator[Installation]:
    yield world.domicile
    world.ways.set("de", Fault())
    world.domicile.mend()


def converges(domicile: Installation, bucket: str, bodies: dict[str, bytes]) -> None:
    for key, body in bodies.items():
        copies = domicile.verified(bucket, key, seconds=90)
        assert sorted(copies) == ["de", "fi"]
        assert all(domicile.read(copy) == body for copy in copies.values())
    domicile.idle(60)


def put(domicile: Installation, bucket: str, key: str, body: bytes) -> bytes:
    """As a client does that tries again when it is told to."""

    def accepted() -> bool:
        answer = domicile.raw().send("PUT", f"/{bucket}/{key}", body)
        assert answer.status in {200, 503}
        assert answer.status == 200 or (answer.headers["retry-after"], answer.code) in {
            ("1", "SlowDown"),
            ("1", "ServiceUnavailable"),
        }
        return answer.status == 200

    until(accepted, what="the write is accepted")
    return body


def test_a_backend_that_is_full_still_serves_and_is_written_to_again_later(world, domicile, bucket):
    """A real one without space: all its volumes are read only, and every write is answered InternalError."""
    world.prefer("fi")
    bodies = {"before": put(domicile, bucket, "before", noise(1000))}
    domicile.verified(bucket, "before")
    direct = client(world.fi.backend)
    place = {"Bucket": domicile.namespace("fi", bucket), "Key": domicile.replicas(bucket, "before")["fi"]["blob_key"]}

    def reads() -> bool:
        try:
            return bool(direct.get_object(**place)["Body"].read() == bodies["before"])
        except Exception:  # noqa: BLE001 - it is starting
            return False

    world.fi.kill()
    world.fi.options = {"volume.minFreeSpace": "100"}
    world.fi.start()
    until(reads, 60, "the full backend serves")
    try:
        for key, size in (("short", 1000), ("long", 300_000)):
            bodies[key] = put(domicile, bucket, key, noise(size))
            assert domicile.replicas(bucket, key)["fi"]["state"] == "wanted"
        assert domicile.raw().send("GET", f"/{bucket}/before").body == bodies["before"]
    finally:
        world.fi.kill()
        world.fi.options = {}
        world.fi.start()
        world.fi.wait_ready()
    converges(domicile, bucket, bodies)


@pytest.mark.parametrize(
    "fault",
    [Fault(answer=500), Fault(answer=503), Fault(answer=507), Fault(corrupt_down=0), Fault(corrupt_down=9), Fault(delay=0.3)],
)
def test_a_backend_that_answers_nonsense_or_late_is_done_without(world, domicile, bucket, fault):
    world.prefer("de")
    bodies = {"before": put(domicile, bucket, "before", noise(1000))}
    domicile.verified(bucket, "before")
    world.ways.set("de", fault)
    for key, size in (("short", 1000), ("long", 100_000)):
        bodies[key] = put(domicile, bucket, key, noise(size))
    for key, body in bodies.items():
        answer = until(lambda key=key: (got := domicile.raw().send("GET", f"/{bucket}/{key}")).status == 200 and got)
        assert answer.body == body
    world.ways.set("de", Fault())
    converges(domicile, bucket, bodies)


@pytest.mark.parametrize("fault", [Fault(cut_up=100), Fault(cut_down=10), Fault(answer=500)])
def test_a_completion_that_fails_at_its_backend_is_repeated_until_it_succeeds(world, domicile, bucket, fault):
    """Whether the backend has not heard of it, or what it has answered was lost."""
    world.prefer("de")
    raw, body = domicile.raw(), noise(1000)

    def begin() -> str:
        [upload] = raw.send("POST", f"/{bucket}/k?uploads").texts("UploadId")
        [(written,)] = domicile.sql(f"SELECT decision -> 'write' FROM intents WHERE version_id = '{upload}'")
        return f"/{bucket}/k?uploadId={upload}" if "de" in written else ""

    target = until(begin, what="a write goes to de")
    etag = raw.send("PUT", f"{target}&partNumber=1", body).headers["etag"]
    parts = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    world.ways.set("de", fault)
    assert [raw.send("POST", target, parts.encode()).status for _ in range(2)] == [503, 503]
    assert raw.send("GET", f"/{bucket}/k").code == "NoSuchKey"
    world.ways.set("de", Fault())
    assert until(lambda: raw.send("POST", target, parts.encode()).status == 200)
    converges(domicile, bucket, {"k": body})


def test_a_worker_without_disk_works(world, domicile, bucket, tmp_path):
    """It needs none: bytes stream through memory. Log lines that cannot be written are lost."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "replicator.log").symlink_to("/dev/full")
    domicile.suite.services["replicator"].kill()
    worker = Service("replicator", replace(domicile.suite.services["replicator"].wiring, logs=logs))
    worker.start(TMPDIR="/proc", HOME="/proc", LOG_LEVEL="debug")
    try:
        converges(
            domicile, bucket, {key: put(domicile, bucket, key, noise(size)) for key, size in (("short", 1), ("long", 9_000_000))}
        )
        assert worker.alive
    finally:
        worker.kill()


@pytest.fixture(scope="module")
def wrong_clock():
    """Environment of a process whose clock is off."""
    [library] = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]

    def make(offset: str) -> dict[str, str]:
        return {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    return make


@pytest.mark.parametrize("offset", ["-2d", "+2d"])
def test_a_metadata_service_whose_clock_is_wrong_writes_all_the_same(domicile, bucket, wrong_clock, offset):
    domicile.restart("metadata", **wrong_clock(offset))
    converges(domicile, bucket, {"k": put(domicile, bucket, "k", noise(100_000))})


def test_copies_of_a_worker_whose_clock_is_wrong_wait_until_it_is_right(domicile, bucket, wrong_clock):
    """Backends refuse what it signs. That is no reason to give the copies up."""
    domicile.restart("replicator", **wrong_clock("+2d"))
    bodies = {"k": put(domicile, bucket, "k", noise(1000))}

    def owed() -> dict:
        return next((it for it in domicile.replicas(bucket, "k").values() if it["state"] == "wanted"), {})

    until(lambda: owed().get("attempt", 0) >= 2, 60, "the copy has been tried")
    assert owed()["parked_reason"] is None
    domicile.restart("replicator")
    converges(domicile, bucket, bodies)


def test_a_proxy_whose_clock_is_wrong_lets_nobody_in(domicile, bucket, wrong_clock):
    domicile.restart("proxy", **wrong_clock("+2d"))
    answer = domicile.raw().send("GET", f"/{bucket}")
    assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")
