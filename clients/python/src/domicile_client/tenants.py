"""Customers of the installation."""

from __future__ import annotations

from typing import Literal

from domicile_client.call import Call, Json, Pages, call


def create(tenant: str, name: str | None = None) -> Call:
    return call("POST", "tenants", body={"tenant_id": tenant, "name": name})


def list_all() -> Call:
    return call("GET", "tenants", pages=Pages("tenants", "tenant_id"))


def show(tenant: str) -> Call:
    return call("GET", "tenants", tenant)


def change(tenant: str, *, name: str | None = None, state: Literal["active", "disabled"] | None = None) -> Call:
    return call("PATCH", "tenants", tenant, body={"name": name, "state": state})


def limits(tenant: str) -> Call:
    """What it may use, and what it uses."""
    return call("GET", "tenants", tenant, "limits")


def set_limits(tenant: str, limits: Json) -> Call:
    """All of them at once; what is left out is unlimited."""
    return call("PUT", "tenants", tenant, "limits", body=limits)
