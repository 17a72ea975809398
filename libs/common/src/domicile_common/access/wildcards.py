"""Patterns of policy documents: ``*`` stands for any text, ``?`` for one character. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class _Piece(NamedTuple):
    """What stands between two stars: as many characters as it is long."""

    form: re.Pattern[str]
    length: int


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is of the pattern.

    Each piece is taken where it comes first, which is enough, so that no pattern takes more than ``len(pattern) * len(text)`` steps of
    the ``re`` module; one regular expression for all of it would take that to the power of the number of stars.
    """
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    first, *others = _pieces(pattern)
    if not others:
        return first.form.fullmatch(text) is not None
    *between, last = others
    at, end = first.length, len(text) - last.length
    if end < at or not first.form.match(text) or not last.form.match(text, end):
        return False
    for piece in between:
        found = piece.form.search(text, at, end)
        if found is None:
            return False
        at = found.end()
    return True


@lru_cache(maxsize=512)  # a long pattern takes some 100 KB
def _pieces(pattern: str) -> tuple[_Piece, ...]:
    return tuple(_Piece(re.compile(re.escape(piece).replace(r"\?", "."), re.DOTALL), len(piece)) for piece in pattern.split("*"))
