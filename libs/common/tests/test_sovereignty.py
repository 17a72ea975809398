from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common import sovereignty
from domicile_common.catalogue import load_catalogue, make_catalogue, parse_provider
from domicile_common.countries import COUNTRIES
from domicile_common.errors import PolicyRefused
from domicile_common.model import Backend, Policy
from domicile_common.policy import admits, decide
from domicile_common.sovereignty import Candidate, Holding, effective, from_backends, from_catalogue, objection, plan, rank

SITES = from_catalogue(load_catalogue())


def candidate(id_: str, country: str | None = "FI", **fields) -> Candidate:
    fields.setdefault("provider", id_.partition("/")[0])
    fields.setdefault("jurisdictions", (country,) if country else ())
    fields.setdefault("owners_known", True)
    return Candidate(id=id_, country=country, **fields)


def reasons(ranking):
    return {verdict.candidate.id: verdict.reason for verdict in ranking.verdicts}


countries = st.sampled_from(["FI", "DE", "SE", "US", None])
candidates = st.lists(
    st.builds(
        Candidate,
        id=st.sampled_from([f"p{n}/s{m}" for n in range(4) for m in range(4)]),
        provider=st.sampled_from(["p0", "p1", "p2", "p3"]),
        country=countries,
        jurisdictions=st.lists(st.sampled_from(["FI", "DE", "SE", "US"]), max_size=2).map(tuple),
        owners_known=st.booleans(),
        features=st.dictionaries(st.sampled_from(["versioning", "object_lock"]), st.booleans()),
        state=st.sampled_from(["active", "active", "readonly"]),
    ),
    unique_by=lambda it: it.id,
    max_size=10,
)
policies = st.builds(
    Policy,
    region_lock=st.sampled_from([None, ("FI", "DE"), ("EU",)]),
    operator_lock=st.sampled_from([None, ("EU",)]),
    replica_count=st.integers(1, 4),
    spread=st.sampled_from(["backend", "provider", "country"]),
).map(effective)


@given(policies, candidates, st.sampled_from([(), ("versioning",), ("versioning", "object_lock")]))
def test_the_engine_agrees_with_every_answer(policy, places, features):
    ranking = rank(policy, places, features=features)
    inside = {verdict.candidate.id for verdict in ranking.verdicts if verdict.reason is None}
    known = {it.id: sovereignty._as_backend(it) for it in places}
    assert len(ranking.verdicts) == len(places)
    for place in places:
        if place.id in inside:
            assert admits(policy, known[place.id]) is None
            assert all(place.features[name] for name in features)
            assert policy.jurisdictions is None or place.owners_known
    assert (ranking.refusal is None) == bool(ranking.placements)
    assert len({placement.ids for placement in ranking.placements}) == len(ranking.placements)
    for placement in ranking.placements:
        assert set(placement.ids) <= inside
        decision = decide(policy, [known[id_] for id_ in placement.ids])
        assert set(decision.wanted) == set(placement.ids)
    if ranking.refusal is None and ranking.complete and len(ranking.placements) < 20:
        assert set(ranking.chosen) in [set(placement.ids) for placement in ranking.placements]
    else:
        assert ranking.refusal is None or not ranking.chosen


@given(policies, candidates, st.randoms())
def test_the_order_in_which_candidates_come_does_not_matter(policy, places, random):
    shuffled = list(places)
    random.shuffle(shuffled)
    assert rank(policy, shuffled).placements == rank(policy, places).placements


@given(policies, candidates)
def test_placements_get_no_better_further_down(policy, places):
    spans = [(len(it.countries), len(it.providers), -len(it.jurisdictions)) for it in rank(policy, places).placements]
    assert spans == sorted(spans, reverse=True)


def test_each_candidate_that_is_out_is_told_why():
    policy = effective(Policy(region_lock=("FI", "DE"), operator_lock=("EU",)))
    ranking = rank(
        policy,
        [
            candidate("in/a", features={"object_lock": True}),
            candidate("far/a", "US", jurisdictions=("US",)),
            candidate("law/a", "DE", jurisdictions=("DE", "US")),
            candidate("owner/a", owners_known=False),
            candidate("nowhere/a", None),
            candidate("draining/a", state="draining"),
            candidate("without/a", features={"object_lock": False}),
            candidate("unknown/a"),
        ],
        features=["object_lock"],
    )
    found = reasons(ranking)
    assert found["in/a"] is None
    assert "is in US, outside the region_lock" in found["far/a"]
    assert "answers to US" in found["law/a"]
    assert "not known who owns" in found["owner/a"]
    assert "not known in which country" in found["nowhere/a"]
    assert "is draining" in found["draining/a"]
    assert "does not have object_lock" in found["without/a"]
    assert "not known whether" in found["unknown/a"]
    doubtful = {verdict.candidate.id for verdict in ranking.verdicts if not verdict.certain}
    assert doubtful == {"owner/a", "nowhere/a", "unknown/a"}
    assert ranking.chosen == ("in/a",)


