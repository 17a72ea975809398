from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.metadata_client.models import Copy
from domicile_common.waiting import Demand, Reached, make_demand, parse_demand, reached_by, reached_header, unattainable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "demand"),
    [
        ("copies=2", Demand(copies=2)),
        ("copies=2, timeout=10", Demand(copies=2, seconds=10)),
        ("timeout=300,\tcountries=2", Demand(count=2, seconds=300)),
        ('countries=("FI" "DE")', Demand(countries=frozenset({"FI", "DE"}))),
        ("countries=( FI  DE ), copies=3", Demand(copies=3, countries=frozenset({"FI", "DE"}))),
    ],
)
def test_what_is_asked_for(header, demand):
    assert parse_demand(header) == demand


@pytest.mark.parametrize(
    "header",
    [
        "", "timeout=5", "copies", "copies=", "copies=0", "copies=17", "copies=2.0", "copies=-1", "copies=?1", "copies=2;timeout=10", "Copies=2", "copies=٢",
        "copies=2, copies=2", "copies=2,", "copies=2, timeout=0", "copies=2, timeout=301", "countries=()", "countries=(UK)", 'countries=("fi")', "countries=FI",
        "countries=(FI, DE)", "copies = 2", "replicas=2", "copies=" + "9" * 5000,
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(header):
    with pytest.raises(ValueError, match=r"\w"):
        parse_demand(header)


@given(st.text())
def test_nothing_else_is_raised(header):
    try:
        demand = parse_demand(header)
    except ValueError:
        return
    assert demand.copies or demand.count or demand.countries


def test_the_parts_of_a_query_say_the_same():
    assert make_demand("2", ["FI", "DE"], "7") == Demand(2, 0, frozenset({"FI", "DE"}), 7)
    assert make_demand(None, "2", None) == Demand(count=2)


def copy(backend_id: str, country: str, state: str = "verified") -> Copy:
    return Copy(backend_id, "p", country, state, NOW)


def test_only_verified_copies_count():
    copies = [copy("a", "FI"), copy("b", "FI"), copy("c", "DE", "wanted"), copy("d", "SE", "lost"), copy("e", "EE", "deleting")]
    assert reached_by(copies) == Reached(("a", "b"), ("FI",))


@pytest.mark.parametrize(
    ("demand", "met"),
    [
        (Demand(copies=2), True),
        (Demand(copies=3), False),
        (Demand(count=1), True),
        (Demand(count=2), False),
        (Demand(countries=frozenset({"FI"})), True),
        (Demand(countries=frozenset({"FI", "DE"})), False),
        (Demand(copies=2, countries=frozenset({"DE"})), False),
    ],
)
def test_everything_that_is_asked_for_has_to_be_there(demand, met):
    reached = Reached(("a", "b"), ("FI",))
    assert demand.is_met_by(reached) is met
    assert reached_header(reached, demand) == f'reached=?{int(met)}, copies=2, countries=("FI")'


def test_nobody_can_tell():
    assert reached_header(None, Demand(copies=2)) == "reached=?0"


@pytest.mark.parametrize(
    ("demand", "possible"),
    [
        (Demand(copies=2, count=2, countries=frozenset({"FI", "DE"})), True),
        (Demand(copies=3), False),
        (Demand(count=3), False),
        (Demand(countries=frozenset({"FI", "DE", "SE"})), False),
        (Demand(countries=frozenset({"SE"})), False),
    ],
)
def test_what_a_policy_never_makes_is_not_waited_for(demand, possible):
    assert (unattainable(demand, 2, ("DE", "FI")) is None) is possible


def test_without_a_lock_any_country_may_come_about():
    assert unattainable(Demand(countries=frozenset({"SE"})), 2, None) is None
