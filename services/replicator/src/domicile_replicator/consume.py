"""Handling one job: ask what is wanted, do it, report.

Whatever happens ends in a report, and metadata decides what follows; while metadata does not answer, the job waits in hand.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
import structlog

from domicile_common.amqp.consumer import park
from domicile_common.amqp.publisher import Publisher
from domicile_common.errors import BackendError, BackendUnavailable, DomicileError
from domicile_common.events import Job
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.models import Report, Request, Wanted, Work
from domicile_common.model import Blob, Value
from domicile_common.tracing import Arrival, SpanKind, current_trace
from domicile_replicator import metrics
from domicile_replicator.directory import Directory
from domicile_replicator.execute import Executor
from domicile_replicator.patience import ask
from domicile_replicator.plan import Copy, Nothing, Refuse, Remove, WriteSidecar, plan
from domicile_replicator.report import classify, done, failed, verified

log = structlog.get_logger()

R = TypeVar("R", bound=Value)
T = TypeVar("T")

WORKING_SECONDS: Final = 10.0


class Jobs:
    """Handles the jobs of one backend. ``clock``: the time in UTC. ``stopping``: set when the process is about to end."""

    def __init__(
        self,
        metadata: Metadata,
        directory: Directory,
        publisher: Publisher,
        multipart_bytes: int,
        *,
        clock: Callable[[], datetime],
        stopping: asyncio.Event,
    ) -> None:
        self._metadata = metadata
        self._directory = directory
        self._executors = {True: Executor(directory.fresh), False: Executor(directory.backfill)}
        self._publisher = publisher
        self._multipart_bytes = multipart_bytes
        self._clock = clock
        self._stopping = stopping
        self._busy: set[tuple[str, str]] = set()

    async def handle(self, job: Job) -> None:
        """A job that goes first. Returns when it is done with, one way or another.

        Raises ``HandBack`` when the process stops before that.
        """
        await self._once(job, fresh=True)

    async def handle_backfill(self, job: Job) -> None:
        """A job that need not be done at once; else as ``handle``."""
        await self._once(job, fresh=False)

    async def _once(self, job: Job, *, fresh: bool) -> None:
        identity = (job.bucket_id, job.version_id)
        if identity in self._busy:  # delivered anew after a lost connection, or enqueued again: the task that has it will report
            metrics.JOBS.labels(job.backend_id, "duplicate").inc()
            return
        self._busy.add(identity)
        try:
            with Arrival(f"job {job.backend_id}", SpanKind.CONSUMER, job.trace) as span:
                span.note(
                    {
                        "domicile.backend": job.backend_id,
                        "domicile.bucket_id": job.bucket_id,
                        "domicile.version_id": job.version_id,
                    }
                )
                async with self._directory.throttle(job.backend_id).job(fresh=fresh):
                    with metrics.IN_FLIGHT.labels(job.backend_id).track_inprogress():
                        outcome = await self._handle(job, fresh=fresh)
                span.note({"domicile.outcome": outcome})
            metrics.JOBS.labels(job.backend_id, outcome).inc()
            log.info("job done", outcome=outcome, backend=job.backend_id, bucket=job.bucket_id, version=job.version_id)
        finally:
            self._busy.discard(identity)

    async def _handle(self, job: Job, *, fresh: bool) -> str:
        """The numbered steps of a job; answers what became of it."""
        # 1. What is wanted now?
        wanted = Wanted(current_trace(), bucket_id=job.bucket_id, version_id=job.version_id, backend_id=job.backend_id)
        work = await self._ask(wanted)
        step = plan(work, self._directory.backends, self._multipart_bytes)
        if isinstance(step, Nothing):
            return "nothing"
        # 2. Do it.
        outcome = await self._attempt(job, step, fresh=fresh)
        report = _about(work, outcome)
        # 3. Report it.
        reported = await self._ask(report)
        if reported.gone and isinstance(step, Copy | WriteSidecar):
            await self._take_back(step, self._executors[fresh])
            return "gone"
        if isinstance(step, Copy) and report.outcome == "verified":
            lag = self._clock() - step.version.committed_at
            metrics.LAG_SECONDS.labels(job.backend_id).observe(lag.total_seconds())
        # 4. What metadata has given up for now goes where an operator sees it.
        if reported.parked:
            reason = f"{report.error_class}: {report.reason}"
            again = msgspec.structs.replace(job, trace=current_trace(), attempt=job.attempt + 1)
            await park(self._publisher, again, reason)
            return "parked"
        return report.outcome

    async def _attempt(self, job: Job, step: Copy | Remove | WriteSidecar | Refuse, *, fresh: bool) -> Report:
        """What is to be reported; failures are."""
        try:
            return await self._carry_out(job, step, fresh=fresh)
        except BackendError as error:
            log.warning("a job failed", backend=job.backend_id, version=job.version_id, why=str(error))
            return failed(job, classify(error, job.backend_id), str(error), unsure=isinstance(step, Copy))
        except Exception as error:
            log.exception("a job failed unexpectedly", backend=job.backend_id, version=job.version_id)
            return failed(job, "internal", f"unexpected {type(error).__name__}", unsure=isinstance(step, Copy))

    async def _carry_out(self, job: Job, step: Copy | Remove | WriteSidecar | Refuse, *, fresh: bool) -> Report:
        executor = self._executors[fresh]
        match step:
            case Copy():
                async with self._directory.throttle(job.backend_id).copy(step.version.digest.size, fresh=fresh):
                    copied = await self._while_wanted(job, step.target, executor.copy(step))
                metrics.SENT_BYTES.labels(job.backend_id).inc(copied.sent)
                return verified(job, copied)
            case Remove():
                await executor.remove(step)
                return done(job, "deleted")
            case WriteSidecar():
                await executor.stamp(step)
                return done(job, "stamped")
            case Refuse():
                return failed(job, step.error_class, step.reason)

    async def _take_back(self, step: Copy | WriteSidecar, executor: Executor) -> None:
        """The replica was removed for good while its copy was under way, and nobody else knows what may now be at the target."""
        try:
            await executor.remove(Remove(step.work.sidecar or step.target))  # an adopted object is not ours alone
        except BackendError:
            log.exception("an unwanted copy is left behind", blob=step.target)

    async def _ask(self, request: Request[R]) -> R:
        return await ask(self._metadata, request, self._stopping)

    async def _while_wanted(self, job: Job, target: Blob, copying: Coroutine[Any, Any, T]) -> T:
        """Tells metadata now and then that a long copy is alive, so that nobody begins it a second time; until it says that nobody wants it."""
        copy, beat = asyncio.ensure_future(copying), asyncio.create_task(self._beat(job, target))
        try:
            await asyncio.wait({copy, beat}, return_when=asyncio.FIRST_COMPLETED)
            if copy.done():
                return copy.result()
            beat.result()
            raise BackendUnavailable(target.backend_id, "the copy is not wanted there any more")
        finally:
            copy.cancel()
            beat.cancel()
            await asyncio.gather(copy, beat, return_exceptions=True)

    async def _beat(self, job: Job, target: Blob) -> None:
        """Returns when the copy shall not go on."""
        alive = msgspec.structs.replace(done(job, "working"), blob_key=target.blob_key)
        while True:
            await asyncio.sleep(WORKING_SECONDS)
            with contextlib.suppress(DomicileError):  # it is a courtesy: without it, a second worker may begin the same
                if (await self._metadata.call(alive)).stop:
                    return


def _about(work: Work, report: Report) -> Report:
    """Of what, as metadata knew it then. An adopted object is not ours alone."""
    target = work.target
    about = msgspec.structs.replace(report, revision=work.revision, fence=work.fence)
    if target is None:
        return about
    return msgspec.structs.replace(about, blob_key=target.blob_key, namespace="" if work.sidecar else target.namespace)
