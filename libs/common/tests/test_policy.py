from __future__ import annotations

import contextlib
import itertools
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.countries import COUNTRIES, GROUPS
from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.metadata_client.models import Work
from domicile_common.model import Backend, EffectivePolicy, Policy
from domicile_common.policy import (
    admits,
    check_tightens,
    decide,
    expand,
    merge,
    of_object,
    parse_location,
    policy_from_json,
    rearrange,
)

BASE = Policy(replica_count=1, write_quorum=1)


def backend(backend_id, country="FI", jurisdictions=None, *, provider=None, state="active", cost=100):
    return Backend(
        backend_id=backend_id,
        provider=provider or backend_id,
        endpoint="http://s3.test",
        country=country,
        jurisdictions=(country,) if jurisdictions is None else jurisdictions,
        access_key="AK",
        sealed_secret="v1...",
        state=state,
        cost=cost,
    )


FI, DE, US = backend("fi-1"), backend("de-1", "DE"), backend("us-1", "US")
AWS_DE = backend("aws-de", "DE", ("DE", "US"))


def effective(*levels: Policy, version=7, **fields: object):
    return merge([BASE, *levels, Policy(**fields)], version)


def refused(rule, call, *arguments: object, **keywords: object):
    with pytest.raises(PolicyRefused) as caught:
        call(*arguments, **keywords)
    assert caught.value.detail["Rule"] == rule
    return caught.value


# --- countries ---


def test_the_country_table_is_iso_3166_1():
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in COUNTRIES)
    assert {"FI", "GB", "SS", "AX"} <= COUNTRIES
    assert not {"UK", "EU", "XK", "AN"} & COUNTRIES


def test_groups_hold_countries_only_and_shadow_none():
    for name, members in GROUPS.items():
        assert name not in COUNTRIES
        assert set(members) <= COUNTRIES
        assert len(set(members)) == len(members)
    assert (len(GROUPS["EU"]), len(GROUPS["EEA"])) == (27, 30)


# --- documents ---


@pytest.mark.parametrize(("width", "write"), [(None, 2), (1, 2), (3, 3), (16, 3)])
def test_a_write_is_as_wide_as_asked_for_between_its_quorum_and_its_copies(width, write):
    policy = merge([Policy(replica_count=3, write_quorum=2, write_width=width)], 1)
    decision = decide(policy, [backend(name) for name in "abcd"])
    assert (len(decision.write), decision.least, len(decision.wanted)) == (write, 2, 3)
    narrow = decide(policy, [backend(name) for name in "abcd"], avoid={"a", "b"})
    assert (len(narrow.write), narrow.least) == (2, 2)


def test_the_documented_policy_is_read():
    policy = policy_from_json(
        b"""{"region_lock": ["FI", "DE"], "operator_lock": ["EU"], "replica_count": 2, "spread": "country",
        "write_quorum": 1, "storage": {"kind": "replicate"}, "encryption": {"mode": "none"}, "rpo_seconds": 60}"""
    )
    assert policy == Policy(("FI", "DE"), ("EU",), 2, "country", 1, {"kind": "replicate"}, {"mode": "none"}, 60)


@pytest.mark.parametrize(
    "document,named",
    [
        (b"", "not a JSON object"),
        (b"\xff", "not a JSON object"),
        (b"[]", "object"),
        (b"[" * 100_000, "not a JSON object"),
        (b'{"region_lock": "FI"}', "$.region_lock"),
        (b'{"region_lock": [1]}', "$.region_lock[0]"),
        (b'{"replica_count": "2"}', "$.replica_count"),
        (b'{"replica_count": true}', "$.replica_count"),
        (b'{"spread": "continent"}', "$.spread"),
        (b'{"layout": "hidden"}', "$.layout"),
        (b'{"region_locks": ["FI"]}', "region_locks"),
        (b'{"region_lock": ["FI"], "region_lock": ["US"]}', "twice"),
    ],
)
def test_a_malformed_document_names_the_field(document, named):
    with pytest.raises(RequestError) as caught:
        policy_from_json(document)
    assert caught.value.code == "InvalidRequest"
    assert named in caught.value.message


