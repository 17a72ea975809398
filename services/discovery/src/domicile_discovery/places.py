"""Candidates of a sovereignty check: the catalogue's sites, or the backends that are registered."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import msgspec

from domicile_common.catalogue import Feature
from domicile_common.errors import RequestError
from domicile_common.model import Backend, BackendState, EffectivePolicy
from domicile_common.policy import policy_from_json
from domicile_common.sovereignty import FEATURES, Candidate, Ranking, effective, from_backends, from_catalogue, rank
from domicile_common.value import Value
from domicile_discovery.metadata import Sources

MAXIMUM_POLICY = 8 << 10  # bytes; both locks with every country there is take 3 KiB
MAXIMUM_FEATURES = len(FEATURES)


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``policy``: one level, as in the admin API. ``features``: what every place must be known to have."""

    policy: msgspec.Raw
    features: Annotated[tuple[Feature, ...], msgspec.Meta(max_length=MAXIMUM_FEATURES)] = ()
    among: Literal["catalogue", "backends"] = "catalogue"

    def effective(self) -> EffectivePolicy:
        """Raises ``RequestError``, ``PolicyRefused``. Whoever reaches the page may ask, so that a policy may not be of any length."""
        if len(bytes(self.policy)) > MAXIMUM_POLICY:
            raise RequestError("InvalidArgument", f"The policy is larger than {MAXIMUM_POLICY} bytes.")
        return effective(policy_from_json(bytes(self.policy)))


class RankQuestion(Question, frozen=True, forbid_unknown_fields=True, kw_only=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20


class _Registered(Value, frozen=True):
    """A backend as the admin API shows it, as far as it matters here."""

    backend_id: str
    provider: str
    endpoint: str
    country: str
    jurisdictions: tuple[str, ...]
    state: BackendState
    cost: int


class _Listed(Value, frozen=True):
    backends: tuple[_Registered, ...]


async def candidates(there: Sources, among: Literal["catalogue", "backends"]) -> tuple[Candidate, ...]:
    """Which backends there are is the operators' to know. Raises ``Refused``, ``Unavailable``."""
    if among == "catalogue":
        return from_catalogue(there.catalogue)
    listed = await there.metadata.call("GET", "/proxy/backends", there.shown, _Listed)
    return from_backends((_as_backend(it) for it in listed.backends), there.catalogue)


def _as_backend(it: _Registered) -> Backend:
    return Backend(it.backend_id, it.provider, it.endpoint, it.country, it.jurisdictions, "", "", state=it.state, cost=it.cost)


async def ranked(there: Sources, question: RankQuestion) -> Ranking:
    policy = question.effective()
    found = await candidates(there, question.among)
    return await asyncio.to_thread(rank, policy, found, features=question.features, limit=question.limit)
