"""The canonical request: method, path, query, headers and payload hash as S3 sees them.

S3 differs from the other AWS services: the path is decoded once and encoded once, and never normalised, so that ``a//b`` and ``./a`` are
keys like any other. Clients differ too in what they leave unencoded and then sign as they sent it. So a request has more than one form
that may have been signed; all of them decode to the same key and the same parameters, so accepting any of them grants nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote_from_bytes, unquote_to_bytes

Headers = Iterable[tuple[bytes, bytes]]
"""Headers in ASGI's form: lower-case names, repeated ones in the order they came."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest()

_PLAIN = re.compile(rb"[A-Za-z0-9\-._~/]*").fullmatch
_PRINTABLE = re.compile(rb"[!-~]*").fullmatch
_ENCODED_SLASH = re.compile(rb"%2[Ff]")


def encode(raw: bytes, safe: str = "") -> str:
    """AWS's UriEncode: everything but ``A-Za-z0-9-._~`` (and ``safe``) becomes ``%XX``, in upper case."""
    return quote_from_bytes(raw, safe)


def decode_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The parameters in the order they came; ``+`` is a space, as at S3; a name without ``=`` has an empty value."""
    return [(unquote_plus(name), unquote_plus(value)) for name, value in _split_query(raw)]


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """The canonical query of decoded parameters, which is also fit to be sent."""
    return _join_query((encode(name.encode()), encode(value.encode())) for name, value in pairs)


def path_forms(raw: bytes) -> tuple[str, ...]:
    """What a client may have signed for this path, still percent-encoded, S3's own form first."""
    if _PLAIN(raw):
        return (raw.decode("ascii"),)
    forms = [
        encode(unquote_to_bytes(raw), "/"),
        "%2F".join(encode(unquote_to_bytes(piece), "/") for piece in _ENCODED_SLASH.split(raw)),
    ]
    if _PRINTABLE(raw):
        forms.append(raw.decode("ascii"))
    return tuple(dict.fromkeys(forms))


def query_forms(raw: bytes, without: bytes | None = None) -> tuple[str, ...]:
    """What a client may have signed for this query, sorted, S3's own form first; ``without`` names a parameter that is left out."""
    if not raw:
        return ("",)
    pairs = [(name, value) for name, value in _split_query(raw) if name != without]
    forms = [_join_query((encode(unquote_plus(name)), encode(unquote_plus(value))) for name, value in pairs)]
    if _PRINTABLE(raw):
        forms.append(_join_query((name.decode("ascii"), value.decode("ascii")) for name, value in pairs))
    return tuple(dict.fromkeys(forms))


def sorted_query(query: str) -> str:
    """A percent-encoded query as it is signed by whoever sends it."""
    return _join_query((name, value) for name, _, value in (item.partition("=") for item in query.split("&") if item))


def fold_headers(headers: Headers) -> dict[bytes, bytes]:
    """Each header once: outer whitespace removed, inner runs folded to one space, repeated ones joined by commas in order."""
    folded: dict[bytes, bytes] = {}
    for name, raw in headers:
        value = b" ".join(raw.split())
        folded[name] = folded[name] + b"," + value if name in folded else value
    return folded


def signed_part(headers: Mapping[bytes, bytes], signed_names: Sequence[bytes], payload: str) -> bytes:
    """The lines of a canonical request below the query.

    Args:
        headers: folded; a signed one that is missing counts as empty.
        signed_names: lower-case names in the order of SignedHeaders.
        payload: hex SHA-256 of the body, or one of S3's literals in its place.
    """
    lines = b"".join([b"%b:%b\n" % (name, headers.get(name, b"")) for name in signed_names])
    return b"%b\n%b\n%b" % (lines, b";".join(signed_names), payload.encode())


def canonical_request(method: str, path: str, query: str, signed: bytes) -> bytes:
    """``path`` and ``query`` in one of their forms, ``signed`` of ``signed_part``."""
    return f"{method}\n{path}\n{query}\n".encode() + signed


def _split_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, _, value in (item.partition(b"=") for item in raw.split(b"&") if item)]


def _join_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Sorted by name, then value, after encoding: ``=`` must not take part in the order."""
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def unquote_plus(raw: bytes) -> bytes:
    """Of a name or value in a query: ``+`` is a space."""
    return unquote_to_bytes(raw.replace(b"+", b" "))
