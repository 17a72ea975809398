"""Stored policy levels as one effective policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from domicile_common.errors import PolicyRefused
from domicile_common.model import Backend, EffectivePolicy, Policy
from domicile_common.policy import check_tightens, decide, merge, policy_from_json


# Merging is a pure function of texts that hardly ever change; most writes find the answer here.
@lru_cache(maxsize=10_000)
def effective_policy(documents: tuple[str, ...], version: int) -> EffectivePolicy:
    """The levels merged, outermost first. Raises ``PolicyRefused`` when there is no default level, or they have nothing in common."""
    return merge([policy_from_json(document.encode()) for document in documents], version)


def outcome(
    documents: tuple[str, ...], version: int, backends: Iterable[Backend]
) -> tuple[EffectivePolicy | None, PolicyRefused | None]:
    """What the levels amount to, and why no write could be placed under them with these backends; ``None`` for what is not so."""
    effective = None
    try:
        effective = effective_policy(documents, version)
        decide(effective, backends)
    except PolicyRefused as refused:
        return effective, refused
    return effective, None


def with_inner_level(documents: tuple[str, ...], version: int, inner: Policy, code: str = "InvalidRequest") -> EffectivePolicy:
    """The levels merged with a further one inside them, which may only tighten; ``code`` is the S3 error code of a refusal."""
    outer = effective_policy(documents, version)
    check_tightens(outer, inner, code)
    return merge([*(policy_from_json(document.encode()) for document in documents), inner], version)
