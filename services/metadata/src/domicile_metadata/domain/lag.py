"""How long the copies took of which this process has heard lately. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Final

from domicile_common.model import Value

KEPT: Final = 1000  # for each backend


class Recent(Value, frozen=True):
    """``copies``: how many the quantiles are of; with none, these are ``None``."""

    copies: int
    p50_seconds: float | None
    p99_seconds: float | None


NOTHING: Final = Recent(0, None, None)


class RecentCopies:
    """Of each backend the newest. Reports reach the processes at random, so that each of them sees a fair sample."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))

    def note(self, backend_id: str, seconds: float) -> None:
        self._seconds[backend_id].append(seconds)

    def of(self, backend_id: str) -> Recent:
        known = sorted(self._seconds.get(backend_id, ()))
        if not known:
            return NOTHING
        return Recent(len(known), known[(len(known) - 1) // 2], known[(len(known) - 1) * 99 // 100])