@given(policies, candidates, st.sampled_from([(), ("versioning",), ("versioning", "object_lock")]))
def test_what_is_out_for_want_of_knowledge_would_be_in_at_best_and_nothing_else_would(policy, places, features):
    for verdict in rank(policy, places, features=features).verdicts:
        it = verdict.candidate
        at_best = msgspec.structs.replace(
            it,
            country=it.country or min(policy.countries or COUNTRIES),
            jurisdictions=it.jurisdictions or (min(policy.jurisdictions or COUNTRIES),),
            owners_known=True,
            features=dict.fromkeys(sovereignty.FEATURES, True) | it.features,
        )
        assert (objection(policy, at_best, features) is None) == (verdict.reason is None or not verdict.certain)


def test_what_cannot_be_satisfied_is_refused_with_the_engines_words():
    ranking = rank(effective(Policy(replica_count=2, spread="country")), [candidate("a/1"), candidate("b/1")])
    assert (ranking.placements, ranking.chosen) == ((), ())
    assert "2 replicas need as many countrys" in (ranking.refusal or "")


def test_a_frankfurt_site_of_a_company_owned_in_the_us_answers_to_the_us():
    found = reasons(rank(effective(Policy(region_lock=("DE",), operator_lock=("EU",))), SITES))
    assert found["ovhcloud/de"] is None
    assert found["ionos/de"] is None
    assert "answers to US" in (found["aws/eu-central-1"] or "")
    assert "not known who owns" in (found["hetzner/fsn1"] or "")
    assert "outside the region_lock" in (found["aws/eu-north-1"] or "")


CHECKED = {"source": "https://acme.example/about", "noted": "2026-01-02", "checked": True}
ACME = {
    "provider": "acme",
    "name": "Acme",
    "entity": {"name": "Acme Oy", "country": "FI", **CHECKED},
    "ownership": {"parents": [{"name": "Acme Oyj", "country": "FI"}], **CHECKED},
    "endpoint_pattern": None,
    "features": dict.fromkeys(sovereignty.FEATURES, True) | CHECKED,
    "certifications": [],
    "sites": [{"site": "x", "region": None, "country": "FI", "city": None, "endpoint": None, **CHECKED}],
}


def why_out(policy, **changes):
    """Why the one site of ``ACME`` is out, where object lock is needed."""
    (site,) = from_catalogue(make_catalogue([parse_provider(msgspec.json.encode(ACME | changes))]))
    found = objection(effective(policy), site, ["object_lock"])
    return found and found.reason


@pytest.mark.parametrize(
    ("unchecked", "reason"),
    [
        ("sites", "not known in which country"),
        ("ownership", "not known who owns"),
        ("entity", "not known who owns"),
        ("features", "not known whether"),
    ],
)
def test_what_nobody_checked_counts_for_nothing(unchecked, reason):
    fact = ACME[unchecked]
    hearsay = [it | {"checked": False} for it in fact] if isinstance(fact, list) else fact | {"checked": False}
    policy = Policy(region_lock=("FI",), operator_lock=("EU",))
    assert why_out(policy) is None
    assert reason in (why_out(policy, **{unchecked: hearsay}) or "")


def test_an_owner_that_nobody_checked_still_counts_against_a_place():
    american = {"parents": [{"name": "Acme Inc.", "country": "US"}], **CHECKED, "checked": False}
    assert "answers to US" in (why_out(Policy(operator_lock=("EU",)), ownership=american) or "")


def test_three_copies_in_three_countries_of_three_providers_come_first():
    ranking = rank(effective(Policy(region_lock=("EU",), replica_count=3)), SITES)
    best = ranking.placements[0]
    assert (len(best.countries), len(best.providers)) == (3, 3)
    assert not ranking.complete


def test_sixteen_copies_among_all_sites_are_ranked_in_no_time():
    ranking = rank(effective(Policy(replica_count=16)), SITES, limit=3)
    assert len(ranking.placements) == 3


def backend(backend_id, country="DE", endpoint="https://fsn1.your-objectstorage.com", **fields):
    return Backend(backend_id, "hetzner", endpoint, country, (country,), "key", "sealed", **fields)


def test_a_registered_backend_has_the_features_that_the_catalogue_knows():
    (known, strange) = from_backends([backend("fsn"), backend("lab", endpoint="http://127.0.0.1:9000")], load_catalogue())
    assert (known.features["object_lock"], known.city, known.owners_known) == (True, "Falkenstein", True)
    assert (strange.features, strange.city) == ({}, None)


