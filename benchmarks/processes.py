"""What processes cost, from /proc: processor time and resident memory."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and all below it, also of those that have ended and were waited for."""
    parents = {int(entry.name): _stat(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    family, size = {pid}, 0
    while size != len(family):
        size = len(family)
        family |= {child for child, fields in parents.items() if fields and int(fields[1]) in family}
    # Fields 14 to 17 of proc(5): utime, stime and those of waited-for children; here counted from the third.
    return sum(sum(map(int, parents[member][11:15])) for member in family if parents.get(member)) / _TICK


def children_seconds() -> float:
    """Processor time of our own children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _stat(entry: Path) -> list[str]:
    """Fields of /proc/<pid>/stat from the third one on; empty when the process has just ended."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


class Cost:
    """Processor time that named processes spend from its making on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def since(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()}


def forget_peak(pid: int) -> None:
    """Peak memory counts from here on, see proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
