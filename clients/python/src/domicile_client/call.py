"""A call before it is sent, and what its answer means. Pure: both clients send the same calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import quote

from domicile_client.errors import NoAnswer, NotAdmitted, Refused

Json = dict[str, Any]
Service = Literal["metadata", "discovery"]

LARGEST_PAGE: Final = 1000
_LATER: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_PREFIXES: Final[Mapping[Service, str]] = {"metadata": "/proxy", "discovery": "/api"}


@dataclass(frozen=True, slots=True)
class Pages:
    """An answer that comes in pages: ``rows`` is the field that holds them; ``mark`` that of a row from which the next page goes on.

    Where an answer has ``next`` itself, there is no mark.
    """

    rows: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """``path``: percent-encoded. ``query``, ``body``: what is ``None`` in them is left out, and the installation's default holds."""

    method: str
    path: str
    query: Json = field(default_factory=dict)
    body: Json | None = None
    pages: Pages | None = None
    service: Service = "metadata"


def call(
    method: str,
    *segments: str,
    query: Json | None = None,
    body: Json | None = None,
    pages: Pages | None = None,
    service: Service = "metadata",
) -> Call:
    """``segments`` of the path, as they are."""
    path = "/".join((_PREFIXES[service], *(quote(segment, safe="") for segment in segments)))
    return Call(method, path, _said(query or {}), None if body is None else _said(body), pages, service)


def _said(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def limited(page: Call, rows: int | None) -> Call:
    """A page of as many rows as there may be, or of so many if they are fewer."""
    return replace(page, query={**page.query, "limit": min(LARGEST_PAGE, rows or LARGEST_PAGE)})


def following(page: Call, answer: Json) -> Call | None:
    """The call for the next page; ``None`` after the last one."""
    if page.pages is None or not (rows := answer[page.pages.rows]):
        return None
    after = answer.get("next") or (rows[-1][page.pages.mark] if answer.get("truncated") and page.pages.mark else None)
    return replace(page, query={**page.query, "after": after}) if after else None


def read(status: int, content: bytes) -> Json:
    """The answer. Raises ``Refused``, ``NoAnswer``.

    Not every answer that is no success is a refusal: that of a wait whose time was up says how far things are.
    """
    try:
        answer = json.loads(content)
    except ValueError:
        raise NoAnswer(f"HTTP {status} and no JSON: is this the address of a Domicile service?") from None
    if not isinstance(answer, dict):
        raise NoAnswer(f"HTTP {status} and no object: is this the address of a Domicile service?")
    error = answer.get("error")
    if status < HTTPStatus.BAD_REQUEST or not isinstance(error, dict):
        return answer
    code, message = str(error.get("code", status)), str(error.get("message", ""))
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise NoAnswer(f"{code}: {message}")
    admitted = status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    raise (Refused if admitted else NotAdmitted)(status, code, message)
