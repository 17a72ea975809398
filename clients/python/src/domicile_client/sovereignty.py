"""Which places satisfy a policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from domicile_client.call import Call, Json, Pages, call

Among = Literal["catalogue", "backends"]


def check(policy: Json, *, features: Sequence[str] = (), among: Among | None = None, limit: int | None = None) -> Call:
    """``features``: what every place must be known to have. ``limit``: of the placements that are shown."""
    body = {"policy": policy, "features": list(features), "among": among, "limit": limit}
    return call("POST", "sovereignty", body=body, service="discovery")


def catalogue() -> Call:
    return call("GET", "catalogue", pages=Pages("providers"), service="discovery")
