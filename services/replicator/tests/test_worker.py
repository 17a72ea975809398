"""The worker on real RabbitMQ and real S3 backends; metadata answers from what each test says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from datetime import UTC, datetime

import msgspec
import pytest

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import Consumer
from domicile_common.amqp.publisher import Message, Publisher
from domicile_common.amqp.topology import INVALIDATE, JOBS, parking_queue, topology, work_queue
from domicile_common.backends.stores import open_store
from domicile_common.errors import BlobNotFound, Unavailable
from domicile_common.events import Invalidation, Job
from domicile_common.metadata_client.models import Backends, ListBackends, Report, Reported, Wanted, Work
from domicile_common.model import Backend, Blob
from domicile_common.stamps import read_stamp
from domicile_common.testing.memory import VERSION_ID, digest_of, version_of
from domicile_replicator import execute
from domicile_replicator.consume import Jobs
from domicile_replicator.directory import Directory, Limits
from domicile_replicator.feed import Feed
from domicile_replicator.plan import SMALLEST_PART
from domicile_replicator.worker import Worker

pytestmark = pytest.mark.servers

PATIENCE = 60
MIB = 2**20


class Metadata:
    """``wanted``: version id → work (nothing when it is not there). A final report ends it."""

    def __init__(self) -> None:
        self.backends: tuple[Backend, ...] = ()
        self.wanted: dict[str, Work] = {}
        self.reports: list[Report] = []
        self.reported = Reported()
        self.away = False

    async def call(self, request):
        if self.away:
            raise Unavailable("away")
        match request:
            case ListBackends():
                return Backends(self.backends)
            case Wanted():
                return self.wanted.get(request.version_id, Work("none"))
            case Report():
                self.reports.append(request)
                if request.outcome != "failed":
                    self.wanted.pop(request.version_id, None)
                return self.reported
        raise AssertionError(request)


class Installation:
    def __init__(self, rabbitmq_url, backends) -> None:
        self.url = rabbitmq_url
        self.metadata = Metadata()
        self.secrets = {backend.backend_id: backend.secret_key for backend in backends}
        self.all_backends = tuple(
            Backend(
                backend_id=backend.backend_id,
                provider="test",
                endpoint=backend.endpoint,
                country=backend.country,
                jurisdictions=(backend.country,),
                access_key=backend.access_key,
                sealed_secret="",
                quirks=backend.quirks,
            )
            for backend in backends
        )
        self.metadata.backends = self.all_backends
        self.stores = {backend.backend_id: self.open(backend) for backend in self.all_backends}
        self.broker = Broker(rabbitmq_url, "test")
        self.publisher = Publisher(self.broker)
        self.namespace = f"s3gw-{secrets.token_hex(8)}-test"

    def open(self, backend: Backend):
        return open_store(backend, self.secrets[backend.backend_id])

    async def close(self) -> None:
        for store in self.stores.values():
            await store.close()
        await self.publisher.close()
        await self.broker.close()

    def blob(self, backend_id: str, version_id: str = VERSION_ID) -> Blob:
        return Blob(backend_id, self.namespace, f"a/b c+ä/{version_id}")

    async def put(self, backend_id: str, body: bytes, version_id: str = VERSION_ID) -> None:
        store = self.stores[backend_id]
        await store.ensure_namespace(self.namespace)
        sink = await store.open_put(self.blob(backend_id, version_id), len(body), {})
        await sink.write(body)
        await sink.finish()

    async def read(self, backend_id: str, version_id: str = VERSION_ID):
        source = await self.stores[backend_id].open_get(self.blob(backend_id, version_id))
        body = b"".join([chunk async for chunk in source.chunks()])
        await source.close()
        return source.info, body

    async def owe(
        self, body: bytes, version_id: str = VERSION_ID, *, parts: tuple[int, ...] = (), action="copy", **changes
    ) -> None:
        version = msgspec.structs.replace(version_of(digest_of(body, parts, "crc64nvme")), version_id=version_id)
        values = {
            "target": self.blob("de", version_id),
            "sources": (self.blob("fi", version_id),),
            "version": msgspec.structs.replace(version, committed_at=datetime.now(UTC)),
            "tenant_id": "acme",
            "bucket": "photos",
            **changes,
        }
        self.metadata.wanted[version_id] = Work(action, **values)
        job = Job("b" * 32, version_id, "de")
        await self.broker.declare(topology(["de"]))
        await self.publisher.publish(Message(exchange=JOBS, routing_key="de", body=msgspec.json.encode(job)))

    @contextlib.asynccontextmanager
    async def worker(self, *, concurrency: int = 8, drain_seconds: float = 10, only=()):
        """A worker; at the end it is stopped and must have ended by itself."""
        broker = Broker(self.url, "worker")
        publisher = Publisher(broker)
        directory = Directory(self.metadata, self.open, Limits(8 * MIB, 64 * MIB, concurrency))
        stop = asyncio.Event()

        def open_consumers(backend_id: str) -> list[Consumer]:
            jobs = Jobs(self.metadata, directory, publisher, 8 * MIB, clock=lambda: datetime.now(UTC), stopping=stop)
            return [
                Consumer(
                    broker, publisher, backend_id, handle, prefetch=concurrency, drain_seconds=drain_seconds, backfill=backfill
                )
                for handle, backfill in ((jobs.handle, False), (jobs.handle_backfill, True))
            ]

        running = asyncio.create_task(Worker(broker, directory, open_consumers, only).run(stop))
        try:
            yield stop
        finally:
            stop.set()
            async with asyncio.timeout(PATIENCE):
                await running
            await publisher.close()
            await broker.close()
            await directory.close()

    async def reports(self, count: int = 1) -> list[Report]:
        async def enough() -> bool:
            return len(self.metadata.reports) >= count

        await eventually(enough)
        return self.metadata.reports

    async def depth(self, queue: str) -> int:
        channel = await self.broker.channel()
        count = (await channel.get_queue(queue)).declaration_result.message_count
        await channel.close()
        return count

    async def reaches(self, queue: str, depth: int) -> None:
        """What is handed back is in its queue a moment after its channel was closed."""

        async def reached() -> bool:
            return await self.depth(queue) == depth

        await eventually(reached)


async def eventually(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - a server's state has no event to wait for
            await asyncio.sleep(0.02)


@pytest.fixture
async def site(rabbitmq_url, backends):
    site = Installation(rabbitmq_url, backends)
    yield site
    await site.close()


async def test_copies_to_a_backend_that_has_never_seen_the_bucket(site):
    body = os.urandom(100_000)
    await site.put("fi", body)
    await site.owe(body)
    async with site.worker():
        (report,) = await site.reports()
    info, copied = await site.read("de")
    assert copied == body
    assert (report.outcome, report.etag, report.stamped) == ("verified", info.etag, True)
    stamp = read_stamp(info.headers)
    assert stamp
    assert (stamp.version_id, stamp.digest) == (VERSION_ID, digest_of(body, (), "crc64nvme"))


async def test_the_copy_of_an_upload_has_the_same_etag(site):
    parts = (SMALLEST_PART, SMALLEST_PART + 1, 12345)
    body = os.urandom(sum(parts))
    await site.put("fi", body)
    await site.owe(body, parts=parts)
    async with site.worker():
        (report,) = await site.reports()
    info, copied = await site.read("de")
    assert copied == body
    assert report.etag == info.etag == digest_of(body, parts).etag
    assert read_stamp(info.headers)
    assert not await site.stores["de"].list_uploads(site.blob("de"))


async def test_a_large_blob_is_uploaded_in_parts(site):
    body = os.urandom(20 * MIB)
    await site.put("fi", body)
    await site.owe(body)
    async with site.worker():
        (report,) = await site.reports()
    assert report.outcome == "verified"
    assert report.etag.endswith("-3")
    assert (await site.read("de"))[1] == body


@pytest.mark.parametrize("size", [1000, 20 * MIB])
async def test_a_damaged_source_never_completes(site, size):
    body = os.urandom(size)
    await site.put("fi", body[:-1] + bytes([body[-1] ^ 1]))
    await site.owe(body)
    async with site.worker():
        (report,) = await site.reports()
    assert (report.outcome, report.error_class) == ("failed", "mismatch")
    with pytest.raises(BlobNotFound):
        await site.stores["de"].head(site.blob("de"))
    assert not await site.stores["de"].list_uploads(site.blob("de"))


async def test_removes_and_confirms(site):
    await site.put("de", b"old")
    await site.owe(b"old", action="delete", version=None)
    async with site.worker():
        (report,) = await site.reports()
        assert report.outcome == "deleted"
        with pytest.raises(BlobNotFound):
            await site.stores["de"].head(site.blob("de"))
        await site.owe(b"old", action="delete", version=None)  # and so it is when it was gone already
        assert [report.outcome for report in await site.reports(2)] == ["deleted"] * 2


async def test_what_is_given_up_is_parked(site):
    await site.owe(b"never stored")
    site.metadata.reported = Reported(parked=True)
    async with site.worker():
        (report,) = await site.reports()
        assert (report.outcome, report.error_class) == ("failed", "missing_source")
        await site.reaches(parking_queue("de"), 1)
    assert await site.depth(work_queue("de")) == 0


async def test_many_small_copies_each_once(site):
    ids = [f"{number:032x}" for number in range(200)]
    for version_id in ids:
        await site.put("fi", version_id.encode(), version_id)
        await site.owe(version_id.encode(), version_id)
    async with site.worker(concurrency=16), site.worker(concurrency=16):
        reports = await site.reports(len(ids))
    assert sorted(report.version_id for report in reports) == ids
    assert {report.outcome for report in reports} == {"verified"}
    assert await site.depth(work_queue("de")) == 0


async def test_a_backend_registered_later_is_served_at_once(site):
    site.metadata.backends = site.all_backends[:1]
    await site.put("fi", b"x")
    async with site.worker():
        await site.owe(b"x")
        site.metadata.backends = site.all_backends

        async def heard() -> bool:
            invalidation = Message(exchange=INVALIDATE, body=msgspec.json.encode(Invalidation("backend", "de")), mandatory=False)
            await site.publisher.publish(invalidation)
            return bool(site.metadata.reports)

        await eventually(heard)
    assert site.metadata.reports[0].outcome == "verified"


async def test_a_disabled_backend_keeps_its_jobs(site):
    site.metadata.backends = tuple(
        msgspec.structs.replace(backend, state="disabled") if backend.backend_id == "de" else backend
        for backend in site.all_backends
    )
    await site.put("fi", b"x")
    await site.owe(b"x")
    await site.broker.declare(topology(["fi"]))
    done = Message(exchange=JOBS, routing_key="fi", body=msgspec.json.encode(Job("b" * 32, "0" * 32, "fi")))
    await site.publisher.publish(done)
    async with site.worker(), site.worker(only=["fi", "us"]):
        await site.reaches(work_queue("fi"), 0)
        assert await site.depth(work_queue("de")) == 1
    assert not site.metadata.reports


async def test_jobs_wait_while_metadata_is_away_and_go_back_at_the_end(site):
    await site.put("fi", b"x")
    await site.owe(b"x")
    async with site.worker() as stop:
        await site.reaches(work_queue("de"), 0)
        site.metadata.away = True
        site.metadata.reports.clear()
        await site.owe(b"x")
        await site.reaches(work_queue("de"), 0)
        stop.set()
    await site.reaches(work_queue("de"), 1)
    site.metadata.away = False
    async with site.worker():
        await site.reports()


async def test_stopping_finishes_the_copy_in_hand(site, monkeypatch):
    started, go_on = asyncio.Event(), asyncio.Event()
    put = execute._put

    async def slow(*args):
        started.set()
        await go_on.wait()
        return await put(*args)

    monkeypatch.setattr(execute, "_put", slow)
    await site.put("fi", b"x")
    await site.owe(b"x")
    async with site.worker() as stop:
        await started.wait()
        stop.set()
        go_on.set()
    assert [report.outcome for report in site.metadata.reports] == ["verified"]


async def test_a_copy_that_cannot_finish_in_time_is_handed_back_and_the_next_worker_goes_on_with_it(site, monkeypatch):
    started = asyncio.Event()
    part = Feed.pour

    async def stuck(self, sink, length, *, last):
        if last:
            started.set()
            await asyncio.Event().wait()
        await part(self, sink, length, last=last)

    body = os.urandom(20 * MIB)
    await site.put("fi", body)
    await site.owe(body)
    with monkeypatch.context() as patch:
        patch.setattr(Feed, "pour", stuck)
        async with site.worker(drain_seconds=0.1) as stop:
            await started.wait()
            stop.set()
    assert not site.metadata.reports
    await site.reaches(work_queue("de"), 1)
    assert len(await site.stores["de"].list_uploads(site.blob("de"))) == 1
    async with site.worker():
        (report,) = await site.reports()
    assert report.outcome == "verified"
    assert not await site.stores["de"].list_uploads(site.blob("de"))


async def test_the_worker_stops_when_a_part_of_it_dies(site):
    class Died(Exception):
        pass

    async def die() -> None:
        raise Died

    broker = Broker(site.url, "worker")
    directory = Directory(site.metadata, site.open, Limits(8 * MIB, 64 * MIB))
    directory.refresh = die
    with pytest.raises(ExceptionGroup) as caught:
        await Worker(broker, directory, lambda _: pytest.fail("no backends")).run(asyncio.Event())
    assert caught.group_contains(Died)
    await broker.close()
