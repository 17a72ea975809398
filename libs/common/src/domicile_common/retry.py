"""When work that failed is tried again, or given up for now. Pure: the caller brings the random number.

Exponential backoff with full jitter: the delay is drawn evenly between nothing and a bound that doubles with each attempt, so that
workers that failed together do not come back together. Parking is for an operator to see and to replay; it loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple

ErrorClass = Literal["unavailable", "refused", "missing_source", "mismatch", "namespace", "internal"]


class Park(NamedTuple):
    """Stop trying after ``attempts`` failures; an operator must look."""

    attempts: int


class Schedule(NamedTuple):
    """``first``/``cap``: bounds of the first and of any delay, in seconds. ``attempts``: how many failures lead to parking."""

    first: float
    cap: float
    attempts: int


SCHEDULES: Mapping[ErrorClass, Schedule] = MappingProxyType(
    {
        "unavailable": Schedule(
            1, 600, 100
        ),  # no answer, timeout, 5xx: an outage ends by itself, after 8 hours an operator should know
        "refused": Schedule(5, 300, 8),  # 401, 403, another 4xx: a registration is wrong until somebody corrects it
        "missing_source": Schedule(5, 300, 8),  # no source has the blob: another replica may still come about
        "mismatch": Schedule(2, 60, 7),  # a link that garbles may do so for a minute; then the source is damaged
        "namespace": Schedule(2, 300, 10),  # the physical bucket is missing or could not be made
        "internal": Schedule(5, 300, 10),  # a bug, or a class that only a newer worker knows
    }
)


def next_attempt(error_class: str, attempt: int, random_unit: float) -> timedelta | Park:
    """How long to wait after failure number ``attempt`` (from 1), or ``Park``. ``random_unit``: a random number in [0, 1)."""
    schedule = SCHEDULES.get(error_class, SCHEDULES["internal"])  # type: ignore[call-overload] # the class comes from another process
    if attempt >= schedule.attempts:
        return Park(attempt)
    doublings = min(max(attempt, 1) - 1, 32)  # keeps the power small; every cap is reached long before
    return timedelta(seconds=random_unit * min(schedule.cap, schedule.first * 2**doublings))
