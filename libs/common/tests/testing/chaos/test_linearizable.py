"""The checker against the definition itself, tried out on all orders of short histories, and on histories that are right by construction."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from domicile_common.testing.chaos.linearizable import (
    ABSENT,
    MARKER,
    Clear,
    Erase,
    Event,
    Find,
    FindAll,
    Refuse,
    See,
    Step,
    Write,
    apply,
    unexplained,
)

TOKENS = st.sampled_from("ab")
SEEN = st.sampled_from([ABSENT, frozenset("a"), frozenset("b"), frozenset("ab")])
REGISTER = st.one_of(
    st.builds(Write, TOKENS),
    st.builds(Write, TOKENS, condition=SEEN),
    st.just(Clear()),
    st.builds(See, SEEN),
    st.builds(Refuse, SEEN),
)
VERSIONS = st.one_of(
    st.builds(Write, st.sampled_from(["a", "b", f"{MARKER}c"]), keeps=st.just(True)),
    st.builds(Erase, TOKENS),
    st.builds(See, SEEN),
    st.builds(Find, TOKENS, st.booleans()),
    st.builds(FindAll, st.lists(st.sampled_from(["a", "b", f"{MARKER}c"]), max_size=3, unique=True).map(tuple)),
)


def is_linearizable(events: list[Event]) -> bool:
    """By definition: some order of the events (of any of those that may never have happened) that time and the model allow."""
    open_ = [event for event in events if event.returned is None]
    closed = [event for event in events if event.returned is not None]
    for taken in range(1 << len(open_)):
        chosen = closed + [event for bit, event in enumerate(open_) if taken >> bit & 1]
        if any(is_in_time(order) and is_possible(order) for order in permutations(chosen)):
            return True
    return False


def is_in_time(order: tuple[Event, ...]) -> bool:
    return not any(
        later.returned is not None and later.returned < earlier.invoked
        for position, earlier in enumerate(order)
        for later in order[position + 1 :]
    )


def is_possible(order: tuple[Event, ...]) -> bool:
    state: tuple[str, ...] | None = ()
    for event in order:
        state = None if state is None else apply(event.step, state)
    return state is not None


@st.composite
def histories(draw, steps, may_be_open):
    """Overlapping at random; ``may_be_open``: whether a step may be ambiguous."""
    events = []
    for number in range(draw(st.integers(1, 5))):
        step = draw(steps)
        invoked = draw(st.integers(0, 8))
        if isinstance(step, Write) and step.keeps and step in [event.step for event in events]:
            continue  # each version is made once
        is_open = may_be_open(step) and draw(st.booleans())
        events.append(Event(number, step, invoked, None if is_open else invoked + draw(st.integers(0, 4))))
    return events


@settings(max_examples=150)
@given(histories(REGISTER, lambda step: isinstance(step, Write | Clear)))
def test_it_agrees_with_the_definition_on_keys_without_versions(events):
    assert (unexplained(events) == []) == is_linearizable(events)


@settings(max_examples=150)
@given(histories(VERSIONS, lambda step: isinstance(step, Erase)))
def test_it_agrees_with_the_definition_on_keys_with_versions(events):
    assert (unexplained(events) == []) == is_linearizable(events)


def possible_sight(chance, state: tuple[str, ...]) -> Step:
    found = ABSENT if not state or state[-1].startswith(MARKER) else frozenset(state[-1:])
    return chance.choice([See(found), FindAll(state), Find("w1", "w1" in state)])


@settings(max_examples=50)
@given(st.randoms(use_true_random=False), st.integers(1, 60), st.booleans())
def test_whatever_really_happened_is_explained(chance, length, keeps):
    """Operations take effect one after the other; their intervals reach out to both sides at random, and some never return."""
    state: tuple[str, ...] | None = ()
    events = []
    for number in range(length):
        assert state is not None
        removal = Erase(chance.choice([*state, "w0"])) if keeps else Clear()
        step = chance.choice([Write(f"w{number}", keeps), removal, possible_sight(chance, state)])
        after = apply(step, state)
        assert after is not None
        may_be_open = isinstance(step, Clear | Erase) or (isinstance(step, Write) and not keeps)
        is_open = may_be_open and chance.random() < 0.2
        when = 10 * number
        # An ambiguous one may as well never take effect.
        state = state if is_open and chance.random() < 0.5 else after
        events.append(Event(number, step, when - chance.randrange(30), None if is_open else when + chance.randrange(30)))
    assert unexplained(events) == []


def test_what_is_not_explained_is_named_and_the_rest_is_still_checked():
    events = [
        Event(1, Write("a"), 0, 1),
        Event(2, See(ABSENT), 2, 3),
        Event(3, See(frozenset("a")), 4, 5),
        Event(4, Write("b"), 6, 7),
        Event(5, See(frozenset("a")), 8, 9),
    ]
    assert [event.number for event in unexplained(events)] == [2, 5]


def test_an_ambiguous_operation_takes_effect_once():
    write, clear = Event(1, Write("a"), 0, 1), Event(2, Clear(), 2, None)
    lost = Event(3, See(ABSENT), 3, 4)
    again, lost_again = Event(4, Write("b"), 5, 6), Event(5, See(ABSENT), 7, 8)
    assert unexplained([write, clear, lost]) == []
    assert unexplained([write, clear, again, lost_again]) == []
    assert unexplained([write, clear, lost, again, lost_again]) == [lost_again]


def test_hundreds_of_ambiguous_operations_cost_little():
    events = [Event(number, Write("?") if number % 2 else Clear(), number, None) for number in range(400)]
    events += [Event(500 + number, Write(f"w{number}"), 1000 + 2 * number, 1001 + 2 * number) for number in range(300)]
    events += [Event(900 + number, See(frozenset({f"w{number}"})), 1001 + 2 * number, 1002 + 2 * number) for number in range(299)]
    assert unexplained(events) == []


def test_dozens_of_erasures_without_an_answer_and_many_writes_at_once_cost_little():
    """As of a key that keeps versions after ten minutes of faults: ten writes at a time, a list now and then, erasures that may have been done."""
    events, versions = [], ()
    for number in range(400):
        events.append(Event(number, Write(f"w{number}", keeps=True), 100 * number, 100 * number + 1000))
        versions += (f"w{number}",)
        if number % 10 == 0:
            events.append(Event(1000 + number, Erase(f"w{number}"), 100 * number + 2000, None))
        if number % 20 == 19:
            versions = tuple(version for version in versions if int(version[1:]) % 20 or int(version[1:]) > number - 40)
            events.append(Event(2000 + number, FindAll(versions), 100 * number, 100 * number + 1))
    assert unexplained(events) == []
    wrong = Event(3000, FindAll((*versions[:-2], versions[-1], versions[-2])), 50_000, 50_001)
    assert unexplained([*events, wrong]) == [wrong]