@pytest.mark.parametrize(
    "fields,rule",
    [
        ({"region_lock": []}, "region_lock"),
        ({"region_lock": ["UK"]}, "region_lock"),
        ({"region_lock": ["DEU"]}, "region_lock"),
        ({"region_lock": [""]}, "region_lock"),
        ({"operator_lock": []}, "operator_lock"),
        ({"operator_lock": ["FI", "Mars"]}, "operator_lock"),
        ({"replica_count": 0}, "replica_count"),
        ({"replica_count": 17}, "replica_count"),
        ({"write_quorum": 0}, "write_quorum"),
        ({"replica_count": 1, "write_quorum": 2}, "write_quorum"),
        ({"rpo_seconds": 0}, "rpo_seconds"),
        ({"storage": {"kind": "erasure", "k": 4, "m": 2}}, "storage"),
        ({"storage": {}}, "storage"),
        ({"storage": {"kind": "replicate", "class": "cold"}}, "storage"),
        ({"encryption": {"mode": "client"}}, "encryption"),
        ({"encryption": {"mode": "none", "key": "1"}}, "encryption"),
    ],
)
def test_what_cannot_be_done_is_refused_by_rule(fields, rule):
    assert refused(rule, policy_from_json, json.dumps(fields).encode()).code == "InvalidRequest"


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_document_ends_in_anything_but_a_policy_or_a_request_error(document):
    with contextlib.suppress(RequestError):
        policy_from_json(document)


@given(
    st.builds(
        Policy,
        region_lock=st.none() | st.lists(st.sampled_from(["FI", "DE", "EU"]), min_size=1).map(tuple),
        rpo_seconds=st.none() | st.integers(1, 1000),
    )
)
def test_a_policy_survives_its_own_json(policy):
    assert policy_from_json(msgspec.json.encode(policy)) == policy


# --- codes and locations ---


def test_expansion_keeps_the_order_and_each_country_once():
    assert expand(["NO", "NORDICS", "se"]) == ("NO", "DK", "FI", "IS", "SE")


@given(st.text())
def test_expansion_yields_countries_or_refuses(code):
    try:
        assert set(expand([code])) <= COUNTRIES
    except PolicyRefused:
        assert code.upper() not in COUNTRIES | GROUPS.keys() or not code.isascii()


@pytest.mark.parametrize(
    "constraint,codes",
    [("", ()), ("fi,de", ("FI", "DE")), ("EU", ("EU",)), ("de, nordics", ("DE", "NORDICS")), ("fi,fi", ("FI",))],
)
def test_locations_are_read_in_order(constraint, codes):
    assert parse_location(constraint) == codes


@pytest.mark.parametrize(
    "constraint", ["us-east-1", "fi,", ",", " ", "fi;de", "fi,uk", "FIN", "ß", "fi\n", "eu-central-1", "dk1"]
)
def test_an_unknown_location_is_never_a_silent_default(constraint):
    with pytest.raises(RequestError) as caught:
        parse_location(constraint)
    assert caught.value.code == "InvalidLocationConstraint"


# --- levels ---


def test_locks_intersect_in_the_order_of_the_innermost():
    merged = effective(Policy(region_lock=("EU",)), Policy(region_lock=("SE", "NO", "FI")), Policy(operator_lock=("EU",)))
    assert merged.countries == ("SE", "FI")
    assert merged.jurisdictions == GROUPS["EU"]


def test_members_of_a_group_are_equally_preferred():
    merged = effective(region_lock=("FI", "DACH"))
    assert (merged.countries, merged.ranks) == (("FI", "AT", "CH", "DE"), (0, 1, 1, 1))


