"""The policy engine: what a policy may say, how levels merge, and where one write goes. Pure.

A policy names countries (where a site stands) and jurisdictions (whose law its operator answers to); they are different things.
Everything unknown is refused: a country that ISO 3166-1 does not list, a jurisdiction that is not stated, a storage kind or an
encryption mode that Domicile does not have yet. Refusals are ``PolicyRefused`` and name the rule: the field of the policy that
failed (``region_lock``, ``operator_lock``, ``replica_count``, ``spread``, ``write_quorum``, ``write_width``, ``storage``, ``encryption``,
``rpo_seconds``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from domicile_common.countries import COUNTRIES, GROUPS
from domicile_common.errors import PolicyRefused, RequestError, Unavailable
from domicile_common.model import Backend, Decision, EffectivePolicy, Policy

MAXIMUM_REPLICAS = 16
_ONE_COPY = Policy(replica_count=1, write_quorum=1)
# S3's storage classes as redundancy classes: what an object demands by its class, beside its bucket's policy. Those that cost less for
# what is rarely read promise no fewer copies. Classes that are not read at once, or stand for a place, are not had here.
STORAGE_CLASSES: Mapping[str, Policy] = {
    "STANDARD": Policy(),
    "STANDARD_IA": Policy(),
    "INTELLIGENT_TIERING": Policy(),
    "GLACIER_IR": Policy(),
    "REDUCED_REDUNDANCY": _ONE_COPY,
    "ONEZONE_IA": _ONE_COPY,
}
_INNERMOST = ("replica_count", "write_quorum", "write_width", "spread", "storage", "encryption", "rpo_seconds", "layout")
_SUPPORTED_STORAGE = {"kind": "replicate"}
_SUPPORTED_ENCRYPTION = {"mode": "none"}


# --- what a policy may say ---


def policy_from_json(document: bytes) -> Policy:
    """A validated policy level. Raises ``RequestError`` (malformed, naming the field) or ``PolicyRefused`` (what it asks for)."""
    try:
        policy = msgspec.convert(json.loads(document, object_pairs_hook=_without_duplicates), Policy)
    except msgspec.ValidationError as error:
        raise RequestError("InvalidRequest", f"The policy is malformed: {error}") from None
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _DuplicateField) else "it is not a JSON object"
        raise RequestError("InvalidRequest", f"The policy is malformed: {reason}") from None
    check_policy(policy)
    return policy


class _DuplicateField(ValueError):
    pass


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON parsers differ in which of two equal names counts; a policy must read the same to everybody."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _DuplicateField("a field is given twice")
    return fields


def check_policy(policy: Policy) -> None:
    """Refuses what no set of backends could satisfy, and what Domicile does not know how to do."""
    for rule, codes in (("region_lock", policy.region_lock), ("operator_lock", policy.operator_lock)):
        if codes is not None:
            if not codes:
                raise PolicyRefused(rule, f"{rule} is empty: it would allow no backend at all.")
            expand(codes, rule)
    _check_range("replica_count", policy.replica_count, 1, MAXIMUM_REPLICAS)
    _check_range("write_quorum", policy.write_quorum, 1, MAXIMUM_REPLICAS)
    _check_range("write_width", policy.write_width, 1, MAXIMUM_REPLICAS)
    _check_range("rpo_seconds", policy.rpo_seconds, 1, 10 * 366 * 86_400)
    if policy.replica_count is not None and policy.write_quorum is not None:
        _check_quorum(policy.replica_count, policy.write_quorum)
    _check_supported(policy.storage, policy.encryption)


def _check_range(rule: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise PolicyRefused(rule, f"{rule} must be between {low} and {high}.")


def _check_quorum(replica_count: int, write_quorum: int) -> None:
    if not 1 <= write_quorum <= replica_count:
        raise PolicyRefused("write_quorum", f"write_quorum {write_quorum} must be between 1 and replica_count {replica_count}.")


def _check_supported(storage: dict[str, str | int] | None, encryption: dict[str, str] | None) -> None:
    if storage is not None and storage != _SUPPORTED_STORAGE:
        raise PolicyRefused("storage", f"Only storage {json.dumps(_SUPPORTED_STORAGE)} is supported yet.")
    if encryption is not None and encryption != _SUPPORTED_ENCRYPTION:
        raise PolicyRefused("encryption", f"Only encryption {json.dumps(_SUPPORTED_ENCRYPTION)} is supported yet.")


def expand(codes: Iterable[str], rule: str = "region_lock") -> tuple[str, ...]:
    """Countries for codes and group names, in order, each once. Letter case does not matter. Unknown ones are refused."""
    return tuple(_ranks(codes, rule))


def _ranks(codes: Iterable[str], rule: str) -> dict[str, int]:
    """Country → position of the code or group that first names it: members of a group are equally preferred."""
    ranks: dict[str, int] = {}
    for rank, code in enumerate(codes):
        for country in _members(code, rule):
            ranks.setdefault(country, rank)
    return ranks


def _members(code: str, rule: str) -> tuple[str, ...]:
    # Only ASCII letters have a harmless upper case: "ß" would become SS, the code of South Sudan.
    name = code.upper() if code.isascii() else code
    if name in COUNTRIES:
        return (name,)
    if name in GROUPS:
        return GROUPS[name]
    raise PolicyRefused(rule, f"{rule}: {code[:40]!r} is neither an ISO 3166-1 alpha-2 country code nor a known group.")


def parse_location(constraint: str) -> tuple[str, ...]:
    """The ``region_lock`` that a ``LocationConstraint`` asks for: comma-separated codes or groups, most preferred first.

    Empty gives ``()``: the bucket asks for nothing of its own. Raises ``RequestError`` ``InvalidLocationConstraint``.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    """
    if not constraint:
        return ()
    codes = tuple(dict.fromkeys(code.strip(" ") for code in constraint.split(",")))
    try:
        expand(codes)
    except PolicyRefused as refused:
        raise RequestError("InvalidLocationConstraint", refused.message) from None
    return tuple(code.upper() for code in codes)


# --- how levels merge ---


def merge(levels: Sequence[Policy], version: int) -> EffectivePolicy:
    """All levels as one, from the outermost (the installation default, which sets replica_count and write_quorum) inwards.

    Locks intersect: no level can loosen what one above it demands. The order of preference is that of the innermost level that
    sets a lock. Of everything else the innermost value counts. ``version`` is passed on.
    """
    for level in levels:
        check_policy(level)
    for rule in ("replica_count", "write_quorum"):
        if not levels or getattr(levels[0], rule) is None:
            raise PolicyRefused(rule, f"The installation's default policy does not set {rule}; an operator must.")
    countries = _intersect("region_lock", [level.region_lock for level in levels])
    jurisdictions = _intersect("operator_lock", [level.operator_lock for level in levels])
    merged = EffectivePolicy(
        version=version,
        countries=None if countries is None else tuple(countries),
        ranks=() if countries is None else tuple(countries.values()),
        jurisdictions=None if jurisdictions is None else tuple(jurisdictions),
        **{
            field: value for field in _INNERMOST if (value := _innermost([getattr(level, field) for level in levels])) is not None
        },
    )
    _check_quorum(merged.replica_count, merged.write_quorum)
    return merged


def _innermost(values: list[Any]) -> Any:
    return next((value for value in reversed(values) if value is not None), None)


def _intersect(rule: str, locks: Sequence[tuple[str, ...] | None]) -> dict[str, int] | None:
    """Country → rank in the innermost lock, for the countries that every lock allows; ``None`` when there is no lock."""
    ranked = [_ranks(lock, rule) for lock in locks if lock is not None]
    if not ranked:
        return None
    allowed = {country: rank for country, rank in ranked[-1].items() if all(country in lock for lock in ranked)}
    if not allowed:
        raise PolicyRefused(rule, f"{rule}: the levels of the policy have no country in common.")
    return allowed


def check_tightens(parent: EffectivePolicy, child: Policy, code: str = "InvalidRequest") -> None:
    """Refuses a child whose locks reach outside its parent's; ``code`` is the S3 error code of the refusal."""
    for rule, allowed, wanted in (
        ("region_lock", parent.countries, child.region_lock),
        ("operator_lock", parent.jurisdictions, child.operator_lock),
    ):
        outside = [country for country in expand(wanted or (), rule) if allowed is not None and country not in allowed]
        if outside:
            raise PolicyRefused(rule, f"{', '.join(outside)} is outside the {rule} of the level above ({_names(allowed)}).", code)


