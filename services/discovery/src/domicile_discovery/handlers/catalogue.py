from __future__ import annotations

from starlette.requests import Request

from domicile_common.backends.quirks import QUIRKS
from domicile_common.catalogue import Catalogue
from domicile_common.countries import COUNTRIES, GROUPS
from domicile_common.sovereignty import FEATURES
from domicile_common.value import Value
from domicile_discovery.context import Context
from domicile_discovery.handlers.api import Endpoint


class Words(Value, frozen=True):
    """What a policy may name, and what a backend may behave like. ``groups``: name → countries."""

    countries: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    features: tuple[str, ...]
    quirks: tuple[str, ...]


async def show(context: Context, _request: Request) -> Catalogue:
    return context.catalogue


async def words(_context: Context, _request: Request) -> Words:
    return Words(tuple(sorted(COUNTRIES)), dict(GROUPS), FEATURES, tuple(QUIRKS))


ENDPOINTS = (
    Endpoint("GET", "/api/catalogue", show, "page"),
    Endpoint("GET", "/api/words", words, "page"),
)
