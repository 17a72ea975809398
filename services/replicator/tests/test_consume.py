from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import timedelta

import msgspec
import pytest

from domicile_common.amqp.consumer import HandBack
from domicile_common.amqp.topology import PARKING, REASON_HEADER
from domicile_common.errors import BackendUnavailable, RequestError, Unavailable
from domicile_common.events import Job
from domicile_common.metadata_client.models import Backends, ListBackends, Report, Reported, Wanted, Work
from domicile_common.testing.memory import VERSION_ID, MemoryStore, backend, blob, digest_of, work_for
from domicile_common.tracing import parse_trace
from domicile_replicator import consume
from domicile_replicator.consume import Jobs
from domicile_replicator.directory import Directory, Limits

BODY = b"hello"
MIB = 2**20
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JOB = Job("b" * 32, VERSION_ID, "de", TRACE)
COMMITTED = work_for(digest_of(BODY)).version.committed_at


class Metadata:
    """Answers from a script: by kind of request a list of answers or errors, of which the last one is given for ever."""

    def __init__(self) -> None:
        self.script = defaultdict(list)
        self.reports: list[Report] = []
        self.asked: list[Wanted] = []
        self.script[ListBackends] = [Backends((backend("fi"), backend("de", "DE")))]
        self.script[Wanted] = [work_for(digest_of(BODY))]
        self.script[Report] = [Reported()]

    async def call(self, request):
        if isinstance(request, Report):
            self.reports.append(request)
        if isinstance(request, Wanted):
            self.asked.append(request)
        answers = self.script[type(request)]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Publisher:
    def __init__(self) -> None:
        self.parked = []

    async def publish(self, message) -> None:
        assert message.exchange == PARKING
        self.parked.append(message)


@pytest.fixture
async def site():
    site = Site()
    await site.directory.refresh()
    site.stores["fi"].put(blob("fi"), BODY)
    return site


class Site:
    def __init__(self) -> None:
        self.metadata = Metadata()
        self.publisher = Publisher()
        self.stopping = asyncio.Event()
        self.directory = Directory(self.metadata, MemoryStore, Limits(multipart_bytes=64 * MIB, bytes_in_flight=100))
        self.now = COMMITTED + timedelta(seconds=1.5)
        self.jobs = Jobs(self.metadata, self.directory, self.publisher, 64 * MIB, clock=lambda: self.now, stopping=self.stopping)

    @property
    def stores(self):
        return self.directory.stores

    @property
    def report(self) -> Report:
        (report,) = self.metadata.reports
        return report


async def test_a_copy_is_reported_within_the_trace_of_its_request(site):
    await site.jobs.handle(JOB)
    assert site.stores["de"].body(blob("de")) == BODY
    assert (site.report.outcome, site.report.etag, site.report.stamped) == ("verified", digest_of(BODY).etag, True)
    assert (site.report.bucket_id, site.report.version_id, site.report.backend_id) == (JOB.bucket_id, VERSION_ID, "de")
    assert (
        parse_trace(site.report.trace).trace_id
        == parse_trace(site.metadata.asked[0].trace).trace_id
        == parse_trace(TRACE).trace_id
    )


async def test_what_is_no_longer_owed_is_not_reported(site):
    site.metadata.script[Wanted] = [Work("none")]
    await site.jobs.handle(JOB)
    assert not site.metadata.reports


async def test_a_removal_and_a_sidecar_are_reported(site):
    site.metadata.script[Wanted] = [work_for(digest_of(BODY), "delete"), work_for(digest_of(BODY), "stamp")]
    await site.jobs.handle(JOB)
    await site.jobs.handle(JOB)
    assert [report.outcome for report in site.metadata.reports] == ["deleted", "stamped"]


async def test_a_target_outside_the_lock_is_refused_and_never_opened(site):
    site.metadata.script[Wanted] = [work_for(digest_of(BODY), countries=("FI",))]
    await site.jobs.handle(JOB)
    assert (site.report.outcome, site.report.error_class) == ("failed", "refused")
    assert not site.stores["de"].calls
    assert not site.stores["fi"].calls


@pytest.mark.parametrize(
    "error, error_class",
    [
        (BackendUnavailable("de", "down"), "unavailable"),
        (ZeroDivisionError("a bug"), "internal"),
        (RequestError("Odd"), "internal"),
    ],
)
async def test_a_failure_is_reported_with_its_class(site, error, error_class):
    site.stores["de"].fail["open_put"] = [error]
    await site.jobs.handle(JOB)
    assert (site.report.outcome, site.report.error_class) == ("failed", error_class)
    assert site.report.reason
    assert "a bug" not in site.report.reason  # texts of unknown errors may hold anything
    assert not site.publisher.parked


async def test_what_metadata_gives_up_is_parked_with_the_reason(site):
    site.stores["de"].fail["open_put"] = [BackendUnavailable("de", "connection refused")]
    site.metadata.script[Report] = [Reported(parked=True)]
    await site.jobs.handle(JOB)
    (message,) = site.publisher.parked
    assert message.routing_key == "de"
    parked = msgspec.json.decode(message.body, type=Job)
    assert (parked.identity, parked.attempt) == (JOB.identity, 1)
    assert parked.trace[3:35] == TRACE[3:35]
    assert "connection refused" in message.headers[REASON_HEADER]


