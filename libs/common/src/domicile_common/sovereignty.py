"""Which places would satisfy a policy, how they rank, and what of a bucket would have to move. Pure.

Candidates are sites of the provider catalogue or registered backends. Whether one may hold data, and where a version goes, is
the policy engine's own answer (``policy``), so that nothing is promised here that the proxy would refuse. What is not known of a
candidate counts against it: a country, an owner, a feature that is needed. What the catalogue has but nobody checked is not known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from math import comb
from typing import NamedTuple, get_args

import msgspec

from domicile_common import combining
from domicile_common.catalogue import Catalogue, Feature, Provider, origin
from domicile_common.combining import Traits
from domicile_common.countries import COUNTRIES
from domicile_common.errors import PolicyRefused
from domicile_common.model import Backend, BackendState, EffectivePolicy, Policy
from domicile_common.policy import admits, decide, merge, of_object, part, preferences, rearrange
from domicile_common.value import Value

FEATURES: tuple[str, ...] = get_args(Feature)
MAXIMUM_COMBINATIONS = 12_000  # so many placements are compared at most: 30 ms, and all pairs of 155 places
# Classes whose objects have to be restored before they can be read. https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_ONE_COPY = Policy(replica_count=1, write_quorum=1)


class Candidate(Value, frozen=True):
    """A place where copies could be.

    ``id``: ``<provider>/<site>`` of the catalogue, or a backend's id. ``jurisdictions``: those that are known; ``owners_known``: that these
    are all of them. ``features``: those that are known, one way or the other.
    """

    id: str
    provider: str
    country: str | None
    jurisdictions: tuple[str, ...]
    owners_known: bool
    city: str | None = None
    endpoint: str | None = None
    features: dict[str, bool] = {}
    state: BackendState = "active"
    cost: int = 100


class Verdict(Value, frozen=True, omit_defaults=False):
    """``reason``: why the candidate is out, as a sentence; ``None``: it is in. ``certain``: not just for want of knowledge."""

    candidate: Candidate
    reason: str | None
    certain: bool = True


class Objection(NamedTuple):
    """``certain``: nothing that is still to be learnt of the candidate would lift it."""

    reason: str
    certain: bool


class Placement(Value, frozen=True):
    """Places that together satisfy the policy. ``features``: what all of them are known to have."""

    ids: tuple[str, ...]
    countries: tuple[str, ...]
    providers: tuple[str, ...]
    jurisdictions: tuple[str, ...]
    features: tuple[str, ...]


class Ranking(Value, frozen=True, omit_defaults=False):
    """``placements``: best first. ``chosen``: what the engine would choose for a write now. ``refusal``: why there is no placement at all.

    ``complete``: every possible placement was compared; otherwise those of a choice of candidates that keeps providers and countries apart.
    """

    verdicts: tuple[Verdict, ...]
    placements: tuple[Placement, ...] = ()
    chosen: tuple[str, ...] = ()
    refusal: str | None = None
    complete: bool = True


def from_catalogue(catalogue: Catalogue) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            id=f"{provider.provider}/{site.site}",
            provider=provider.provider,
            country=site.country if site.checked else None,
            jurisdictions=provider.jurisdictions,
            owners_known=provider.owners_known,
            city=site.city,
            endpoint=site.endpoint,
            features=_known_features(provider),
        )
        for provider in catalogue.providers
        for site in provider.sites
    )


def from_backends(backends: Iterable[Backend], catalogue: Catalogue) -> tuple[Candidate, ...]:
    """Registered ones: the operator's statements count, and the catalogue knows the features of those it has."""
    candidates = []
    for backend in backends:
        listed = catalogue.at(backend.endpoint)
        candidates.append(
            Candidate(
                id=backend.backend_id,
                provider=backend.provider,
                country=backend.country,
                jurisdictions=backend.jurisdictions,
                owners_known=True,
                city=listed[1].city if listed else None,
                endpoint=backend.endpoint,
                features=_known_features(listed[0]) if listed else {},
                state=backend.state,
                cost=backend.cost,
            )
        )
    return tuple(candidates)


def _known_features(provider: Provider) -> dict[str, bool]:
    if provider.features is None or not provider.features.checked:
        return {}
    known = {name: getattr(provider.features, name) for name in FEATURES}
    return {name: value for name, value in known.items() if value is not None}


def effective(level: Policy) -> EffectivePolicy:
    """A policy as it counts by itself, above a default of one copy anywhere. Raises ``PolicyRefused``."""
    return merge([_ONE_COPY, level], version=0)


