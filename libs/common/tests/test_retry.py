from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.retry import SCHEDULES, ErrorClass, Park, next_attempt

LARGEST = 1 - 2**-53


def test_every_class_has_a_schedule():
    assert set(SCHEDULES) == set(get_args(ErrorClass))


def test_the_bound_doubles_up_to_the_cap():
    bounds = [next_attempt("unavailable", attempt, LARGEST) / timedelta(seconds=1) for attempt in (1, 2, 3, 4, 20)]
    assert bounds == pytest.approx([1, 2, 4, 8, 600])


def test_the_jitter_is_full():
    assert next_attempt("refused", 3, 0.0) == timedelta(0)
    assert next_attempt("refused", 3, 0.5) == timedelta(seconds=10)


@pytest.mark.parametrize("error_class,schedule", SCHEDULES.items())
def test_each_class_parks_at_its_last_attempt(error_class, schedule):
    assert isinstance(next_attempt(error_class, schedule.attempts - 1, 0.5), timedelta)
    assert next_attempt(error_class, schedule.attempts, 0.5) == Park(schedule.attempts)


def test_an_outage_is_retried_longest_and_a_mismatch_shortest():
    attempts = {name: schedule.attempts for name, schedule in SCHEDULES.items()}
    assert max(attempts, key=attempts.__getitem__) == "unavailable"
    assert min(attempts, key=attempts.__getitem__) == "mismatch"


@given(st.sampled_from([*SCHEDULES, "from-the-future", ""]), st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_any_failure_gets_a_bounded_delay_or_parks(error_class, attempt, random_unit):
    schedule = SCHEDULES.get(error_class, SCHEDULES["internal"])
    decision = next_attempt(error_class, attempt, random_unit)
    if isinstance(decision, Park):
        assert attempt >= schedule.attempts
    else:
        assert timedelta(0) <= decision <= timedelta(seconds=schedule.cap)
