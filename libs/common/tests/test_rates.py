from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.rates import Bucket

rates = st.floats(0.1, 1000)
steps = st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 5)), max_size=30)  # seconds that pass, amount that is wanted


@given(rates, st.floats(5, 100), steps)
def test_never_more_than_the_burst_and_the_rate(rate, burst, wanted):
    bucket, now, got = Bucket(rate, burst), 0.0, 0.0
    for passed, amount in wanted:
        now += passed
        if not bucket.take(amount, now):
            got += amount
        assert got <= (burst + rate * now) * (1 + 1e-9)


@given(rates, st.floats(5, 100), steps)
def test_who_comes_again_when_told_gets_it(rate, burst, wanted):
    bucket, now = Bucket(rate, burst), 0.0
    for passed, amount in wanted:
        now += passed
        wait = bucket.take(amount, now)
        if wait:
            now += wait * (1 + 1e-6) + 1e-6
            assert bucket.take(amount, now) == 0.0


@given(rates, st.floats(0, 1000))
def test_what_is_overdrawn_is_paid_back_in_time(rate, amount):
    bucket = Bucket(rate, 1.0)
    debt = bucket.spend(amount, 0.0)
    assert debt == pytest.approx(max(0.0, amount - 1.0) / rate)
    assert bucket.debt(debt) == pytest.approx(0.0, abs=1e-6)
