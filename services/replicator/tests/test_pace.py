from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domicile_common.testing.memory import backend
from domicile_replicator.pace import SLOWEST_STREAM, TokenBucket, share

RATES = st.floats(0.1, 1e9)


@given(RATES, st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 100)), max_size=30))
def test_never_more_than_the_rate_and_a_seconds_worth(rate, asked):
    """Whoever takes waits as long as it is told, or longer."""
    bucket, now, taken = TokenBucket(rate, 0.0), 0.0, 0.0
    for amount, pause in asked:
        bucket.take(amount, now)
        now += bucket.delay(now)
        taken += amount
        assert taken <= rate * (now + 1) * (1 + 1e-6) + 1e-6
        now += pause


@given(RATES, st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_whoever_takes_without_pause_gets_all_of_the_rate(rate, amounts):
    bucket, now = TokenBucket(rate, 0.0), 0.0
    for amount in amounts:
        bucket.take(amount, now)
        now += bucket.delay(now)
    assert now <= max(0.0, sum(amounts) / rate - 1) * (1 + 1e-6) + 1e-6


@given(st.none() | RATES, st.lists(st.tuples(st.floats(0, 1e6), st.floats(-5, 100)), max_size=10))
def test_a_clock_that_goes_backwards_earns_nothing(rate, asked):
    bucket, now, latest, taken = TokenBucket(rate, 0.0), 0.0, 0.0, 0.0
    for amount, step in asked:
        now += step
        latest = max(latest, now)
        bucket.take(amount, now)
        taken += amount
        delay = bucket.delay(latest)
        assert delay == 0 if rate is None else taken - rate * (latest + 1) <= rate * delay * (1 + 1e-6) + 1e-3


@given(RATES, RATES, st.floats(0, 1e6))
def test_a_change_takes_effect_at_once(before, after, amount):
    bucket = TokenBucket(before, 0.0)
    bucket.take(before + amount, 0.0)
    bucket.change(after, 0.0)
    assert abs(bucket.delay(0.0) - amount / after) <= (amount + before) / after * 1e-6 + 1e-6
    bucket.change(None, 0.0)
    assert bucket.delay(0.0) == 0
    bucket.change(after, 0.0)
    assert bucket.delay(0.0) == 0


@given(
    st.integers(1, 20),
    st.integers(1, 100),
    st.none() | st.integers(1, 100),
    st.none() | st.integers(SLOWEST_STREAM, 10**9),
    st.none() | st.floats(0.1, 1000),
)
def test_all_workers_together_keep_to_the_limits(workers, most, jobs, size, requests):
    limited = backend("de", job_limit=jobs, bytes_per_second=size, requests_per_second=requests)
    mine = share(limited, workers, most)
    assert 1 <= mine.jobs <= most
    if jobs is not None:
        assert mine.jobs * workers <= max(jobs, workers)  # each may have one
    assert (mine.bytes_per_second or 0) * workers <= (size or 0) * (1 + 1e-9)
    assert (mine.requests_per_second or 0) * workers <= (requests or 0) * (1 + 1e-9)
    assert (mine.bytes_per_second is None) == (size is None)
    assert mine.jobs == 1 or mine.bytes_per_second is None or mine.bytes_per_second / mine.jobs >= SLOWEST_STREAM
    assert share(backend("de"), workers, most).jobs == most
