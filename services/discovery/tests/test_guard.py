from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_discovery.guard import MARK, objection, origin_of, shows_secret

ORIGINS = ("https://discovery.example", "http://127.0.0.1:9030")
OURS = {"host": "discovery.example", "origin": "https://discovery.example", "sec-fetch-site": "same-origin", MARK: "1"}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_our_page_is_served(method):
    assert objection(method, OURS, ORIGINS) is None
    assert objection(method, {"host": "127.0.0.1:9030", MARK: "1"}, ORIGINS) is None


def test_reading_needs_no_mark():
    assert objection("GET", {"host": "Discovery.Example"}, ORIGINS) is None
    assert objection("GET", {"host": "discovery.example", "sec-fetch-site": "none"}, ORIGINS) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "evil.example"},  # a foreign name that was pointed at our address
        {"host": "127.0.0.1:9031"},
        {"host": ""},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://discovery.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_other_pages_are_not_served(method, changes):
    assert objection(method, {**OURS, **changes}, ORIGINS)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_what_a_form_can_send_changes_nothing(method):
    assert objection(method, {name: value for name, value in OURS.items() if name != MARK}, ORIGINS)


@given(st.sampled_from(["GET", "POST"]), st.dictionaries(st.sampled_from(["host", "origin", "sec-fetch-site", MARK]), st.text()))
def test_whoever_is_served_asked_for_one_of_our_names(method, headers):
    if objection(method, headers, ORIGINS) is None:
        assert origin_of(headers, ORIGINS) in ORIGINS


@pytest.mark.parametrize(
    "value",
    [{"secret_key": "x"}, {"secret_key": ""}, {"secret_key": 1}, {"a": [{"b": {"secret_key": "x"}}]}, [[{"secret_key": "x"}]]],
)
def test_a_secret_in_clear_is_seen_however_deep(value):
    assert shows_secret(value)


@pytest.mark.parametrize("value", [{}, [], None, "secret_key", {"secret_key": None}, {"sealed_secret_key": "h1.x.y"}])
def test_what_holds_no_secret_is_passed_on(value):
    assert not shows_secret(value)
