"""Whether one order of operations explains all that was seen of one key. Pure.

Each operation takes effect at one moment between its invocation and its return. What failed ambiguously (no answer, 5xx) may do so at any
moment after its invocation, or never. The algorithm is Wing & Gong's in the form of Lowe ("Testing for linearizability", 2017): time is
walked through once with the set of all configurations that are still possible, and an operation is put into order only when its return
asks for it. A configuration is the state of the key, which of the operations under way have taken effect, and which of the ambiguous ones.

What keeps it small although ambiguous operations never end: one of them is put into order only right before an operation that could not be
explained without it; those that would do the same are interchangeable, so the one that was invoked first is taken first; and a configuration
that differs from another only by having used up more of them can do nothing that the other cannot. Waiting is right where what is
ambiguous either replaces the whole state (writes and deletions of a key without versions) or commutes with whatever may come before it is
needed (the erasure of a version, of which only those that are in the way are needed). New versions of a key that keeps them do neither: they
must not be ambiguous (``history`` sees to that), and each has a token of its own.

Two more: what only looks is put into order as soon as it finds what it has found, since it changes nothing; and of versions that came about
at the same time, the order is the one in which later lists have them.

The state of a key is the tuple of its versions, oldest first; without versioning, of one version at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

State = tuple[str, ...]
MARKER: Final = "marker"
"""What the tokens of delete markers begin with."""
ABSENT: Final[frozenset[str]] = frozenset()
"""As what is seen: nothing. As a condition: that nothing is there."""


@dataclass(frozen=True, slots=True)
class Write:
    """A new version. ``keeps``: the ones before it stay. ``condition``: one of these is current (``ABSENT``: nothing is); ``None``: none."""

    token: str
    keeps: bool = False
    condition: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """The key is deleted, and keeps nothing."""


@dataclass(frozen=True, slots=True)
class Erase:
    """One version goes for good."""

    token: str


@dataclass(frozen=True, slots=True)
class See:
    """The current version was found to be one of these; ``ABSENT``: there was none."""

    tokens: frozenset[str]


@dataclass(frozen=True, slots=True)
class Find:
    """A version was asked for by its id, and was there or not."""

    token: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class FindAll:
    """All versions were listed, oldest first."""

    versions: State


@dataclass(frozen=True, slots=True)
class Refuse:
    """A condition was found not to hold."""

    condition: frozenset[str]


Sight = See | Find | FindAll | Refuse
Step = Write | Clear | Erase | Sight


@dataclass(frozen=True, slots=True)
class Event:
    """One operation on one key. ``invoked``, ``returned``: on one clock; ``returned`` is ``None`` when it may take effect later, or never.

    ``number``: of the client's operation, to tell which one it was.
    """

    number: int
    step: Step
    invoked: int
    returned: int | None


def current(state: State) -> frozenset[str]:
    return ABSENT if not state or state[-1].startswith(MARKER) else frozenset(state[-1:])


def holds(condition: frozenset[str], state: State) -> bool:
    found = current(state)
    return found <= condition and bool(found) == bool(condition)


def apply(step: Step, state: State) -> State | None:  # noqa: PLR0911 -- one for each step
    """The state afterwards; ``None`` when the step cannot have been seen in this state."""
    match step:
        case Write(token, keeps, condition):
            written = (*state, token) if keeps else (token,)
            return written if condition is None or holds(condition, state) else None
        case Clear():
            return ()
        case Erase(token):
            return tuple(version for version in state if version != token)
        case See(tokens):
            return state if holds(tokens, state) else None
        case Find(token, is_there):
            return state if (token in state) == is_there else None
        case FindAll(versions):
            return state if versions == state else None
        case Refuse(condition):
            return None if holds(condition, state) else state


def leads_to(ambiguous: Step, step: Step) -> bool:
    """Whether the one may be what the other, impossible as things are, has to wait for. Of a key without versions."""
    after = apply(Write(ambiguous.token) if isinstance(ambiguous, Write) else ambiguous, ())
    return after is not None and apply(step, after) is not None


def in_the_way(step: Step, state: State) -> State:
    """The fewest versions without which the step, impossible as things are, is possible; none when there are no such. Of a key with versions."""
    match step:
        case Find(token, is_there):
            return () if is_there else (token,)
        case FindAll(versions):
            return tuple(version for version in state if version not in versions)
    for left in range(len(state) - 1, -1, -1):  # only what comes last shows
        if apply(step, state[:left]) is not None:
            return state[left:]
    return ()


def listed_before(events: Iterable[Event]) -> dict[str, set[str]]:
    """By version, those that lists have before it; without what lists contradict each other about."""
    before: dict[str, set[str]] = {}
    for versions in {event.step.versions for event in events if isinstance(event.step, FindAll)}:
        for position, token in enumerate(versions):
            before.setdefault(token, set()).update(versions[:position])
    return {token: {other for other in others if token not in before[other]} for token, others in before.items()}


class _Configuration(NamedTuple):
    """``done``: of the operations under way, those that have taken effect; ``used``: of the ambiguous ones."""

    state: State
    done: frozenset[int]
    used: frozenset[int]


def unexplained(events: Sequence[Event], initial: State = ()) -> list[Event]:
    """The events that no order explains, each left out before the search goes on; none when the history is linearizable."""
    search = _Search(events, initial)
    return [events[index] for index in search.returns() if not search.explain(index)]


class _Search:
    """``to_come``: not invoked yet; ``under_way``: invoked, and will return; ``open``: ambiguous ones, by what they would do."""

    def __init__(self, events: Sequence[Event], initial: State) -> None:
        self._events = events
        self._listed_before = listed_before(events)
        self._writes = {event.step.token: index for index, event in enumerate(events) if isinstance(event.step, Write)}
        self._possible = {_Configuration(initial, frozenset(), frozenset())}
        self._to_come = set(range(len(events)))
        self._under_way: set[int] = set()
        self._open: dict[Step, list[int]] = {}

    def returns(self) -> Iterator[int]:
        """Walks through time: each event at the moment when it returns."""
        moments: list[tuple[int, int, int]] = []
        for index, event in enumerate(self._events):
            moments.append((event.invoked, 0, index))  # at the same moment, the invocation is first: they may overlap
            if event.returned is not None:
                moments.append((event.returned, 1, index))
        for _, is_return, index in sorted(moments):
            if is_return:
                yield index
            else:
                self._invoke(index)

    def _invoke(self, index: int) -> None:
        self._to_come.discard(index)
        if self._events[index].returned is None:
            self._open.setdefault(self._events[index].step, []).append(index)
        else:
            self._under_way.add(index)
            self._possible = {self._seeing(it, {index}) for it in self._possible}

    def explain(self, index: int) -> bool:
        """Whether the event can have taken effect by now; leaves the configurations in which it has, or else as they were without it."""
        reached = self._reach(index, in_order=True) or self._reach(index, in_order=False)
        self._under_way.discard(index)
        kept = reached or self._possible
        self._possible = _least({it._replace(done=it.done - {index}) for it in kept})
        return bool(reached)

    def _reach(self, index: int, *, in_order: bool) -> set[_Configuration]:
        """The first configurations in which the event has taken effect. ``in_order``: versions come about in the order in which lists have them."""
        reached: set[_Configuration] = set()
        seen = set(self._possible)
        stack = list(self._possible)
        while stack:
            configuration = stack.pop()
            if index in configuration.done:
                reached.add(configuration)
                continue
            for following in self._following(configuration, in_order=in_order):
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
        return reached

    def _following(self, configuration: _Configuration, *, in_order: bool) -> Iterator[_Configuration]:
        for index in self._under_way - configuration.done:
            step = self._events[index].step
            if in_order and self._is_too_early(step, configuration):
                continue
            for state, used in self._enabling(step, configuration):
                after = apply(step, state)
                assert after is not None
                yield self._seeing(_Configuration(after, configuration.done | {index}, used), self._under_way)

    def _seeing(self, configuration: _Configuration, indices: Iterable[int]) -> _Configuration:
        """With those of the operations done that only look, and find what they have found: to look changes nothing, so it need not wait."""
        state, done, used = configuration
        sights = {
            index
            for index in indices
            if index not in done and isinstance(step := self._events[index].step, Sight) and apply(step, state) is not None
        }
        return _Configuration(state, done | sights, used) if sights else configuration

    def _is_too_early(self, step: Step, configuration: _Configuration) -> bool:
        """Whether a version is still to be written that lists have before this one."""
        if not isinstance(step, Write) or not step.keeps:
            return False
        before = (self._writes.get(token) for token in self._listed_before.get(step.token, ()))
        return any(index in self._to_come or index in self._under_way - configuration.done for index in before)

    def _enabling(self, step: Step, configuration: _Configuration) -> Iterator[tuple[State, frozenset[int]]]:
        """The states in which the step is possible, with as few ambiguous operations before it as that takes."""
        if apply(step, configuration.state) is not None:
            yield configuration.state, configuration.used
        elif any(isinstance(other, Erase) for other in self._open):
            yield from self._erasing(step, configuration)
        else:
            yield from self._replacing(step, configuration)

    def _erasing(self, step: Step, configuration: _Configuration) -> Iterator[tuple[State, frozenset[int]]]:
        """The order of erasures does not matter, so there is one such state at most."""
        state, used = configuration.state, configuration.used
        for token in in_the_way(step, state):
            left = self._left(Erase(token), used)
            if left is None:
                return
            state, used = tuple(version for version in state if version != token), used | {left}
        if apply(step, state) is not None:
            yield state, used

    def _replacing(self, step: Step, configuration: _Configuration) -> Iterator[tuple[State, frozenset[int]]]:
        helpful = self._helpful(step)
        seen = {configuration.state}
        layer = [(configuration.state, configuration.used)]
        while layer:
            following: list[tuple[State, frozenset[int]]] = []
            for state, used in layer:
                if apply(step, state) is not None:
                    yield state, used
                else:
                    following += [(after, more) for after, more in self._ambiguous(helpful, state, used) if after not in seen]
            seen.update(state for state, _ in following)
            layer = list(dict.fromkeys(following))

    def _helpful(self, step: Step) -> list[Step]:
        """Of what is open, what can bring the step about, or something else that can."""
        helpful = [other for other in self._open if leads_to(other, step)]
        for other in helpful:  # which grows meanwhile
            if isinstance(other, Write) and other.condition is not None:
                helpful += [before for before in self._open if before not in helpful and leads_to(before, other)]
        return helpful

    def _ambiguous(self, helpful: Iterable[Step], state: State, used: frozenset[int]) -> Iterator[tuple[State, frozenset[int]]]:
        for step in helpful:
            after = apply(step, state)
            left = self._left(step, used)
            if left is not None and after is not None:
                yield after, used | {left}

    def _left(self, step: Step, used: frozenset[int]) -> int | None:
        """The first of the ambiguous operations that would do this and has not been put into order."""
        return next((index for index in self._open.get(step, ()) if index not in used), None)


def _least(configurations: Iterable[_Configuration]) -> set[_Configuration]:
    """Without those that have used up more than another one that is otherwise the same."""
    alike: dict[tuple[State, frozenset[int]], list[frozenset[int]]] = {}
    for state, done, used in sorted(configurations, key=lambda each: len(each.used)):
        smaller = alike.setdefault((state, done), [])
        if not any(other <= used for other in smaller):
            smaller.append(used)
    return {_Configuration(state, done, used) for (state, done), each in alike.items() for used in each}