def rank(policy: EffectivePolicy, candidates: Sequence[Candidate], *, features: Collection[str] = (), limit: int = 20) -> Ranking:
    """Placements under ``policy``, best first, and for each candidate why it is out.

    More countries are better, then more providers, fewer jurisdictions, more features that all of them have, then the policy's own order.
    """
    verdicts = tuple(_verdict(policy, it, features) for it in candidates)
    inside = {verdict.candidate.id: verdict.candidate for verdict in verdicts if verdict.reason is None}
    try:
        chosen = decide(policy, map(_as_backend, inside.values())).wanted
    except PolicyRefused as refused:
        return Ranking(verdicts, refusal=refused.message)
    shortlist = _shortlist(policy, [inside[id_] for id_ in chosen], inside.values())
    best = combining.best(_traits(policy, shortlist), policy.replica_count, limit)
    placements = tuple(_placement([shortlist[index] for index in choice]) for choice in best)
    return Ranking(verdicts, placements, chosen, complete=len(shortlist) == len(inside))


def _verdict(policy: EffectivePolicy, candidate: Candidate, features: Collection[str]) -> Verdict:
    found = objection(policy, candidate, features)
    return Verdict(candidate, None) if found is None else Verdict(candidate, *found)


def objection(policy: EffectivePolicy, candidate: Candidate, features: Collection[str]) -> Objection | None:
    """Why it is out, what is certain first; ``None`` when it is in."""
    if fault := _fault(policy, candidate, features):
        return Objection(fault, certain=True)
    doubt = _doubt(policy, candidate, features)
    return Objection(doubt, certain=False) if doubt else None


def _fault(policy: EffectivePolicy, candidate: Candidate, features: Collection[str]) -> str | None:
    """What is known against it."""
    if refusal := admits(policy, _as_backend(_at_best(policy, candidate))):
        return refusal
    if candidate.state != "active":
        return f"{candidate.id} is {candidate.state}."
    missing = next((it for it in features if candidate.features.get(it) is False), None)
    return f"{candidate.id} does not have {missing}." if missing else None


def _doubt(policy: EffectivePolicy, candidate: Candidate, features: Collection[str]) -> str | None:
    """What would have to be known of it."""
    if candidate.country is None:
        return f"It is not known in which country {candidate.id} is."
    if refusal := admits(policy, _as_backend(candidate)):
        return refusal
    if policy.jurisdictions is not None and not candidate.owners_known:
        return f"It is not known who owns the operator of {candidate.id}, and so not whose laws it answers to."
    unknown = next((it for it in features if it not in candidate.features), None)
    return f"It is not known whether {candidate.id} has {unknown}." if unknown else None


def _at_best(policy: EffectivePolicy, candidate: Candidate) -> Candidate:
    """The candidate, were its place and its operator as the policy wants them where they are not known."""
    country = candidate.country or min(policy.countries or COUNTRIES)
    return msgspec.structs.replace(
        candidate, country=country, jurisdictions=candidate.jurisdictions or (min(policy.jurisdictions or COUNTRIES),)
    )


def _as_backend(candidate: Candidate) -> Backend:
    return Backend(
        backend_id=candidate.id,
        provider=candidate.provider,
        endpoint=candidate.endpoint or "",
        country=candidate.country or "",
        jurisdictions=candidate.jurisdictions,
        access_key="",
        sealed_secret="",
        state=candidate.state,
        cost=candidate.cost,
    )


def _shortlist(policy: EffectivePolicy, chosen: Sequence[Candidate], inside: Iterable[Candidate]) -> list[Candidate]:
    """As many candidates as can be combined: the engine's choice first, then one of each provider and country in turn."""
    ranks = preferences(policy)
    ordered = sorted(inside, key=lambda it: (ranks.get(it.country or "", 0), it.cost, it.id))
    seen: Counter[tuple[str, str | None]] = Counter()
    turns = []
    for candidate in ordered:
        turns.append((candidate not in chosen, seen[candidate.provider, candidate.country]))
        seen[candidate.provider, candidate.country] += 1
    by_turn = [ordered[place] for place in sorted(range(len(ordered)), key=turns.__getitem__)]
    size = policy.replica_count
    while size < len(by_turn) and comb(size + 1, policy.replica_count) <= MAXIMUM_COMBINATIONS:
        size += 1
    return by_turn[:size]


def _traits(policy: EffectivePolicy, places: Sequence[Candidate]) -> list[tuple[str, Traits]]:
    """What decides how placements of these rank, as ``combining`` counts it."""
    ranks = preferences(policy)
    bits: defaultdict[tuple[str, str], int] = defaultdict(lambda: 1 << len(bits))
    return [
        (
            it.id,
            Traits(
                part=bits["part", part(policy, _as_backend(it))],
                countries=bits["country", it.country or ""],
                providers=bits["provider", it.provider],
                jurisdictions=sum({bits["jurisdiction", code] for code in it.jurisdictions}),
                features=sum(1 << place for place, name in enumerate(FEATURES) if it.features.get(name)),
                rank=ranks.get(it.country or "", 0),
                cost=it.cost,
            ),
        )
        for it in places
    ]