# --- where one write goes ---


class Lock(Protocol):
    """The residency part of an ``EffectivePolicy`` or a ``Work``: expanded codes, ``None`` where no level sets a lock."""

    @property
    def countries(self) -> tuple[str, ...] | None: ...
    @property
    def jurisdictions(self) -> tuple[str, ...] | None: ...


def admits(lock: Lock, backend: Backend) -> str | None:
    """Why ``backend`` must not hold data under ``lock``, as a sentence; ``None`` when it may. So: ``admits(...) is None``."""
    objection = _objection(lock, backend)
    return objection and objection[1]


def _objection(lock: Lock, backend: Backend) -> tuple[str, str] | None:
    """The rule that ``backend`` breaks, and a sentence about it."""
    who = backend.backend_id
    if backend.country not in COUNTRIES:
        return "region_lock", f"{who} states no country of ISO 3166-1."
    if lock.countries is not None and backend.country not in lock.countries:
        return "region_lock", f"{who} is in {backend.country}, outside the region_lock ({_names(lock.countries)})."
    if not backend.jurisdictions or not COUNTRIES.issuperset(backend.jurisdictions):
        return "operator_lock", f"{who} does not state its operator's jurisdictions as ISO 3166-1 codes."
    outside = [code for code in backend.jurisdictions if lock.jurisdictions is not None and code not in lock.jurisdictions]
    if outside:
        return (
            "operator_lock",
            f"{who} answers to {', '.join(outside)}, outside the operator_lock ({_names(lock.jurisdictions)}).",
        )
    return None