def test_no_credential_of_a_backend_is_in_an_answer():
    answer = msgspec.json.encode(rank(effective(Policy()), from_backends([backend("fsn")], load_catalogue())))
    assert b"sealed" not in answer
    assert b'"key"' not in answer


# --- plans ---

HOLDINGS = (Holding("a", "STANDARD", 3, 300), Holding("b", "GLACIER", 2, 20))
PLACES = (candidate("here/1", "US", endpoint="https://here.example"), candidate("there/1"), candidate("there/2", "DE"))


def test_what_is_outside_the_lock_moves_and_what_is_archived_is_refused():
    policy = effective(Policy(region_lock=("FI", "DE"), replica_count=2))
    made = plan(policy, HOLDINGS, PLACES, endpoint="https://here.example/")
    assert made.source is not None
    assert "outside the region_lock" in (made.source_reason or "")
    standard, archived = made.moves
    assert (standard.targets, standard.stays, standard.refusal) == (("there/1", "there/2"), False, None)
    assert (archived.targets, "must be restored" in (archived.refusal or "")) == ((), True)
    assert [(it.id, it.objects, it.bytes) for it in made.targets] == [("there/1", 3, 300), ("there/2", 3, 300)]
    assert (made.read.objects, made.read.bytes, made.refused.objects, made.refused.bytes) == (3, 300, 2, 20)


def test_what_may_stay_stays_and_only_the_missing_copy_is_made():
    made = plan(effective(Policy(replica_count=2)), HOLDINGS[:1], PLACES, endpoint="https://here.example")
    (move,) = made.moves
    assert (move.stays, len(move.targets)) == (True, 1)
    assert made.source_reason is None


def test_nothing_moves_when_one_copy_here_is_all_that_is_asked_for():
    made = plan(effective(Policy()), HOLDINGS, PLACES, endpoint="https://here.example")
    assert all(move.stays and not move.targets and move.refusal is None for move in made.moves)
    assert (made.targets, made.read.bytes, made.refused.bytes) == ((), 0, 0)


def test_everything_moves_from_a_place_that_nobody_knows():
    made = plan(effective(Policy(region_lock=("FI",))), HOLDINGS[:1], PLACES, endpoint="https://elsewhere.example")
    assert (made.source, made.moves[0].targets) == (None, ("there/1",))


def test_an_endpoint_that_serves_several_places_says_nothing_of_where_it_is():
    made = plan(effective(Policy(region_lock=("BE",))), HOLDINGS[:1], SITES, endpoint="https://storage.googleapis.com")
    assert made.source is None
    assert not made.moves[0].stays
    twins = (
        candidate("a", endpoint="https://one.example", provider="p"),
        candidate("b", endpoint="https://one.example", provider="p"),
    )
    same = plan(effective(Policy()), HOLDINGS[:1], twins, endpoint="https://one.example")
    assert same.source is not None
    assert same.source.country == "FI"


def test_a_class_that_asks_for_one_copy_gets_one():
    policy = effective(Policy(region_lock=("FI", "DE"), replica_count=2))
    (move,) = plan(policy, [Holding("a", "ONEZONE_IA", 1, 1)], PLACES, endpoint="https://x.example").moves
    assert move.targets == ("there/1",)


def test_a_plan_that_cannot_be_satisfied_refuses_and_moves_nothing():
    made = plan(effective(Policy(region_lock=("SE",))), HOLDINGS, PLACES, endpoint="https://here.example")
    assert made.targets == ()
    assert made.refused.objects == 5
    assert all(move.refusal for move in made.moves)


holdings = st.lists(
    st.builds(
        Holding,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["STANDARD", "GLACIER", "ONEZONE_IA", "STRANGE"]),
        st.integers(0, 9),
        st.integers(0, 99),
    )
)


@given(policies, candidates, holdings, st.booleans())
def test_a_plan_accounts_for_every_byte_and_never_leaves_the_lock(policy, places, held, known):
    places = [msgspec.structs.replace(it, endpoint=f"https://{number}.example") for number, it in enumerate(places)]
    made = plan(policy, held, places, endpoint="https://0.example" if known else "https://x.example")
    inside = {it.id for it in places if sovereignty.objection(policy, it, ()) is None}
    assert [move.holding for move in made.moves] == held
    for move in made.moves:
        assert set(move.targets) <= inside
        assert made.source is None or made.source.id not in move.targets
        assert (move.refusal is None) == bool(move.targets or move.stays)
        assert not move.stays or (made.source is not None and made.source.id in inside)
    assert sum(it.bytes for it in made.targets) == sum(len(move.targets) * move.holding.bytes for move in made.moves)
    assert made.refused.bytes == sum(move.holding.bytes for move in made.moves if move.refusal)


def test_an_impossible_policy_is_refused_by_name():
    with pytest.raises(PolicyRefused, match="ISO 3166-1"):
        effective(Policy(region_lock=("XX",)))