def test_scalars_come_from_the_innermost_level_that_sets_them():
    merged = merge(
        [
            Policy(replica_count=3, write_quorum=2, spread="country", rpo_seconds=60),
            Policy(spread="provider"),
            Policy(replica_count=2),
        ],
        9,
    )
    assert (merged.replica_count, merged.write_quorum, merged.spread, merged.rpo_seconds, merged.version) == (
        2,
        2,
        "provider",
        60,
        9,
    )
    assert (merged.countries, merged.jurisdictions) == (None, None)


@pytest.mark.parametrize("default,rule", [(Policy(), "replica_count"), (Policy(replica_count=2), "write_quorum")])
def test_the_installation_default_must_say_how_many(default, rule):
    refused(rule, merge, [default, Policy(replica_count=2, write_quorum=1)], 1)


def test_nothing_at_all_is_refused():
    refused("replica_count", merge, [], 1)


def test_disjoint_locks_are_refused():
    refused("region_lock", effective, Policy(region_lock=("EU",)), Policy(region_lock=("US",)))
    refused("operator_lock", effective, Policy(operator_lock=("EU",)), Policy(operator_lock=("US",)))


def test_a_quorum_above_the_merged_count_is_refused():
    refused("write_quorum", merge, [Policy(replica_count=2, write_quorum=2), Policy(replica_count=1)], 1)


def test_unsupported_kinds_are_refused_at_every_level():
    refused("storage", effective, Policy(storage={"kind": "erasure"}), Policy(storage={"kind": "replicate"}))


@pytest.mark.parametrize(
    "child,rule",
    [
        (Policy(region_lock=("US",)), "region_lock"),
        (Policy(region_lock=("FI", "US")), "region_lock"),
        (Policy(region_lock=("EEA",)), "region_lock"),
        (Policy(operator_lock=("US",)), "operator_lock"),
    ],
)
def test_a_child_cannot_loosen(child, rule):
    parent = effective(region_lock=("EU",), operator_lock=("EU",))
    assert refused(rule, check_tightens, parent, child).code == "InvalidRequest"
    assert refused(rule, check_tightens, parent, child, "InvalidLocationConstraint").code == "InvalidLocationConstraint"


def test_a_child_may_tighten_or_be_silent():
    parent = effective(region_lock=("EU",))
    check_tightens(parent, Policy())
    check_tightens(parent, Policy(region_lock=("fi", "BENELUX"), operator_lock=("US",)))
    check_tightens(effective(), Policy(region_lock=("US",)))


# --- which backends are inside ---


@pytest.mark.parametrize(
    "outside,reason",
    [
        (US, "us-1 is in US, outside the region_lock (FI, DE)."),
        (AWS_DE, "aws-de answers to US, outside the operator_lock (FI, DE)."),
        (backend("x", "UK"), "x states no country of ISO 3166-1."),
        (backend("x", "fi"), "x states no country of ISO 3166-1."),
        (backend("x", "FI", ()), "x does not state its operator's jurisdictions as ISO 3166-1 codes."),
        (backend("x", "FI", ("EU",)), "x does not state its operator's jurisdictions as ISO 3166-1 codes."),
    ],
)
def test_a_backend_outside_is_told_why(outside, reason):
    lock = effective(region_lock=("FI", "DE"), operator_lock=("FI", "DE"))
    assert admits(lock, outside) == reason
    assert admits(Work("copy", countries=lock.countries, jurisdictions=lock.jurisdictions), outside) == reason
    assert admits(lock, FI) is None


def test_unknown_places_are_outside_even_without_a_lock():
    assert admits(effective(), US) is None
    assert admits(effective(), backend("x", "??"))
    assert admits(effective(), backend("x", "FI", ()))


# --- decisions ---


def test_the_order_of_the_lock_is_the_order_of_preference():
    backends = [FI, DE, US]
    assert decide(effective(region_lock=("DE", "FI")), backends).wanted == ("de-1",)
    assert decide(effective(region_lock=("FI", "DE"), replica_count=2), backends).wanted == ("fi-1", "de-1")


