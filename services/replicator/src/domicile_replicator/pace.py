"""How fast replicators may go at a backend. Pure: the clock is an argument, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domicile_common.model import Backend

SLOWEST_STREAM: Final = 65_536  # bytes a second below which a backend may take a body for one that has died


class TokenBucket:
    """So much a second, and after a pause a second's worth at once. What is taken may be owed: ``delay`` tells until when."""

    def __init__(self, rate: float | None, now: float) -> None:
        """``rate``: a second; ``None``: no limit."""
        self.rate = rate
        self._left = rate or 0.0
        self._then = now

    def take(self, amount: float, now: float) -> None:
        self._fill(now)
        self._left -= amount

    def delay(self, now: float) -> float:
        """Seconds until what was taken has been earned."""
        self._fill(now)
        return 0.0 if self.rate is None else max(0.0, -self._left / self.rate)

    def change(self, rate: float | None, now: float) -> None:
        """What is owed stays owed, at the new rate."""
        self._fill(now)
        if self.rate is None:
            self._left = rate or 0.0
        self.rate = rate

    def _fill(self, now: float) -> None:
        if self.rate is not None:
            self._left = min(self.rate, self._left + (now - self._then) * self.rate)
        self._then = max(self._then, now)


@dataclass(frozen=True, slots=True)
class Share:
    """What one process may do at a backend: ``jobs`` at a time; bytes and requests a second, ``None``: as many as it can."""

    jobs: int
    bytes_per_second: float | None = None
    requests_per_second: float | None = None


def is_limited(backend: Backend) -> bool:
    return not backend.job_limit is backend.bytes_per_second is backend.requests_per_second is None


def share(backend: Backend, workers: int, most_jobs: int) -> Share:
    """Of the limits of a backend that ``workers`` processes work for; each may have one job at a time. ``most_jobs``: its own limit.

    Of a low byte rate, each job gets enough that the backend does not think it dead.
    """
    workers = max(workers, 1)
    jobs = most_jobs if backend.job_limit is None else min(most_jobs, backend.job_limit // workers)
    size = None if backend.bytes_per_second is None else backend.bytes_per_second / workers
    if size is not None:
        jobs = min(jobs, int(size // SLOWEST_STREAM))
    requests = None if backend.requests_per_second is None else backend.requests_per_second / workers
    return Share(max(jobs, 1), size, requests)
