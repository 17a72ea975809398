"""Long tasks: claimed from metadata, carried out beside the jobs, and handed back when this process stops.

A runner saves its cursor after each piece of its work. It may be cancelled or killed at any moment, and a piece may then be done a second
time, here or by somebody else: every piece is such that this does no harm (docs/adr/0013).
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec
import structlog

from domicile_common.amqp.consumer import HandBack
from domicile_common.errors import BackendError, RequestError
from domicile_common.loops import repeat, set_within, spread
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.models import Request
from domicile_common.metadata_client.tasks import Advanced, AdvanceTask, ClaimTask, Task
from domicile_common.model import Value
from domicile_replicator import metrics
from domicile_replicator.directory import Directory
from domicile_replicator.execute import Executor
from domicile_replicator.patience import ask
from domicile_replicator.report import classify

log = structlog.get_logger()

R = TypeVar("R", bound=Value)
T = TypeVar("T")

BEAT_SECONDS: Final = 10.0  # a lease is 60; so long it takes at most until a worker sees that it should stop


class Stopped(Exception):
    """The task was paused, cancelled, or given to another worker."""


@dataclass(eq=False)
class Run:
    """One task in hand, and what its runner may use. ``progress``: counts for the operator, stored with each cursor."""

    task: Task
    metadata: Metadata
    directory: Directory
    stopping: asyncio.Event
    worker: str
    progress: Counter[str] = field(init=False)
    executor: Executor = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Counter(self.task.progress)
        self.executor = Executor(self.directory.backfill)

    def parameters(self, shape: type[T]) -> T:
        return msgspec.convert(self.task.parameters, shape)

    def cursor(self, shape: type[T]) -> T:
        """Where it stood; at the beginning, a ``shape`` with nothing but defaults."""
        return msgspec.convert(self.task.cursor, shape)

    async def ask(self, request: Request[R]) -> R:
        return await ask(self.metadata, request, self.stopping)

    async def save(self, cursor: Value) -> None:
        """All before ``cursor`` is done with. Raises ``Stopped``."""
        await self.advance(outcome="working", cursor=msgspec.to_builtins(cursor), progress=dict(self.progress))

    async def advance(self, **report: Any) -> None:
        advanced: Advanced = await self.ask(AdvanceTask(task_id=self.task.task_id, worker=self.worker, **report))
        if not advanced.go_on and report["outcome"] == "working":
            raise Stopped


Runner = Callable[[Run], Awaitable[None]]


class Tasks:
    """``runners``: by kind; each returns when its task is done, and raises ``BackendError`` to be tried again, or ``RequestError`` to give up."""

    def __init__(
        self, metadata: Metadata, directory: Directory, runners: Mapping[str, Runner], *, slots: int, seconds: Callable[[], float]
    ) -> None:
        self._metadata = metadata
        self._directory = directory
        self._runners = runners
        self._slots = slots
        self._seconds = seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set and everything in hand was handed back."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._slots):
                group.create_task(repeat(lambda: self._serve(stop), stop, "long tasks"))

    async def _serve(self, stop: asyncio.Event) -> None:
        """Raises ``Unavailable``."""
        while not stop.is_set():
            worker = f"{socket.gethostname()}:{secrets.token_hex(8)}"
            task = await self._claim(worker) if self._directory.stores else None  # which are not known at once
            if task is None:
                await set_within(stop, spread(self._seconds()))
            else:
                await self._work(Run(task, self._metadata, self._directory, stop, worker))

    async def _claim(self, worker: str) -> Task | None:
        return (await self._metadata.call(ClaimTask(kinds=tuple(self._runners), worker=worker))).task

    async def _work(self, run: Run) -> None:
        log.info("takes a task", task=run.task.task_id, kind=run.task.kind)
        report = await self._attempt(run)
        await self._metadata.call(AdvanceTask(task_id=run.task.task_id, worker=run.worker, **report))
        metrics.TASKS.labels(run.task.kind, report["outcome"]).inc()
        log.info("ends with a task", task=run.task.task_id, kind=run.task.kind, outcome=report["outcome"])

    async def _attempt(self, run: Run) -> dict[str, Any]:
        """What is to be reported in the end."""
        try:
            await self._while_ours(run)
        except (Stopped, HandBack):
            return {"outcome": "stopped"}
        except BackendError as error:
            log.warning("a task was interrupted", task=run.task.task_id, why=str(error))
            return {"outcome": "failed", "error_class": classify(error, error.backend_id), "reason": str(error)}
        except RequestError as error:
            return {"outcome": "failed", "reason": str(error)}
        except Exception as error:
            log.exception("a task failed unexpectedly", task=run.task.task_id)
            return {"outcome": "failed", "error_class": "internal", "reason": f"unexpected {type(error).__name__}"}
        return {"outcome": "done", "progress": dict(run.progress)}

    async def _while_ours(self, run: Run) -> None:
        """Raises what the runner raises; ``Stopped`` when the task shall not go on, ``HandBack`` when this process shall not."""
        working = asyncio.ensure_future(self._runners[run.task.kind](run))
        beating = asyncio.create_task(_beat(run))
        stopping = asyncio.create_task(run.stopping.wait())
        try:
            await asyncio.wait({working, beating, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if stopping.done():
                raise HandBack
            return beating.result()
        finally:
            for part in (working, beating, stopping):
                part.cancel()
            await asyncio.gather(working, beating, stopping, return_exceptions=True)


async def _beat(run: Run) -> None:
    """Keeps the lease for as long as this is wanted; raises ``Stopped`` then."""
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        await run.advance(outcome="working")