def test_cost_then_id_decide_among_equals():
    dear, cheap, twin = backend("a", "AT", cost=200), backend("z", "SE", cost=50), backend("y", "BE", cost=50)
    assert decide(effective(region_lock=("EU",), replica_count=3), [dear, cheap, twin]).wanted == ("y", "z", "a")


def test_a_decision_says_who_why_and_under_which_policy():
    decision = decide(effective(region_lock=("FI", "DE"), replica_count=2), [FI, DE, US], avoid={"fi-1"})
    assert (decision.wanted, decision.write, decision.policy_version) == (("de-1", "fi-1"), ("de-1",), 7)
    assert decision.reason == (
        "de-1 (DE), fi-1 (FI): best of 2 active inside countries FI, DE, operators any; one per backend; down then: fi-1."
    )


def test_a_backend_that_is_down_stays_inside_the_lock_or_nothing_is_written():
    assert decide(effective(region_lock=("FI", "DE")), [FI, DE, US], avoid={"fi-1"}).write == ("de-1",)
    with pytest.raises(Unavailable):
        decide(effective(region_lock=("FI",)), [FI, DE, US], avoid={"fi-1"})


@pytest.mark.parametrize("state", ["readonly", "draining", "disabled"])
def test_only_active_backends_are_written_to(state):
    refused("replica_count", decide, effective(), [backend("fi-1", state=state)])


@pytest.mark.parametrize(
    "fields,rule",
    [
        ({"region_lock": ("SE",)}, "region_lock"),
        ({"region_lock": ("US",), "operator_lock": ("EU",)}, "operator_lock"),
        ({"replica_count": 5}, "replica_count"),
        ({"region_lock": ("DE",), "replica_count": 3}, "replica_count"),
        ({"region_lock": ("FI", "DE"), "replica_count": 3, "spread": "country"}, "spread"),
        ({"region_lock": ("FI", "DE"), "replica_count": 4, "spread": "country"}, "replica_count"),
    ],
)
def test_a_refusal_names_the_rule_that_failed(fields, rule):
    refusal = refused(rule, decide, effective(**fields), [FI, DE, US, AWS_DE])
    assert not any(it.backend_id in refusal.message for it in (FI, DE, US, AWS_DE))


def test_one_provider_counts_once_when_spread_by_provider():
    twins = [backend("a", provider="acme"), backend("b", provider="acme")]
    refused("spread", decide, effective(replica_count=2, spread="provider"), twins)
    assert decide(effective(replica_count=2, spread="backend"), twins).wanted == ("a", "b")


def test_a_policy_from_elsewhere_cannot_ask_for_no_durability():
    for count, quorum in ((0, 0), (1, 0), (1, 2)):
        refused("write_quorum", decide, EffectivePolicy(count, quorum, 1), [FI])
    refused("encryption", decide, EffectivePolicy(1, 1, 1, encryption={"mode": "client"}), [FI])


PLACES = ("FI", "DE", "US", "SE", "??")
backends_strategy = st.lists(
    st.builds(
        backend,
        st.sampled_from("abcdefgh"),
        st.sampled_from(PLACES),
        st.sampled_from([None, None, None, ("DE",), ("DE", "US"), ("US",), ("??",), ()]),
        provider=st.sampled_from(["p", "q", "r"]),
        state=st.sampled_from(["active", "active", "active", "readonly", "disabled"]),
        cost=st.integers(1, 3),
    ),
    unique_by=lambda it: it.backend_id,
    min_size=5,
    max_size=8,
)
lock_strategy = (
    st.none()
    | st.just(("FI", "SE", "DE"))
    | st.lists(st.sampled_from([*PLACES[:4], "EU", "EU", "NORDICS"]), min_size=1, max_size=3).map(tuple)
)
avoid_strategy = st.frozensets(st.sampled_from("abcdefgh"))


