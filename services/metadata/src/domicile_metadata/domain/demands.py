"""What policies ask of the backends, and which of them a change of backends would break. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from domicile_common.errors import PolicyRefused
from domicile_common.model import Backend, Value
from domicile_metadata.domain.levels import outcome

NAMED: Final = 20  # subjects that a refusal names


class Demand(Value, frozen=True):
    """Levels, outermost first, that apply alike to ``count`` subjects (the installation, a tenant, a bucket), some of which are named."""

    documents: tuple[str, ...]
    subjects: tuple[str, ...]
    count: int = 1


class Broken(Value, frozen=True):
    """No write could be placed for these subjects. ``rule``, ``reason``: what would fail."""

    subjects: tuple[str, ...]
    count: int
    rule: str
    reason: str


def broken_by(demands: Iterable[Demand], before: Sequence[Backend], after: Sequence[Backend]) -> tuple[Broken, ...]:
    """What the backends can satisfy as they are ``before``, and not as they would be ``after``."""
    return tuple(
        Broken(demand.subjects, demand.count, refusal.detail["Rule"], refusal.message)
        for demand in demands
        if (refusal := _refusal(demand, after)) and not _refusal(demand, before)
    )


def _refusal(demand: Demand, backends: Sequence[Backend]) -> PolicyRefused | None:
    return outcome(demand.documents, 0, backends)[1]


def refuse(broken: Sequence[Broken]) -> PolicyRefused:
    """The error that says so; the dry run tells more."""
    subjects = [subject for it in broken for subject in it.subjects][:NAMED]
    others = sum(it.count for it in broken) - len(subjects)
    names = ", ".join(subjects) + (f" and {others} more" if others else "")
    reasons = " ".join(dict.fromkeys(it.reason for it in broken))
    text = f"Then nothing could be written any more for {names}: {reasons} With force it is done all the same."
    return PolicyRefused(broken[0].rule, text, "PolicyUnsatisfiable")
