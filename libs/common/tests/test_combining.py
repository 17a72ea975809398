"""Branch and bound against looking at every choice."""

from __future__ import annotations

from functools import reduce
from itertools import combinations
from math import comb

from hypothesis import given
from hypothesis import strategies as st

from domicile_common import combining
from domicile_common.combining import NOTHING, Traits, best, score, together

bits = st.integers(0, 3).map(lambda bit: 1 << bit)
sets = st.integers(0, 15)
traits = st.builds(
    Traits, part=bits, countries=bits, providers=bits, jurisdictions=sets, features=sets, rank=st.integers(0, 2), cost=sets
)
places = st.lists(traits, max_size=9).flatmap(
    lambda found: st.permutations(range(len(found))).map(
        lambda names: [(f"n{name}", it) for name, it in zip(names, found, strict=True)]
    )
)


@given(places, st.integers(1, 5), st.integers(1, 20))
def test_the_same_are_found_as_among_all(places, count, limit):
    every = [it for it in combinations(range(len(places)), count) if len({places[index][1].part for index in it}) == count]
    every.sort(
        key=lambda it: (
            score(reduce(together, (places[index][1] for index in it), NOTHING)),
            sorted(places[index][0] for index in it),
        )
    )
    assert best(places, count, limit) == every[:limit]


@given(traits, st.lists(traits, min_size=1, max_size=6))
def test_what_a_beginning_comes_to_at_best_is_never_worse_than_what_it_comes_to(first, others):
    assert score(first, len(others)) <= score(reduce(together, others, first))


def test_beginnings_that_come_to_nothing_are_left(monkeypatch):
    """Of 3.8 million choices, most have places in them that share a country or cost more."""
    places = [(f"good{n:02}", Traits(1 << n, 1 << n, 1 << n, 1, 1, cost=n)) for n in range(20)]
    places += [(f"poor{n:02}", Traits(1 << (n + 20), 1, 1, 2, 0)) for n in range(20)]
    looked_at = []
    monkeypatch.setattr(combining, "together", lambda *both: looked_at.append(1) or together(*both))
    assert best(places, 6, limit=1) == [(0, 1, 2, 3, 4, 5)]
    assert len(looked_at) < comb(40, 6) / 100
