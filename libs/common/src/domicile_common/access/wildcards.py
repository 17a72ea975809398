"""Patterns of policy documents: ``*`` stands for any text, ``?`` for one character. Pure."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is of the pattern.

    Remembers only the last ``*``, which is enough, so that no pattern takes more than ``len(pattern) * len(text)`` steps; regular
    expressions would take that to the power of the number of stars.
    """
    at = begin = 0
    star, resume = -1, 0
    while begin < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, begin
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[begin]):
            at += 1
            begin += 1
        elif star >= 0:
            resume += 1
            at, begin = star + 1, resume
        else:
            return False
    return all(character == "*" for character in pattern[at:])