def decide(policy: EffectivePolicy, backends: Iterable[Backend], *, avoid: Collection[str] = frozenset()) -> Decision:
    """The placement of one write. The same policy, set of backends and ``avoid`` give the same answer, in whatever order they come.

    Candidates are the active backends inside the lock, best first: those not in ``avoid`` (backends that are down now), then by
    the order of the region lock, cost and id. One candidate is taken of each provider or country when the policy asks for that
    spread; as these partition the candidates, taking the best of each part never misses a placement that exists.

    Raises ``PolicyRefused`` when the registered backends cannot satisfy the policy, ``Unavailable`` when they could, but fewer
    than ``write_quorum`` of them are up.
    """
    _check_supported(policy.storage, policy.encryption)
    _check_quorum(policy.replica_count, policy.write_quorum)
    ranks = preferences(policy)
    candidates = sorted(
        _candidates(policy, backends),
        key=lambda it: (it.backend_id in avoid, ranks.get(it.country, 0), it.cost, it.backend_id),
    )
    chosen = _one_of_each_part(policy, candidates)
    if len(chosen) < policy.replica_count:
        raise _too_few(policy, chosen, candidates)
    wanted = chosen[: policy.replica_count]
    width = max(policy.write_quorum, policy.write_width)  # never more than ``wanted``
    write = tuple(backend.backend_id for backend in wanted if backend.backend_id not in avoid)[:width]
    if len(write) < policy.write_quorum:
        raise Unavailable(f"{len(write)} of the {policy.write_quorum} backends that a write needs can be reached.")
    return Decision(
        wanted=tuple(backend.backend_id for backend in wanted),
        write=write,
        quorum=policy.write_quorum,
        policy_version=policy.version,
        reason=_reason(policy, wanted, len(candidates), sorted(it.backend_id for it in candidates if it.backend_id in avoid)),
    )


class Rearrangement(NamedTuple):
    """``wanted``: where a version should be now, no more than ``replica_count``. ``refusal``: why the policy is not satisfied even so."""

    wanted: tuple[str, ...]
    refusal: PolicyRefused | None


