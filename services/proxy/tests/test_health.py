from __future__ import annotations

import pytest

from domicile_common.metadata_client.health import Doubt, Seen
from domicile_common.model import Blob
from domicile_proxy import health as judging
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


def test_a_failed_backend_is_avoided_until_it_was_tried(health: Health, clock: Clock):
    health.failed("fi")
    clock.now = 0.9
    assert (health.avoided(), health.on_trial()) == (("fi",), [])
    clock.now = 1.0
    assert (health.avoided(), health.on_trial()) == (("fi",), ["fi"])
    assert health.on_trial() == []
    assert health.avoided() == ("fi",)
    health.succeeded("fi")
    assert health.avoided() == ()


def test_a_copy_of_wrong_bytes_is_doubted_for_a_while(health: Health, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(judging, "MOST_DOUBTS", 2)
    first, second, third = (Blob("fi", "bucket", key) for key in "abc")
    doubts = {copy: Doubt("b", "v", copy) for copy in (first, second, third)}
    for copy in (first, second, first, third):
        health.doubt(doubts[copy])
    assert [health.doubts(copy) for copy in (first, second, third)] == [True, False, True]
    assert not health.doubts(Blob("de", "bucket", "a"))
    assert health.untold() == (doubts[first], doubts[third])
    with monkeypatch.context() as patch:
        patch.setattr(judging, "MOST_TOLD", 1)
        assert health.untold() == (doubts[first],)
    health.told([doubts[first], doubts[second]])
    assert health.untold() == (doubts[third],)
    clock.now = judging.DOUBT_SECONDS
    assert not health.doubts(first)


def test_a_failed_trial_doubles_the_pause(health: Health, clock: Clock):
    health.failed("fi")
    clock.now = 1.0
    assert health.on_trial() == ["fi"]
    health.failed("fi")
    clock.now = 2.9
    assert health.on_trial() == []
    clock.now = 3.0
    assert health.on_trial() == ["fi"]


def test_a_trial_without_an_outcome_is_made_again(health: Health, clock: Clock):
    health.failed("fi")
    clock.now = 1.0
    assert health.on_trial() == ["fi"]
    clock.now = 2.0
    assert health.on_trial() == ["fi"]


def test_requests_that_were_under_way_count_as_one_failure(health: Health, clock: Clock):
    for _ in range(50):
        health.failed("fi")
    clock.now = 1.0
    assert health.on_trial() == ["fi"]


def test_the_pause_has_a_limit(health: Health, clock: Clock):
    for _ in range(30):
        health.failed("fi")
        clock.now += LONGEST_PAUSE
        assert health.on_trial() == ["fi"]


def test_backends_are_judged_apart(health: Health):
    health.failed("fi")
    health.failed("de")
    health.succeeded("fi")
    assert health.avoided() == ("de",)


def test_how_fast_a_backend_answers_is_an_average(health: Health):
    assert health.seconds("fi") == 0
    health.answered("fi", 1.0)
    assert health.seconds("fi") == 1.0
    for _ in range(100):
        health.answered("fi", 0.5)
    assert health.seconds("fi") == pytest.approx(0.5, abs=0.01)


def test_an_answer_ends_an_illness(health: Health):
    health.failed("fi")
    health.answered("fi", 0.1)
    assert health.avoided() == ()


def test_what_is_known_of_backends_can_be_told(health: Health):
    assert health.seen() == ()
    health.answered("fi", 0.25)
    health.failed("de")
    health.succeeded("se")  # by a write, of which nobody waits for the first byte
    assert health.seen() == (
        Seen("de", is_avoided=True, seconds=0.0),
        Seen("fi", is_avoided=False, seconds=0.25),
        Seen("se", is_avoided=False, seconds=0.0),
    )
