"""The best few of all ways to choose some of many places, without looking at most of them. Pure.

What a choice is judged by can only get worse, or by one place better, with each place that joins it. So whatever a choice's beginning can still
come to at best is known, and a beginning that cannot come among the best found so far is not gone on with (branch and bound).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Traits(NamedTuple):
    """Of one place, or of several together: numbers whose bits are a set's members. ``features``: those that all of them have.

    ``part``: what no two places of a choice may share. ``rank``, ``cost``: summed up; the less the better, and never negative.
    """

    part: int
    countries: int
    providers: int
    jurisdictions: int
    features: int
    rank: int = 0
    cost: int = 0


Score = tuple[int, ...]
Choice = tuple[int, ...]
NOTHING = Traits(0, 0, 0, 0, features=-1)


def score(traits: Traits, missing: int = 0) -> Score:
    """The less the better: more countries, then more providers, fewer jurisdictions, more features, rank, cost.

    ``missing``: so many places are still to join; then no choice that begins like this has a lesser one.
    """
    return (
        -traits.countries.bit_count() - missing,
        -traits.providers.bit_count() - missing,
        traits.jurisdictions.bit_count(),
        -traits.features.bit_count(),
        traits.rank,
        traits.cost,
    )


def together(one: Traits, other: Traits) -> Traits:
    return Traits(
        one.part | other.part,
        one.countries | other.countries,
        one.providers | other.providers,
        one.jurisdictions | other.jurisdictions,
        one.features & other.features,
        one.rank + other.rank,
        one.cost + other.cost,
    )


def best(places: Sequence[tuple[str, Traits]], count: int, limit: int) -> list[Choice]:
    """The best ``limit`` choices of ``count`` places, best first, as indices in rising order. Among equals those count whose names come first."""
    found: list[tuple[Score, list[str], Choice]] = []

    def is_hopeless(at_best: Score) -> bool:
        return len(found) == limit and at_best > found[-1][0]

    def walk(chosen: Choice, so_far: Traits) -> None:
        missing = count - len(chosen)
        if not missing:
            insort(found, (score(so_far), sorted(places[it][0] for it in chosen), chosen))
            del found[limit:]
            return
        for index, grown in _next(places, chosen, so_far, missing):
            if not is_hopeless(score(grown, missing - 1)):
                walk((*chosen, index), grown)

    walk((), NOTHING)
    return [choice for _, _, choice in found]


def _next(places: Sequence[tuple[str, Traits]], chosen: Choice, so_far: Traits, missing: int) -> Iterator[tuple[int, Traits]]:
    """What a choice may go on with: a later place that shares no part with it, and that leaves enough others behind it."""
    for index in range(chosen[-1] + 1 if chosen else 0, len(places) - missing + 1):
        traits = places[index][1]
        if not so_far.part & traits.part:
            yield index, together(so_far, traits)
