"""Claims made in the Authorization header.

Source: "Authenticating Requests: Using the Authorization Header" of the Amazon S3 API reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from domicile_common.errors import RequestError
from domicile_common.sigv4 import canonical, keys
from domicile_common.sigv4.claim import (
    Claim,
    parse_credential,
    parse_http_date,
    parse_payload,
    parse_timestamp,
    refuse_session_token,
    require_signed,
    split_signed_headers,
)

_SCHEME = keys.ALGORITHM.encode() + b" "
# Some clients sign for a bucket's location as the region, and a location may be several countries: FI,DE.
_SEPARATOR = re.compile(rb",(?=[ \t]*(?:Credential|SignedHeaders|Signature)=)")


def parse_authorization(method: str, raw_path: bytes, raw_query: bytes, headers: Mapping[bytes, bytes]) -> Claim:
    """The claim of a request that has an Authorization header.

    Args:
        method: as sent.
        raw_path: still percent-encoded, as sent.
        raw_query: as sent.
        headers: folded, see ``canonical.fold_headers``.

    Raises:
        RequestError: ``AuthorizationHeaderMalformed``, ``InvalidRequest``, ``InvalidArgument``, ``AccessDenied``, ``InvalidToken``.
    """
    parameters = _split(headers[b"authorization"])
    credential = parse_credential(parameters[b"Credential"].decode("latin-1"), _malformed)
    signed = split_signed_headers(parameters[b"SignedHeaders"], _malformed)
    signed_at = _signed_at(headers)
    timestamp = keys.timestamp(signed_at)
    if timestamp[:8] != credential.date:
        raise _malformed("Invalid credential date. This date is not the same as X-Amz-Date.")
    require_signed(headers, signed)
    refuse_session_token(headers.get(b"x-amz-security-token", b""))
    payload = _payload(headers)
    signed_part = canonical.signed_part(headers, signed, payload)
    return Claim(
        access_key=credential.access_key,
        date=credential.date,
        region=credential.region,
        signed_at=signed_at,
        timestamp=timestamp,
        signature=parameters[b"Signature"].decode("latin-1"),
        signed_headers=tuple(name.decode("ascii") for name in signed),
        payload=payload,
        canonical_requests=tuple(
            canonical.canonical_request(method, path, query, signed_part)
            for path in canonical.path_forms(raw_path)
            for query in canonical.query_forms(raw_query)
        ),
    )


def _split(value: bytes) -> dict[bytes, bytes]:
    """The three components; order and the spaces after commas vary between clients."""
    if not value.startswith(_SCHEME):
        if value.startswith(b"AWS "):
            raise RequestError(
                "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
            )
        raise RequestError("InvalidArgument", "Unsupported Authorization Type", {"ArgumentName": "Authorization"})
    items = [item.strip().partition(b"=") for item in _SEPARATOR.split(value[len(_SCHEME) :])]
    parameters = {name: text for name, _, text in items}
    complete = len(items) == len(parameters) and parameters.keys() == {b"Credential", b"SignedHeaders", b"Signature"}
    if not complete or b"," in parameters[b"Signature"]:
        raise _malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
    return parameters


def _signed_at(headers: Mapping[bytes, bytes]) -> datetime:
    """x-amz-date, or Date in its place."""
    text = headers.get(b"x-amz-date", headers.get(b"date", b"")).decode("latin-1")
    signed_at = parse_timestamp(text)
    if signed_at is None and b"x-amz-date" not in headers:
        signed_at = parse_http_date(text)
    if signed_at is None:
        raise RequestError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    return signed_at


def _payload(headers: Mapping[bytes, bytes]) -> str:
    payload = headers.get(b"x-amz-content-sha256", b"")
    if not payload:
        raise RequestError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    return parse_payload(payload)


def _malformed(why: str) -> RequestError:
    return RequestError("AuthorizationHeaderMalformed", f"The authorization header is malformed; {why}")
