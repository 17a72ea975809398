"""Which policies a change of backends would break."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.errors import PolicyRefused
from domicile_common.model import Backend
from domicile_common.policy import decide
from domicile_metadata.domain.demands import NAMED, Broken, Demand, broken_by, refuse
from domicile_metadata.domain.levels import effective_policy

COUNTRIES = ("FI", "DE", "US")
STATES = ("active", "readonly", "draining", "disabled", "lost")

policies = st.builds(
    lambda count, lock: json.dumps({"replica_count": count, "write_quorum": 1} | ({"region_lock": lock} if lock else {})),
    st.integers(1, 3),
    st.lists(st.sampled_from(COUNTRIES), unique=True),
)
sites = st.tuples(*(st.sampled_from(STATES) for _ in COUNTRIES)).map(
    lambda states: [
        Backend(c, c, f"http://{c}", c, (c,), "k", "s", state=state) for c, state in zip(COUNTRIES, states, strict=True)
    ]
)


def is_possible(document: str, backends: list[Backend]) -> bool:
    try:
        decide(effective_policy((document,), 0), backends)
    except PolicyRefused:
        return False
    return True


@given(st.lists(policies, max_size=4), sites, sites)
def test_what_was_possible_and_is_not_any_more_is_broken_and_nothing_else(documents, before, after):
    demands = [Demand((document,), (f"t/{number}",)) for number, document in enumerate(documents)]
    broken = {it.subjects[0] for it in broken_by(demands, before, after)}
    expected = {
        f"t/{number}"
        for number, document in enumerate(documents)
        if is_possible(document, before) and not is_possible(document, after)
    }
    assert broken == expected
    assert broken_by(demands, before, before) == ()


@given(policies, sites)
def test_a_backend_more_breaks_nothing(document, before):
    after = [*before, msgspec.structs.replace(before[0], backend_id="more", state="active")]
    assert broken_by([Demand((document,), ("t",))], before, after) == ()


@given(st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_a_refusal_names_some_and_counts_the_others(counts):
    broken = [
        Broken(tuple(f"b{place}-{number}" for number in range(min(count, NAMED))), count, "replica_count", "Too few.")
        for place, count in enumerate(counts)
    ]
    error = refuse(broken)
    named = [
        it for it in error.message.replace(":", ",").replace(" and", ",").split(", ") if it.strip().startswith(("b", "Then"))
    ]
    assert len(named) == min(sum(min(count, NAMED) for count in counts), NAMED)
    assert (f"and {sum(counts) - len(named)} more" in error.message) == (sum(counts) > len(named))
    assert error.message.count("Too few.") == 1
