"""One line a part. On a terminal the lines are kept up to date in place; elsewhere a line is written when it changes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from domicile_local.parts import Part

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEGABYTE = 1024 * 1024


class Status:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lines: dict[str, str] = {}
        self._began = time.monotonic()

    def show(self, parts: Sequence[Part]) -> None:
        lines = {part.name: line(part) for part in parts}
        if self._out.isatty():
            up = f"\x1b[{len(self._lines)}F" if self._lines else ""
            self._out.write(
                up + "".join(f"\x1b[K{text}{details(part)}\n" for part, text in zip(parts, lines.values(), strict=True))
            )
        else:
            self._out.write("".join(f"{text}\n" for name, text in lines.items() if self._lines.get(name) != text))
        self._out.flush()
        self._lines = lines


def line(part: Part) -> str:
    """What changes seldom: name, state, address."""
    fault = part.fault()
    state = "ready" if not fault else f"not ready: {fault}"
    return f"{part.name:<16} {state:<10} {part.address}"


def details(part: Part) -> str:
    """What changes all the time: process id and resident memory in MB."""
    if part.child is None:
        return "  (not ours)"
    pid = part.child().pid
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return f"  pid {pid}"
    return f"  pid {pid}, {pages * _PAGE_BYTES // _MEGABYTE} MB"