@st.composite
def policies(draw):
    count = draw(st.integers(1, 3))
    return effective(
        region_lock=draw(lock_strategy),
        operator_lock=draw(lock_strategy),
        replica_count=count,
        write_quorum=draw(st.integers(1, count)),
        spread=draw(st.sampled_from(["backend", "provider", "country"])),
    )


def outcome(policy, backends, avoid=frozenset()):
    try:
        return decide(policy, backends, avoid=avoid)
    except PolicyRefused as refusal:
        return refusal.detail["Rule"]
    except Unavailable:
        return "unavailable"


@given(policies(), backends_strategy, avoid_strategy)
def test_a_decision_keeps_every_rule(policy, backends, avoid):
    decision = outcome(policy, backends, avoid)
    if isinstance(decision, str):
        return
    chosen = [next(it for it in backends if it.backend_id == name) for name in decision.wanted]
    assert len({it.backend_id for it in chosen}) == policy.replica_count == len(chosen)
    for it in chosen:
        assert it.state == "active"
        assert it.country in (policy.countries or COUNTRIES)
        assert it.jurisdictions
        assert set(it.jurisdictions) <= set(policy.jurisdictions or COUNTRIES)
        assert admits(policy, it) is None
    if policy.spread != "backend":
        assert len({getattr(it, policy.spread) for it in chosen}) == policy.replica_count
    assert len(decision.write) == policy.write_quorum
    assert not set(decision.write) & avoid
    assert set(decision.write) <= set(decision.wanted)


@given(policies(), backends_strategy, avoid_strategy, st.randoms(use_true_random=False))
def test_the_order_of_backends_does_not_matter(policy, backends, avoid, random):
    shuffled = random.sample(backends, len(backends))
    assert outcome(policy, backends, avoid) == outcome(policy, shuffled, avoid)


@given(policies(), backends_strategy, avoid_strategy)
def test_no_satisfiable_placement_is_missed(policy, backends, avoid):
    """Against trying every combination there is."""
    usable = [it for it in backends if it.state == "active" and admits(policy, it) is None]
    placements = [
        combination
        for combination in itertools.combinations(usable, policy.replica_count)
        if policy.spread == "backend" or len({getattr(it, policy.spread) for it in combination}) == policy.replica_count
    ]
    writable = any(sum(it.backend_id not in avoid for it in some) >= policy.write_quorum for some in placements)
    found = outcome(policy, backends, avoid)
    if writable:
        assert not isinstance(found, str)
    elif placements:
        assert found == "unavailable"
    else:
        assert found in ("region_lock", "operator_lock", "replica_count", "spread")


@given(backends_strategy, lock_strategy, lock_strategy, lock_strategy, lock_strategy)
def test_tightening_never_adds_a_backend(backends, region, operator, inner_region, inner_operator):
    outer, inner = (
        Policy(region_lock=region, operator_lock=operator),
        Policy(region_lock=inner_region, operator_lock=inner_operator),
    )
    try:
        tighter = effective(outer, inner)
    except PolicyRefused:
        return
    wider = effective(outer)
    inside = {it.backend_id for it in backends if admits(tighter, it) is None}
    assert inside <= {it.backend_id for it in backends if admits(wider, it) is None}


@given(policies(), lock_strategy, lock_strategy)
def test_what_tightens_stays_within_its_parent(parent, region, operator):
    child = Policy(region_lock=region, operator_lock=operator)
    within = all(
        wanted is None or allowed is None or set(expand(wanted)) <= set(allowed)
        for allowed, wanted in ((parent.countries, region), (parent.jurisdictions, operator))
    )
    try:
        check_tightens(parent, child)
    except PolicyRefused:
        assert not within
    else:
        assert within


