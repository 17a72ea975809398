"""What a replicator counts."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

JOBS: Final = Counter("domicile_replicator_jobs", "Jobs by what became of them.", ["backend", "outcome"])
SENT_BYTES: Final = Counter("domicile_replicator_sent_bytes", "Bytes of verified copies.", ["backend"])
CONSUMING: Final = Gauge("domicile_replicator_consuming", "1 while jobs are taken from the backend's queue.", ["backend"])
IN_FLIGHT: Final = Gauge("domicile_replicator_jobs_in_flight", "Jobs in hand.", ["backend"])
LAG_SECONDS: Final = Histogram(
    "domicile_replicator_lag_seconds",
    "From the commit of a version to its verified copy.",
    ["backend"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200),
)
FINDINGS: Final = Counter(
    "domicile_replicator_findings", "What scrubs found that is not as the record says.", ["backend", "kind"]
)
TASKS: Final = Counter("domicile_replicator_tasks", "Long tasks by what became of them here.", ["kind", "outcome"])
