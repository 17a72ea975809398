"""Which requests to the API come from our own page. Pure.

A browser sends our cookie, or reaches a service inside a network, for any page that asks it to. So a request is served only when it is for a
host that people reach us by (otherwise a foreign name was pointed at our address), when the browser does not say that it comes from elsewhere,
and, if it may change anything or fetch anything, when it carries a header that no form and no foreign page can add without asking us first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

MARK = "x-domicile-request"
_SAFE = frozenset({"GET", "HEAD"})


def origin_of(headers: Mapping[str, str], origins: Collection[str]) -> str | None:
    """The origin that the request is for, if it is one of ours. ``headers``: by lower-case name."""
    host = headers.get("host", "").lower()
    return next((origin for origin in origins if urlsplit(origin).netloc == host), None)


def objection(method: str, headers: Mapping[str, str], origins: Collection[str]) -> str | None:
    """Why the request is not served; ``None`` when it is."""
    if origin_of(headers, origins) is None:
        return "This service is not reached by this name: DISCOVERY_ORIGINS says by which."
    if "origin" in headers and headers["origin"].lower() not in origins:
        return "The request comes from another page."
    # ``none``: somebody typed the address.
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "The request comes from another page."
    if method not in _SAFE and MARK not in headers:
        return "The header X-Domicile-Request is missing."
    return None


def shows_secret(value: Any) -> bool:
    """Whether a JSON value holds a secret key in clear, however deep: it has to be sealed for metadata in the browser."""
    if isinstance(value, dict):
        return value.get("secret_key") is not None or any(map(shows_secret, value.values()))
    return isinstance(value, list) and any(map(shows_secret, value))