@given(policies(), backends_strategy, avoid_strategy)
def test_a_healthy_backend_more_never_turns_an_answer_into_a_refusal(policy, backends, avoid):
    before = outcome(policy, backends, avoid)
    country = (policy.countries or ("FI",))[0]
    jurisdictions = (policy.jurisdictions or (country,))[:1]
    after = outcome(policy, [*backends, backend("new", country, jurisdictions, provider="new")], avoid)
    if not isinstance(before, str):
        assert not isinstance(after, str)


# --- where an existing version should be now ---

NOWHERE = frozenset[str]()


def wanted(policy, backends, *, kept=NOWHERE, coming=NOWHERE, leaving=NOWHERE):
    return rearrange(policy, backends, kept=kept, coming=coming, leaving=leaving)


def test_nothing_moves_without_need():
    policy = effective(replica_count=2, region_lock=("FI", "DE", "US"))
    assert wanted(policy, [FI, DE, US], kept={"us-1", "de-1"}).wanted == ("de-1", "us-1")
    assert wanted(policy, [FI, DE, US], kept={"us-1"}, coming={"de-1"}).wanted == ("us-1", "de-1")


@pytest.mark.parametrize(
    "state, stays", [("active", True), ("readonly", True), ("disabled", True), ("draining", False), ("lost", False)]
)
def test_where_a_backend_s_state_lets_a_copy_stay(state, stays):
    backends = [backend("fi-1", state=state), DE]
    assert wanted(effective(), backends, kept={"fi-1"}).wanted == (("fi-1",) if stays else ("de-1",))
    assert wanted(effective(), backends, coming={"fi-1"}).wanted == (("fi-1",) if state == "active" else ("de-1",))


def test_what_is_being_removed_cannot_come_back_before_it_is_gone():
    found = wanted(effective(replica_count=2), [FI, DE], kept={"de-1"}, leaving={"fi-1"})
    assert found.wanted == ("de-1",)
    assert found.refusal


def test_what_can_be_satisfied_is():
    found = wanted(effective(replica_count=3, region_lock=("FI", "DE")), [FI, DE, US], kept={"us-1"})
    assert (found.wanted, found.refusal.detail) == (("fi-1", "de-1"), {"Rule": "replica_count"})
    found = wanted(effective(replica_count=2, spread="country"), [FI, backend("fi-2")], kept={"fi-2"})
    assert (found.wanted, found.refusal.detail) == (("fi-2",), {"Rule": "spread"})


@pytest.mark.parametrize(
    "storage_class, tag, count",
    [("STANDARD", None, 2), ("ONEZONE_IA", None, 1), ("ONEZONE_IA", "3", 3), ("STANDARD", "1", 1), ("?", "many", 2), ("", "", 2)],
)
def test_an_object_may_ask_for_copies_of_its_own(storage_class, tag, count):
    assert of_object(effective(replica_count=2), storage_class, tag).replica_count == count


@given(policies(), backends_strategy)
def test_a_version_that_is_nowhere_yet_goes_where_a_write_would(policy, backends):
    decision, found = outcome(policy, backends), wanted(policy, backends)
    assert (found.refusal is None) == (not isinstance(decision, str))
    assert isinstance(decision, str) or decision.wanted == found.wanted


@given(policies(), backends_strategy, avoid_strategy, avoid_strategy)
def test_as_much_as_possible_is_kept(policy, backends, kept, coming):
    """No other set of as many backends that the policy allows would keep more."""
    found = wanted(policy, backends, kept=kept, coming=coming)
    usable = [it for it in backends if admits(policy, it) is None and (it.state == "active" or it.backend_id in kept)]
    assert set(found.wanted) <= {it.backend_id for it in usable}
    assert len(found.wanted) == policy.replica_count or found.refusal
    for combination in itertools.combinations(usable, len(found.wanted)):
        if policy.spread == "backend" or len({getattr(it, policy.spread) for it in combination}) == len(combination):
            assert sum(it.backend_id in kept for it in combination) <= len(kept & set(found.wanted))
