"""Tokens of the admin API, each for one role."""

from __future__ import annotations

from typing import Literal

from domicile_client.call import Call, Pages, call

Role = Literal["operator", "auditor", "tenant_admin"]


def create(name: str, role: Role, *, tenant: str | None = None, expires_in_seconds: int | None = None) -> Call:
    """``tenant``: of a ``tenant_admin``. The answer alone ever holds the ``secret``."""
    body = {"name": name, "role": role, "tenant_id": tenant, "expires_in_seconds": expires_in_seconds}
    return call("POST", "tokens", body=body)


def list_all() -> Call:
    return call("GET", "tokens", pages=Pages("tokens", "token_id"))


def revoke(token_id: str) -> Call:
    """It and the sessions that began with it end at once."""
    return call("DELETE", "tokens", token_id)
