"""Claims made in the query: presigned URLs.

Source: "Authenticating Requests: Using Query Parameters" of the Amazon S3 API reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import MAXYEAR, timedelta

from domicile_common.errors import RequestError
from domicile_common.sigv4 import canonical, keys
from domicile_common.sigv4.claim import (
    Claim,
    parse_credential,
    parse_payload,
    parse_timestamp,
    refuse_session_token,
    require_signed,
    split_signed_headers,
)

MAX_EXPIRES = 7 * 24 * 3600
"""Seconds; AWS's bound."""

_REQUIRED = (b"X-Amz-Algorithm", b"X-Amz-Credential", b"X-Amz-Signature", b"X-Amz-Date", b"X-Amz-SignedHeaders", b"X-Amz-Expires")
_DIGITS = re.compile(rb"-?[0-9]{1,10}").fullmatch


def parse_presigned(method: str, raw_path: bytes, raw_query: bytes, headers: Mapping[bytes, bytes]) -> Claim:
    """The claim of a request whose query has an ``X-Amz-Algorithm``.

    Args:
        method: as sent.
        raw_path: still percent-encoded, as sent.
        raw_query: as sent.
        headers: folded, see ``canonical.fold_headers``.

    Raises:
        RequestError: ``AuthorizationQueryParametersError``, ``AccessDenied``, ``InvalidArgument``, ``InvalidToken``.
    """
    parameters = _parameters(raw_query)
    if parameters[b"X-Amz-Algorithm"] != keys.ALGORITHM.encode():
        raise _refuse(f'X-Amz-Algorithm only supports "{keys.ALGORITHM}"')
    expires = _expires(parameters[b"X-Amz-Expires"])
    credential = parse_credential(parameters[b"X-Amz-Credential"].decode("latin-1"), _refuse_credential)
    timestamp = parameters[b"X-Amz-Date"].decode("latin-1")
    signed_at = parse_timestamp(timestamp)
    if signed_at is None or signed_at.year == MAXYEAR:  # after which nothing can expire
        raise _refuse("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    if timestamp[:8] != credential.date:
        raise _refuse("Invalid credential date. This date is not the same as X-Amz-Date.")
    signed = split_signed_headers(parameters[b"X-Amz-SignedHeaders"], _refuse)
    require_signed(headers, signed)
    refuse_session_token(parameters.get(b"X-Amz-Security-Token", headers.get(b"x-amz-security-token", b"")))
    payload = _payload(parameters, headers, signed)
    signed_part = canonical.signed_part(headers, signed, payload)
    return Claim(
        access_key=credential.access_key,
        date=credential.date,
        region=credential.region,
        signed_at=signed_at,
        timestamp=timestamp,
        signature=parameters[b"X-Amz-Signature"].decode("latin-1"),
        signed_headers=tuple(name.decode("ascii") for name in signed),
        payload=payload,
        canonical_requests=tuple(
            canonical.canonical_request(method, path, query, signed_part)
            for path in canonical.path_forms(raw_path)
            for query in canonical.query_forms(raw_query, without=b"X-Amz-Signature")
        ),
        expires_at=signed_at + timedelta(seconds=expires),
    )


def _parameters(raw_query: bytes) -> dict[bytes, bytes]:
    """The X-Amz-* parameters, each at most once."""
    pairs = [(name, value) for name, value in canonical.decode_query(raw_query) if name.startswith(b"X-Amz-")]
    parameters = dict(pairs)
    if len(pairs) != len(parameters) or not all(parameters.get(name) for name in _REQUIRED):
        raise _refuse(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
            "X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    return parameters


def _expires(text: bytes) -> int:
    if _DIGITS(text) is None:
        raise _refuse("X-Amz-Expires should be a number")
    expires = int(text)
    if expires < 0:
        raise _refuse("X-Amz-Expires must be non-negative")
    if expires > MAX_EXPIRES:
        raise _refuse(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
        )
    return expires


def _payload(parameters: Mapping[bytes, bytes], headers: Mapping[bytes, bytes], signed: list[bytes]) -> str:
    """The payload hash is given in the query, or in a signed header; else the body is not signed."""
    payload = parameters.get(b"X-Amz-Content-Sha256", b"")
    if not payload and b"x-amz-content-sha256" in signed:
        payload = headers.get(b"x-amz-content-sha256", b"")
    return parse_payload(payload) if payload else canonical.UNSIGNED_PAYLOAD


def _refuse(why: str) -> RequestError:
    return RequestError("AuthorizationQueryParametersError", why)


def _refuse_credential(why: str) -> RequestError:
    return _refuse(f"Error parsing the X-Amz-Credential parameter; {why}")