def rearrange(
    policy: EffectivePolicy,
    backends: Iterable[Backend],
    *,
    kept: Collection[str],
    coming: Collection[str],
    leaving: Collection[str],
) -> Rearrangement:
    """Where a version that exists should be under a policy, or with backends, that are no longer those of its decision.

    ``kept``: the backends that hold it. They come first, so that nothing moves without need; one that takes nothing new may go on holding
    it, unless it is draining or lost. ``coming``: a copy is on its way there. ``leaving``: it is being removed there, and nothing can come
    before that is done. What can be satisfied of the policy is, as far as backends go.
    """
    ranks = preferences(policy)
    usable = sorted(
        (
            it
            for it in backends
            if it.backend_id not in leaving
            and _objection(policy, it) is None
            and (it.state == "active" or (it.backend_id in kept and it.state not in ("draining", "lost")))
        ),
        key=lambda it: (
            it.backend_id not in kept,
            it.backend_id not in coming,
            ranks.get(it.country, 0),
            it.cost,
            it.backend_id,
        ),
    )
    chosen = _one_of_each_part(policy, usable)
    wanted = tuple(backend.backend_id for backend in chosen[: policy.replica_count])
    return Rearrangement(wanted, _too_few(policy, chosen, usable) if len(wanted) < policy.replica_count else None)


def of_object(policy: EffectivePolicy, storage_class: str, copies_asked_for: str | None) -> EffectivePolicy:
    """Its bucket's policy for an object that exists, with what it asks for by its class, and by its tag ``replica-count``, which goes before."""
    by_class = STORAGE_CLASSES.get(storage_class, Policy()).replica_count
    count = int(copies_asked_for) if copies_asked_for and copies_asked_for.isdecimal() else by_class
    return policy if count is None else msgspec.structs.replace(policy, replica_count=count)


def preferences(policy: EffectivePolicy) -> dict[str, int]:
    """How much each country is preferred, 0 most."""
    countries = policy.countries or ()
    return dict(zip(countries, policy.ranks or range(len(countries)), strict=True))


def _one_of_each_part(policy: EffectivePolicy, candidates: Iterable[Backend]) -> list[Backend]:
    """The best of each part, in order; ``candidates``: best first."""
    chosen: dict[str, Backend] = {}
    for backend in candidates:
        chosen.setdefault(part(policy, backend), backend)
    return list(chosen.values())


def _too_few(policy: EffectivePolicy, chosen: Sequence[Backend], candidates: Sequence[Backend]) -> PolicyRefused:
    rule, kind = ("spread", policy.spread) if len(candidates) >= policy.replica_count else ("replica_count", "backend")
    return PolicyRefused(
        rule, f"{policy.replica_count} replicas need as many {kind}s, active and inside the lock; there are {len(chosen)}."
    )


def _candidates(policy: EffectivePolicy, backends: Iterable[Backend]) -> list[Backend]:
    active = [backend for backend in backends if backend.state == "active"]
    objections = {backend.backend_id: _objection(policy, backend) for backend in active}
    inside = [backend for backend in active if objections[backend.backend_id] is None]
    if active and not inside:
        # The furthest rule that some backend got to is the one that an operator can do something about.
        rules = {objection[0] for objection in objections.values() if objection}
        rule = "operator_lock" if "operator_lock" in rules else "region_lock"
        lock = policy.countries if rule == "region_lock" else policy.jurisdictions
        raise PolicyRefused(rule, f"No active backend is inside the {rule} ({_names(lock)}).")
    return inside


def part(policy: EffectivePolicy, backend: Backend) -> str:
    """What no two replicas may share."""
    return {"backend": backend.backend_id, "provider": backend.provider, "country": backend.country}[policy.spread]


def _reason(policy: EffectivePolicy, wanted: Sequence[Backend], candidates: int, avoided: Sequence[str]) -> str:
    places = ", ".join(f"{backend.backend_id} ({backend.country})" for backend in wanted)
    locks = f"countries {_names(policy.countries)}, operators {_names(policy.jurisdictions)}"
    down = f"; down then: {_names(avoided)}" if avoided else ""
    return f"{places}: best of {candidates} active inside {locks}; one per {policy.spread}{down}."


def _names(codes: Iterable[str] | None) -> str:
    return "any" if codes is None else ", ".join(codes)
