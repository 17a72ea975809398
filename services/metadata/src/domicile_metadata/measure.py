"""Measures what is owed, shows it to Prometheus, and keeps it by the minute: only in the process that holds the lease, so nothing counts twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domicile_metadata.context import Context
from domicile_metadata.leased import run_leased
from domicile_metadata.storage import lag, lag_history
from domicile_metadata.storage.lag import BackendLag, Outbox

GAUGES: Final[Sequence[tuple[str, str, str]]] = (
    ("domicile_owed_copies", "copies", "Copies that a backend is owed."),
    ("domicile_owed_bytes", "bytes", "Bytes of the copies that a backend is owed."),
    ("domicile_owed_oldest_seconds", "oldest_seconds", "For how long the oldest copy has been owed."),
    ("domicile_owed_retried_copies", "retried", "Copies that are owed and failed before."),
    ("domicile_late_copies", "late", "Copies that have been owed for longer than the rpo_seconds of their policy."),
    ("domicile_parked_jobs", "parked", "Work that was given up for now."),
    ("domicile_owed_removals", "removals", "Blobs that are to be removed."),
    (
        "domicile_owed_removals_oldest_seconds",
        "oldest_removal_seconds",
        "For how long the oldest blob has been waiting for that.",
    ),
)


class Measured(NamedTuple):
    """``at``: on the monotonic clock."""

    at: float
    backends: Sequence[BackendLag]
    outbox: Outbox


@dataclass(slots=True, eq=False)
class LagCollector(Collector):
    """What was measured last; nothing when that is longer than ``life_seconds`` ago, because another process measures now, or nobody."""

    life_seconds: Callable[[], float]
    measured: Measured | None = field(default=None)

    def collect(self) -> Iterable[Metric]:
        measured = self.measured
        if measured is None or time.monotonic() > measured.at + self.life_seconds():
            return
        for name, attribute, text in GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["backend"])
            for backend in measured.backends:
                gauge.add_metric([backend.backend_id], getattr(backend, attribute))
            yield gauge
        yield GaugeMetricFamily("domicile_outbox_messages", "Messages that are due.", measured.outbox.messages)
        yield GaugeMetricFamily(
            "domicile_outbox_oldest_seconds", "For how long the oldest of them has been due.", measured.outbox.oldest_seconds
        )


async def run_measuring(context: Context) -> None:
    """Measures until it is cancelled."""
    collector = LagCollector(lambda: 2 * context.settings.measure_seconds + 10)

    async def step() -> bool:
        backends, outbox = await lag.measure_backends(context.database), await lag.measure_outbox(context.database)
        collector.measured = Measured(time.monotonic(), backends, outbox)
        await lag_history.note(context.database, backends)
        await lag_history.forget(context.database, context.settings.lag_history_days)
        return False

    REGISTRY.register(collector)
    try:
        await run_leased(context.database, "measure", lambda: context.settings.measure_seconds, step)
    finally:
        REGISTRY.unregister(collector)
