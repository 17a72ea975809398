"""Stored policy levels as one effective policy. Pure."""

from __future__ import annotations

from functools import lru_cache

from domicile_common.model import EffectivePolicy, Policy
from domicile_common.policy import check_tightens, merge, policy_from_json


# Merging is a pure function of texts that hardly ever change; most writes find the answer here.
@lru_cache(maxsize=10_000)
def effective_policy(documents: tuple[str, ...], version: int) -> EffectivePolicy:
    """The levels merged, outermost first. Raises ``PolicyRefused`` when there is no default level, or they have nothing in common."""
    return merge([policy_from_json(document.encode()) for document in documents], version)


def with_inner_level(documents: tuple[str, ...], version: int, inner: Policy, code: str = "InvalidRequest") -> EffectivePolicy:
    """The levels merged with a further one inside them, which may only tighten; ``code`` is the S3 error code of a refusal."""
    outer = effective_policy(documents, version)
    check_tightens(outer, inner, code)
    return merge([*(policy_from_json(document.encode()) for document in documents), inner], version)
