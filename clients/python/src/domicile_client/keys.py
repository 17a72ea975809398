"""Access keys of tenants."""

from __future__ import annotations

from typing import Literal

from domicile_client.call import Call, Pages, call


def create(
    tenant: str,
    *,
    access: Literal["full", "read"] | None = None,
    expires_in_seconds: int | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
) -> Call:
    """``access_key`` with ``secret_key`` registers that pair. The answer alone ever holds the secret."""
    body = {"tenant_id": tenant, "access": access, "expires_in_seconds": expires_in_seconds}
    return call("POST", "credentials", body={**body, "access_key": access_key, "secret_key": secret_key})


def list_all(tenant: str | None = None) -> Call:
    return call("GET", "credentials", query={"tenant": tenant}, pages=Pages("credentials", "access_key"))


def change(access_key: str, state: Literal["active", "disabled"]) -> Call:
    return call("PATCH", "credentials", access_key, body={"state": state})


def rotate(access_key: str, overlap_seconds: int | None = None) -> Call:
    return call("POST", "credentials", access_key, "rotate", body={"overlap_seconds": overlap_seconds})
