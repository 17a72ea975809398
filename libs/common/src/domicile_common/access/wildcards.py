"""Patterns of policy documents: ``*`` stands for any text, ``?`` for one character. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class _Piece(NamedTuple):
    """What stands between two stars: as many characters as it is long. ``form``: ``None`` for one that is plain text."""

    text: str
    form: re.Pattern[str] | None

    def at(self, text: str, start: int) -> bool:
        return text.startswith(self.text, start) if self.form is None else self.form.match(text, start) is not None

    def find(self, text: str, start: int, end: int) -> int:
        """Where it comes first; -1 when it does not."""
        if self.form is None:
            return text.find(self.text, start, end)
        found = self.form.search(text, start, end)
        return found.start() if found else -1


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is of the pattern.

    Each piece is taken where it comes first, which is enough, so that no pattern takes more than ``len(pattern) * len(text)`` steps;
    one regular expression for all of it would take that to the power of the number of stars.
    """
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    first, *others = _pieces(pattern)
    if not others:
        return len(text) == len(first.text) and first.at(text, 0)
    *between, last = others
    at, end = len(first.text), len(text) - len(last.text)
    if end < at or not first.at(text, 0) or not last.at(text, end):
        return False
    for piece in between:
        found = piece.find(text, at, end)
        if found < 0:
            return False
        at = found + len(piece.text)
    return True


def dear(pattern: str) -> int:
    """How many characters of the pattern have to be compared with a text anywhere one by one: those of pieces with ``?`` between stars."""
    return sum(len(piece) for piece in pattern.split("*")[1:-1] if "?" in piece)


@lru_cache(maxsize=512)  # a long pattern takes some 100 KB
def _pieces(pattern: str) -> tuple[_Piece, ...]:
    return tuple(_Piece(piece, _form(piece) if "?" in piece else None) for piece in pattern.split("*"))


def _form(piece: str) -> re.Pattern[str]:
    return re.compile(re.escape(piece).replace(r"\?", "."), re.DOTALL)
