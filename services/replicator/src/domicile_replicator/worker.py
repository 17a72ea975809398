"""The worker: consumers for each backend, and what they need beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from domicile_common.amqp.broker import Broker
from domicile_common.amqp.consumer import Consumer, InvalidationListener
from domicile_common.amqp.topology import work_queue
from domicile_common.errors import Unavailable
from domicile_common.events import Invalidation
from domicile_common.loops import any_of, repeat
from domicile_replicator import metrics
from domicile_replicator.directory import Directory
from domicile_replicator.pace import is_limited

log = structlog.get_logger()

REFRESH_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class _Lane:
    consumers: Sequence[Consumer]
    tasks: Sequence[asyncio.Task[None]]

    def stop(self) -> None:
        for consumer in self.consumers:
            consumer.stop()


class Worker:
    """``open_consumers``: makes the consumers of one backend. ``only``: the backend ids to serve; all when empty."""

    def __init__(
        self,
        broker: Broker,
        directory: Directory,
        open_consumers: Callable[[str], Sequence[Consumer]],
        only: Collection[str] = (),
    ) -> None:
        self._broker = broker
        self._directory = directory
        self._open_consumers = open_consumers
        self._only = frozenset(only)
        self._lanes: dict[str, _Lane] = {}
        self._stale = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set and all that is in hand is finished or handed back. When a part of it dies, so does the whole."""
        listener = InvalidationListener(self._broker, self._forget, self._stale.set)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listener.run())
            following = group.create_task(repeat(lambda: self._follow(group, stop), stop, "list of backends"))
            await following  # until ``stop``
            for lane in self._lanes.values():
                lane.stop()
            listening.cancel()

    def reopen(self) -> None:
        """Consumers as they are wanted now; the old ones finish what they have in hand."""
        for lane in self._lanes.values():
            lane.stop()
        self._lanes.clear()
        self._stale.set()

    async def _follow(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Keeps the list of backends fresh, and a consumer for each one that is in service. Raises ``Unavailable``."""
        while not stop.is_set():
            self._stale.clear()
            await self._directory.refresh()
            self._match_consumers(group)
            await self._count_workers()
            await any_of(stop, self._stale, seconds=REFRESH_SECONDS)

    def _match_consumers(self, group: asyncio.TaskGroup) -> None:
        wanted = {
            backend.backend_id
            for backend in self._directory.backends.values()
            if backend.state not in ("disabled", "lost")
            and not backend.paused
            and (not self._only or backend.backend_id in self._only)
        }
        for backend_id in self._lanes.keys() - wanted:
            log.info("stops consuming", backend=backend_id)
            self._lanes.pop(backend_id).stop()
            metrics.CONSUMING.remove(backend_id)
        for backend_id in wanted - self._lanes.keys():
            log.info("consumes", backend=backend_id)
            consumers = self._open_consumers(backend_id)
            metrics.CONSUMING.labels(backend_id).set_function(partial(_consuming, consumers))
            self._lanes[backend_id] = _Lane(consumers, [group.create_task(consumer.run()) for consumer in consumers])

    async def _count_workers(self) -> None:
        """Limits of a backend are shared by all who take its jobs; how many these are, its queue knows."""
        for backend_id in self._lanes:
            if not is_limited(self._directory.backends[backend_id]):
                continue
            try:
                state = await self._broker.look(work_queue(backend_id))
            except Unavailable as error:
                log.warning("cannot tell how many workers there are", why=str(error))
                return
            self._directory.shared_by(backend_id, state.consumers)

    def _forget(self, invalidation: Invalidation) -> None:
        if invalidation.kind == "backend":
            self._stale.set()


def _consuming(consumers: Sequence[Consumer]) -> float:
    return float(any(consumer.consuming for consumer in consumers))
