import re
from fnmatch import translate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.access.wildcards import dear, matches


@pytest.mark.parametrize(
    ("pattern", "text", "outcome"),
    [
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("a?c", "abc", True),
        ("a*c", "ac", True),
        ("*a*b", "xaxxb", True),
        ("a*", "ba", False),
        ("?", "", False),
        ("??*?", "ab", False),
        ("*a?*b", "axab", True),
    ],
)
def test_wildcards(pattern, text, outcome):
    assert matches(pattern, text) is outcome


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_as_regular_expressions_match(pattern: str, text: str):
    assert matches(pattern, text) is bool(re.fullmatch(translate(pattern), text))


@pytest.mark.parametrize("pattern", ["*a" * 5000 + "b", "*" + "a" * 4000 + "b*", "*" + "a?" * 2000 + "b*"])
def test_no_pattern_takes_long(pattern):
    """Steps of the interpreter took seconds for each, in which a proxy serves nobody."""
    assert not matches(pattern, "a" * 8000)


def test_what_is_compared_character_by_character():
    assert [dear(pattern) for pattern in ("a?", "a?*", "*?a", "*ab*", "*a?*", "*a?*bc*??*")] == [0, 0, 0, 0, 2, 4]