async def test_waits_in_hand_while_metadata_is_away(site):
    site.metadata.script[Wanted] = [Unavailable("away"), work_for(digest_of(BODY))]
    site.metadata.script[Report] = [Unavailable("away"), Reported()]
    await site.jobs.handle(JOB)
    assert [report.outcome for report in site.metadata.reports] == ["verified"] * 2
    assert site.stores["de"].calls["open_put"] == 1


async def test_hands_back_when_the_process_stops_while_metadata_is_away(site):
    site.metadata.script[Wanted] = [Unavailable("away")]
    site.stopping.set()
    with pytest.raises(HandBack):
        await site.jobs.handle(JOB)


async def test_a_message_delivered_twice_is_worked_on_once(site):
    reached, go_on = asyncio.Event(), asyncio.Event()
    put = site.stores["de"].open_put

    async def slow(*args):
        reached.set()
        await go_on.wait()
        return await put(*args)

    site.stores["de"].open_put = slow
    first = asyncio.create_task(site.jobs.handle(JOB))
    await reached.wait()
    await site.jobs.handle(JOB)  # answered at once, so acknowledged
    assert not site.metadata.reports
    go_on.set()
    await first
    assert site.report.outcome == "verified"
    await site.jobs.handle(JOB)  # and it is handled again afterwards
    assert len(site.metadata.asked) == 2


@pytest.mark.parametrize("action", ["copy", "stamp"])
async def test_what_was_made_for_a_replica_that_is_gone_is_taken_back(site, action):
    site.metadata.script[Wanted] = [work_for(digest_of(BODY), action)]
    site.metadata.script[Report] = [Reported(gone=True)]
    await site.jobs.handle(JOB)
    assert site.stores["de"].calls["finish"] == 1
    assert not site.stores["de"].blobs


async def test_a_failed_copy_whose_replica_is_gone_leaves_nothing(site):
    """The answer of the target may have been lost when the blob was stored already."""
    site.metadata.script[Report] = [Reported(gone=True)]
    site.stores["de"].put(blob("de"), BODY)
    site.stores["de"].fail["finish"] = [BackendUnavailable("de", "no answer")]
    await site.jobs.handle(JOB)
    assert site.report.outcome == "failed"
    assert not site.stores["de"].blobs


async def test_a_long_copy_says_that_it_is_alive(site, monkeypatch):
    monkeypatch.setattr(consume, "WORKING_SECONDS", 0.001)
    alive = asyncio.Event()
    call = site.metadata.call

    async def watch(request):
        if isinstance(request, Report) and request.outcome == "working" and len(site.metadata.reports) > 1:
            alive.set()
        return await call(request)

    site.metadata.call = watch
    put = site.stores["de"].open_put

    async def slow(*args):
        await alive.wait()
        return await put(*args)

    site.stores["de"].open_put = slow
    site.metadata.script[Report] = [Unavailable("away"), Reported()]
    await site.jobs.handle(JOB)
    assert [report.outcome for report in site.metadata.reports][-1] == "verified"
    assert {report.outcome for report in site.metadata.reports} == {"working", "verified"}


async def test_a_long_copy_stops_when_nobody_wants_it_any_more(site, monkeypatch):
    """Its version was deleted, say, or a lock has come between: nothing more is written there."""
    monkeypatch.setattr(consume, "WORKING_SECONDS", 0.001)
    aborted = asyncio.Event()

    async def endless(*_):
        try:
            await asyncio.Event().wait()
        finally:
            aborted.set()

    site.stores["de"].open_put = endless
    site.metadata.script[Report] = [Unavailable("away"), Reported(), Reported(stop=True), Reported()]
    await site.jobs.handle(JOB)
    assert aborted.is_set()
    assert [report.outcome for report in site.metadata.reports] == ["working"] * 3 + ["failed"]
    assert {report.blob_key for report in site.metadata.reports} == {blob("de").blob_key}
    assert site.metadata.reports[-1].unsure


async def test_a_backend_that_changed_gets_a_new_store(site):
    before = dict(site.stores)
    site.metadata.script[ListBackends] = [Backends((backend("fi"), backend("de", "DE", access_key="new")))]
    await site.directory.refresh()
    assert site.stores["fi"] is before["fi"]
    assert site.stores["de"] is not before["de"]
    assert before["de"].calls["close"] == 1
    site.metadata.script[ListBackends] = [Backends(())]
    await site.directory.refresh()
    assert not site.stores


async def test_a_backend_of_which_only_limits_change_keeps_its_store(site):
    store = site.stores["de"]
    site.metadata.script[ListBackends] = [
        Backends((backend("fi"), backend("de", "DE", job_limit=3, state="draining", paused=True)))
    ]
    await site.directory.refresh()
    assert site.stores["de"] is store
    assert site.directory.backends["de"].paused
    assert not store.calls["close"]


async def test_a_duplicate_in_the_other_queue_is_no_second_job(site):
    reached, go_on = asyncio.Event(), asyncio.Event()
    put = site.stores["de"].open_put

    async def slow(*args):
        reached.set()
        await go_on.wait()
        return await put(*args)

    site.stores["de"].open_put = slow
    first = asyncio.create_task(site.jobs.handle_backfill(JOB))
    await reached.wait()
    await site.jobs.handle(JOB)
    assert not site.metadata.reports
    go_on.set()
    await first
    assert site.report.outcome == "verified"
