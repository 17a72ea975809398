from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.bucket_settings import LifecycleFilter, LifecycleRule
from domicile_common.lifecycle import Expiry, due_at, expiry, midnight_before, old_before, upload_expiry

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("made", "days", "due"),
    [
        (NOON, 1, datetime(2026, 2, 2, tzinfo=UTC)),
        (MIDNIGHT, 1, datetime(2026, 2, 2, tzinfo=UTC)),
        (NOON, 30, datetime(2026, 3, 3, tzinfo=UTC)),
    ],
)
def test_ages_end_at_midnight(made, days, due):
    assert due_at(made, days) == due


@given(
    st.timedeltas(timedelta(0), timedelta(days=40_000)).map(lambda age: datetime(2000, 1, 1, tzinfo=UTC) + age),
    st.integers(1, 4000) | st.integers(1, 2**31 - 1),
    st.timedeltas(timedelta(0), timedelta(days=9000)),
)
def test_what_is_shown_is_what_is_done(made, days, later):
    now = made + later
    assert (due_at(made, days) <= now) is (made <= old_before(now, days))
    assert midnight_before(due_at(made, days)) == due_at(made, days)


def test_the_first_rule_to_come_counts():
    rules = (
        LifecycleRule("off", enabled=False, expire_days=1),
        LifecycleRule("late", enabled=True, expire_days=30),
        LifecycleRule("date", enabled=True, expire_date=MIDNIGHT + timedelta(days=3)),
        LifecycleRule("other", enabled=True, expire_days=1, filter=LifecycleFilter(prefix="x")),
        LifecycleRule("versions", enabled=True, noncurrent_days=1),
    )
    assert expiry(rules, "k", 1, {}, NOON) == Expiry(MIDNIGHT + timedelta(days=3), "date")
    assert expiry(rules[:1], "k", 1, {}, NOON) is None


def test_uploads_end_by_the_first_rule_to_come():
    rules = (
        LifecycleRule("off", enabled=False, abort_days=1),
        LifecycleRule("late", enabled=True, abort_days=7),
        LifecycleRule("logs", enabled=True, abort_days=2, filter=LifecycleFilter(prefix="logs/")),
        LifecycleRule("objects", enabled=True, expire_days=1),
    )
    assert upload_expiry(rules, "logs/a", NOON) == Expiry(due_at(NOON, 2), "logs")
    assert upload_expiry(rules, "a", NOON) == Expiry(due_at(NOON, 7), "late")
    assert upload_expiry(rules[:1], "a", NOON) is None
