"""The table that a run ends with. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from domicile_common.testing.chaos.history import Operation

OUTCOMES = ("done", "refused", "put off", "no answer")


def outcome(operation: Operation) -> str:
    """``refused``: for good, as by a condition; ``put off``: 503."""
    if operation.acknowledged:
        return "done"
    if operation.refused:
        return "refused"
    return "put off" if operation.status else "no answer"


def render(history: Sequence[Operation], faults: Mapping[str, int], *counts: Mapping[str, int]) -> str:
    """``faults``: how many of each kind there were. ``counts``: groups of what else was counted."""
    tally = Counter((operation.kind, outcome(operation)) for operation in history)
    kinds = sorted({operation.kind for operation in history})
    lines = [_row("operation", (*OUTCOMES, "all"))]
    lines += [_row(kind, _with_sum(tally[kind, each] for each in OUTCOMES)) for kind in kinds]
    lines.append(_row("all", _with_sum(sum(tally[kind, each] for kind in kinds) for each in OUTCOMES)))
    lines += ["", _row("fault", ("times",)), *(_row(kind, (times,)) for kind, times in sorted(faults.items()))]
    lines.append(_row("all", (sum(faults.values()),)))
    for group in counts:
        lines += ["", *(_row(name, (count,)) for name, count in group.items())]
    return "\n".join(lines)


def _with_sum(numbers: Iterable[int]) -> tuple[int, ...]:
    row = tuple(numbers)
    return (*row, sum(row))


def _row(name: str, cells: Iterable[object]) -> str:
    return f"{name:20}" + "".join(f"{cell!s:>11}" for cell in cells)
