"""The query of a request, decoded once. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from domicile_common.errors import RequestError

MAX_INT = 2**31 - 1  # S3's "integer range"

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"-?[0-9]{1,18}")  # int() also takes "1_0", " 1" and other scripts' digits


def decode(raw: bytes) -> str:
    """Percent-decodes once, to UTF-8.

    Raises:
        RequestError: InvalidURI for a broken escape or bytes that are not UTF-8.
    """
    if b"%" in raw:
        if _BROKEN_ESCAPE.search(raw):
            raise RequestError("InvalidURI")
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise RequestError("InvalidURI") from None


def parse_query(raw: bytes) -> dict[str, str]:
    """Name → value; ``+`` is a space, as at AWS; a name without ``=`` has the value ``""``; the first of repeated names counts.

    Raises:
        RequestError: InvalidURI, see ``decode``.
    """
    params: dict[str, str] = {}
    if not raw:
        return params
    for field in raw.replace(b"+", b" ").split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            params.setdefault(decode(name), decode(value))
    return params


def whole_number(params: Mapping[str, str], name: str, default: int, *, least: int = 0, most: int = MAX_INT) -> int:
    """A number in the query; an absent or empty one is ``default``.

    Raises:
        RequestError: InvalidArgument when it is no integer or outside ``least`` … ``most``.
    """
    text = params.get(name, "")
    if not text:
        return default
    if not _INTEGER.fullmatch(text):
        message = f"Provided {name} not an integer or within integer range"
    elif not least <= int(text) <= most:
        message = f"Argument {name} must be an integer between {least} and {most}"
    else:
        return int(text)
    raise RequestError("InvalidArgument", message, {"ArgumentName": name, "ArgumentValue": text})