def _common_features(placement: Sequence[Candidate]) -> tuple[str, ...]:
    return tuple(name for name in FEATURES if all(it.features.get(name) for it in placement))


def _placement(places: Sequence[Candidate]) -> Placement:
    return Placement(
        ids=tuple(it.id for it in places),
        countries=tuple(sorted({it.country for it in places if it.country})),
        providers=tuple(sorted({it.provider for it in places})),
        jurisdictions=tuple(sorted({code for it in places for code in it.jurisdictions})),
        features=_common_features(places),
    )


# --- what would have to move ---


class Holding(Value, frozen=True):
    """What a bucket holds of one storage class, all versions."""

    bucket: str
    storage_class: str
    objects: int
    bytes: int


class Move(Value, frozen=True, omit_defaults=False):
    """What becomes of a holding. ``targets``: where copies of it are made. ``stays``: where it is, it may stay.

    ``refusal``: why nothing can be done with it; then ``targets`` is empty.
    """

    holding: Holding
    targets: tuple[str, ...]
    stays: bool
    refusal: str | None = None


class Amount(Value, frozen=True, omit_defaults=False):
    id: str
    objects: int
    bytes: int


class MovePlan(Value, frozen=True, omit_defaults=False):
    """``source``: the candidate that the holdings are at, if that can be told. ``source_reason``: why they may not stay there.

    ``targets``: what would be written to each. ``read``: what would be read from where it is now. ``refused``: what cannot be done.
    """

    source: Candidate | None
    source_reason: str | None
    moves: tuple[Move, ...]
    targets: tuple[Amount, ...]
    read: Amount
    refused: Amount


class _Asked(NamedTuple):
    policy: EffectivePolicy
    usable: tuple[Backend, ...]
    source: Candidate | None


def plan(
    policy: EffectivePolicy,
    holdings: Iterable[Holding],
    candidates: Sequence[Candidate],
    *,
    endpoint: str,
    features: Collection[str] = (),
) -> MovePlan:
    """What would go where, were all holdings at ``endpoint`` put under ``policy``. What may stay where it is stays."""
    source = _at(endpoint, candidates)
    usable = tuple(_as_backend(it) for it in candidates if objection(policy, it, features) is None)
    asked = _Asked(policy, usable, source)
    held = tuple(holdings)
    fates = {it: _fate(asked, it) for it in {holding.storage_class for holding in held}}
    moves = tuple(Move(it, *fates[it.storage_class]) for it in held)
    objects, sizes = Counter[str](), Counter[str]()
    for move in moves:
        for target in move.targets:
            objects[target] += move.holding.objects
            sizes[target] += move.holding.bytes
    return MovePlan(
        source=source,
        source_reason=_why_not_there(policy, source, features),
        moves=moves,
        targets=tuple(Amount(id_, objects[id_], sizes[id_]) for id_ in sorted(objects)),
        read=_sum("read", [it.holding for it in moves if it.targets]),
        refused=_sum("refused", [it.holding for it in moves if it.refusal is not None]),
    )


def _at(endpoint: str, candidates: Iterable[Candidate]) -> Candidate | None:
    """Which candidate this endpoint is; ``None`` when it serves several places, so that it cannot be told where its data is."""
    found = [it for it in candidates if it.endpoint and origin(it.endpoint) == origin(endpoint)]
    places = {(it.provider, it.country) for it in found}
    return found[0] if len(places) == 1 else None


def _why_not_there(policy: EffectivePolicy, source: Candidate | None, features: Collection[str]) -> str | None:
    if source is None:
        return "It cannot be told from its endpoint which candidate it is."
    found = objection(policy, source, features)
    return None if found is None else found.reason


def _fate(asked: _Asked, storage_class: str) -> tuple[tuple[str, ...], bool, str | None]:
    """``targets``, ``stays`` and ``refusal`` of whatever is held in a class: nothing else decides them."""
    kept = () if asked.source is None else (asked.source.id,)
    policy = of_object(asked.policy, storage_class, None)
    wanted, refusal = rearrange(policy, asked.usable, kept=kept, coming=(), leaving=())
    if refusal is not None:
        return (), False, refusal.message
    targets = tuple(id_ for id_ in wanted if id_ not in kept)
    if targets and storage_class in ARCHIVED:
        return (), False, f"Objects of class {storage_class} must be restored before they can be read."
    return targets, len(targets) < len(wanted), None


def _sum(name: str, holdings: Sequence[Holding]) -> Amount:
    return Amount(name, sum(it.objects for it in holdings), sum(it.bytes for it in holdings))
