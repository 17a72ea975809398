from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from domicile_client.cli import show
from domicile_client.cli.progress import Following, counts, share

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=10,
)
ANSWERS = st.dictionaries(st.sampled_from(["size", "at", "rows", "oldest_seconds", "key", "a.b"]), VALUES, max_size=5)


def drawn(renderable, *, terminal=False):
    file = io.StringIO()
    Console(file=file, width=200, markup=False, emoji=False, force_terminal=terminal).print(renderable, highlight=False)
    return file.getvalue()


@given(ANSWERS)
def test_whatever_comes_is_shown_without_control_characters(answer):
    text = drawn(show.facts(answer)) + drawn(show.table([answer], tuple(answer) or ("key",)))
    assert all(char.isprintable() or char == "\n" for char in text)


@given(st.text())
def test_markup_is_only_text(text):
    assert show.plain(f"[bold]{text}").plain.startswith("[bold]")


@pytest.mark.parametrize(
    "name, value, text",
    [
        ("bytes", 1023, "1023 B"),
        ("size", 1024, "1.0 KiB"),
        ("stored", 5 * 1024**4, "5.0 TiB"),
        ("oldest_seconds", 0.25, "0.25 s"),
        ("oldest_seconds", 61.4, "1 min 1 s"),
        ("rpo_seconds", 7260, "2 h 1 min"),
        ("rpo_seconds", 2 * 86_400, "2.0 days"),
        ("created_at", "2026-03-04T05:06:07.891+02:00", "2026-03-04 03:06:07Z"),
        ("created_at", "never", "never"),
        ("state", None, "-"),
        ("paused", True, "yes"),
        ("objects", 1234567, "1,234,567"),
        ("jurisdictions", ["DE", "US"], "DE, US"),
        ("progress", {"listed": 2, "listed_bytes": 2048}, "listed: 2, listed_bytes: 2.0 KiB"),
    ],
)
def test_how_a_field_is_written_follows_from_its_name(name, value, text):
    assert show.written(name, value) == text


def test_rows_are_found_in_fields_of_fields():
    rows = [{"owed": {"backend_id": "fi", "copies": 3}}, {"owed": {"backend_id": "de", "copies": 12}}]
    lines = drawn(show.table(rows, ("owed.backend_id", "owed.copies"))).splitlines()
    assert [line.split() for line in lines] == [["owed", "backend", "id", "owed", "copies"], ["fi", "3"], ["de", "12"]]
    assert drawn(show.table(rows, ("owed.backend_id=backend",))).split()[0] == "backend"
    assert drawn(show.table([], ("a",))) == "Nothing.\n"


@pytest.mark.parametrize(
    "progress, done, total",
    [({}, 0, None), ({"listed": 3}, 0, None), ({"copies_owed": 1, "copies_parked": 1, "copies_verified": 2}, 2, 4)],
)
def test_a_bar_is_of_what_is_known_beforehand(progress, done, total):
    assert share(progress) == (done, total)


def test_counts_have_their_units():
    assert counts({"listed": 1234, "listed_bytes": 2048}) == "listed 1,234  listed_bytes 2.0 KiB"


def test_what_is_no_terminal_gets_a_line_for_each_change():
    file = io.StringIO()
    task = {"state": "running", "progress": {"listed": 1}}
    with Following(Console(file=file, width=100)) as following:
        for step in (task, task, task | {"progress": {"listed": 2}}):
            following.show(step)
    assert file.getvalue() == "running  listed 1\nrunning  listed 2\n"


def test_a_terminal_gets_a_bar_that_goes_away():
    file = io.StringIO()
    with Following(Console(file=file, width=100, force_terminal=True)) as following:
        following.show({"state": "running", "progress": {"copies_owed": 1, "copies_verified": 1}})
    assert "copies_verified 1" in file.getvalue()
