"""Which backends to avoid for now, and how fast the others answer, judged by what happens to our own requests.

A circuit breaker for each backend: one that failed is avoided for a second, twice as long after each further failure, up to a limit. When
that time is over it is tried (``probing.py``), so that no client's request is the trial. A success forgets everything.

Only what is the backend's own doing counts: it could not be reached, refused to serve, or kept us waiting. A transfer that broke off
while the client was slow says nothing, else one tenant could make a backend look ill to the others.

And which copies to avoid: those that were missing, or not what the record says. Metadata is told of them (``reporting.py``), so that they
are looked at and made anew (docs/adr/0051).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from domicile_common.metadata_client.health import Doubt, Seen
from domicile_common.model import Blob
from domicile_proxy import metrics

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
WEIGHT = 0.1  # of the newest answer in the average
DOUBT_SECONDS = 600.0
MOST_DOUBTS = 10_000
MOST_TOLD = 100  # at once


@dataclass(slots=True)
class _Illness:
    failures: int
    avoid_until: float
    on_trial: bool = False


class Health:
    """``clock``: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ill: dict[str, _Illness] = {}
        self._seconds: dict[str, float] = {}
        self._served: set[str] = set()
        self._doubts: dict[Blob, float] = {}  # until when, the oldest first
        self._untold: dict[Blob, Doubt] = {}

    def failed(self, backend_id: str) -> None:
        known = self._ill.get(backend_id)
        if known and not known.on_trial:
            return  # whatever was under way when it fell ill is one failure, not many
        failures = known.failures + 1 if known else 1
        self._ill[backend_id] = _Illness(failures, self._clock() + _pause(failures))
        metrics.AVOIDED.labels(backend_id).set(1)

    def succeeded(self, backend_id: str) -> None:
        self._served.add(backend_id)
        if backend_id in self._ill:
            del self._ill[backend_id]
            metrics.AVOIDED.labels(backend_id).set(0)

    def answered(self, backend_id: str, seconds: float) -> None:
        """It began to deliver after so many seconds."""
        self.succeeded(backend_id)
        known = self._seconds.get(backend_id, seconds)
        self._seconds[backend_id] = known + (seconds - known) * WEIGHT

    def seconds(self, backend_id: str) -> float:
        """How long it takes to begin to deliver, on average; 0 for one that was never asked, so that it will be."""
        return self._seconds.get(backend_id, 0.0)

    def doubt(self, doubt: Doubt) -> None:
        """It was not what it should be; its bytes may also have been changed on their way."""
        copy = doubt.blob
        self._doubts.pop(copy, None)
        if len(self._doubts) == MOST_DOUBTS:
            forgotten = next(iter(self._doubts))
            del self._doubts[forgotten]
            self._untold.pop(forgotten, None)
        self._doubts[copy] = self._clock() + DOUBT_SECONDS
        self._untold[copy] = doubt

    def doubts(self, copy: Blob) -> bool:
        return bool(self._doubts) and self._doubts.get(copy, 0.0) > self._clock()

    def untold(self) -> tuple[Doubt, ...]:
        """Those of which metadata was not told yet; the first, where there are many: each costs a worker a look."""
        return tuple(islice(self._untold.values(), MOST_TOLD))

    def told(self, doubts: Iterable[Doubt]) -> None:
        for doubt in doubts:
            self._untold.pop(doubt.blob, None)

    def seen(self) -> tuple[Seen, ...]:
        """All that is known: of backends that have served, or failed."""
        known = sorted(self._ill.keys() | self._served)
        return tuple(Seen(backend_id, backend_id in self._ill, self.seconds(backend_id)) for backend_id in known)

    def avoided(self) -> tuple[str, ...]:
        """The backends to keep away from."""
        return tuple(self._ill)

    def on_trial(self) -> list[str]:
        """Those whose pause is over. The caller tries each now, and says how it went."""
        now = self._clock()
        due = [backend_id for backend_id, illness in self._ill.items() if illness.avoid_until <= now]
        for backend_id in due:
            illness = self._ill[backend_id]
            illness.on_trial = True
            illness.avoid_until = now + _pause(illness.failures)
        return due


def _pause(failures: int) -> float:
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 16), LONGEST_PAUSE)
