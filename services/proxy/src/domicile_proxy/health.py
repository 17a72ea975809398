"""Which backends to avoid for now, judged by what happened to our own requests.

A backend that failed is avoided for a second, twice as long after each further failure, up to a limit. When that time is over one
caller may try it (half-open) while the others go on avoiding it. A success forgets everything.

Only what is the backend's own doing counts: it could not be reached, refused to serve, or kept us waiting. A transfer that broke off
while the client was slow says nothing, else one tenant could make a backend look ill to the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0


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

    def failed(self, backend_id: str) -> None:
        known = self._ill.get(backend_id)
        if known and not known.on_trial:
            return  # whatever was under way when it fell ill is one failure, not many
        failures = known.failures + 1 if known else 1
        self._ill[backend_id] = _Illness(failures, self._clock() + _pause(failures))

    def succeeded(self, backend_id: str) -> None:
        if self._ill:
            self._ill.pop(backend_id, None)

    def avoided(self) -> tuple[str, ...]:
        """The backends to keep away from. One whose pause is over is left out once: the caller's request is its trial."""
        return tuple(backend_id for backend_id in self._ill if not self._may_try(backend_id))

    def _may_try(self, backend_id: str) -> bool:
        illness = self._ill[backend_id]
        if self._clock() < illness.avoid_until:
            return False
        illness.on_trial = True
        illness.avoid_until = self._clock() + _pause(illness.failures)
        return True


def _pause(failures: int) -> float:
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 16), LONGEST_PAUSE)
