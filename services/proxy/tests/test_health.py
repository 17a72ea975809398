from __future__ import annotations

import pytest

from domicile_proxy.health import LONGEST_PAUSE, Health


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def test_a_failed_backend_is_avoided_until_its_pause_is_over(health: Health, clock: Clock):
    health.failed("fi")
    assert health.avoided() == ("fi",)
    clock.now = 0.9
    assert health.avoided() == ("fi",)
    clock.now = 1.0
    assert health.avoided() == ()


def test_only_one_caller_is_the_trial(health: Health, clock: Clock):
    health.failed("fi")
    clock.now = 1.0
    assert health.avoided() == ()
    assert health.avoided() == ("fi",)


def test_a_failed_trial_doubles_the_pause_and_a_passed_one_ends_it(health: Health, clock: Clock):
    health.failed("fi")
    clock.now = 1.0
    health.avoided()
    health.failed("fi")
    clock.now = 2.9
    assert health.avoided() == ("fi",)
    clock.now = 3.0
    assert health.avoided() == ()
    health.succeeded("fi")
    assert health.avoided() == ()
    assert health.avoided() == ()


def test_requests_that_were_under_way_count_as_one_failure(health: Health, clock: Clock):
    for _ in range(50):
        health.failed("fi")
    clock.now = 1.0
    assert health.avoided() == ()


def test_the_pause_has_a_limit(health: Health, clock: Clock):
    for _ in range(30):
        health.failed("fi")
        clock.now += LONGEST_PAUSE
        assert health.avoided() == ()


def test_backends_are_judged_apart(health: Health):
    health.failed("fi")
    health.failed("de")
    health.succeeded("fi")
    assert health.avoided() == ("de",)
