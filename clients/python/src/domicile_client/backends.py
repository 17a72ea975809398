"""S3 endpoints where objects are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from domicile_client.call import Call, Pages, call

State = Literal["active", "readonly", "draining", "disabled", "lost"]
LIMITS = ("job_limit", "bytes_per_second", "requests_per_second")


def put(
    backend: str,
    *,
    provider: str,
    endpoint: str,
    country: str,
    jurisdictions: Sequence[str],
    access_key: str,
    secret_key: str | None = None,
    region: str | None = None,
    addressing: Literal["path", "virtual"] | None = None,
    quirks: str | None = None,
    state: State | None = None,
    cost: int | None = None,
    force: bool = False,
) -> Call:
    """Registers or changes one; without ``secret_key``, a known backend keeps its own. ``force``: as in ``change``."""
    body = {
        "provider": provider,
        "endpoint": endpoint,
        "country": country,
        "jurisdictions": list(jurisdictions),
        "access_key": access_key,
        "secret_key": secret_key,
        "region": region,
        "addressing": addressing,
        "quirks": quirks,
        "state": state,
        "cost": cost,
        "force": force or None,
    }
    return call("PUT", "backends", backend, body=body)


def list_all() -> Call:
    return call("GET", "backends", pages=Pages("backends"))


def show(backend: str) -> Call:
    return call("GET", "backends", backend)


def change(backend: str, *, state: State | None = None, paused: bool | None = None, force: bool = False) -> Call:
    """``force``: also when policies could not be satisfied any more."""
    return call("PATCH", "backends", backend, body={"state": state, "paused": paused, "force": force or None})


def limit(backend: str, **limits: float | None) -> Call:
    """``limits``: some of ``LIMITS``; ``None`` ends one."""
    return replace(call("PATCH", "backends", backend), body=limits)


def health() -> Call:
    """How each looks to the services."""
    return call("GET", "health")


def probes(backend: str) -> Call:
    """What probes have found that it can do, the latest first."""
    return call("GET", "backends", backend, "probes", pages=Pages("probes"))


def preview(backend: str, state: State) -> Call:
    """What would be moved if it were in this state."""
    return call("POST", "placement", "preview", body={"backend": backend, "state": state})
