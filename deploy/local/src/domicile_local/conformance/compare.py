"""A run of ceph/s3-tests against the list of what passed before, and as a table. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

import msgspec

from domicile_local.conformance.areas import GROUPS, area_of


class Outcome(msgspec.Struct, frozen=True):
    """What became of one test. ``message``: why it did not pass."""

    outcome: Literal["passed", "failed", "skipped"]
    message: str = ""


class Change(NamedTuple):
    """``lost``: tests that passed before and do not now, also those that were not run. ``gained``: those that pass for the first time."""

    lost: list[str]
    gained: list[str]


def passed(outcomes: Mapping[str, Outcome]) -> set[str]:
    return {test for test, outcome in outcomes.items() if outcome.outcome == "passed"}


def compare(outcomes: Mapping[str, Outcome], before: Collection[str]) -> Change:
    now = passed(outcomes)
    return Change(sorted(set(before) - now), sorted(now - set(before)))


def table(outcomes: Mapping[str, Outcome]) -> str:
    """In Markdown: passed and run, by area and by group of areas."""
    counts: dict[str, list[int]] = {}
    for test, outcome in outcomes.items():
        count = counts.setdefault(area_of(test), [0, 0])
        count[0] += outcome.outcome == "passed"
        count[1] += 1
    rows = ["| area | passed | of |", "|---|---|---|"]
    named = {area for areas in GROUPS.values() for area in areas}
    for group, areas in {**GROUPS, "other": tuple(sorted(counts.keys() - named))}.items():
        inside = {area: counts[area] for area in areas if area in counts}
        rows += [_row(area, *count) for area, count in inside.items()]
        rows.append(_row(f"**{group}**", sum(got for got, _ in inside.values()), sum(ran for _, ran in inside.values())))
    rows.append(_row("**all**", len(passed(outcomes)), len(outcomes)))
    return "\n".join(rows)


def _row(name: str, got: int, ran: int) -> str:
    return f"| {name} | {got} | {ran} |"
