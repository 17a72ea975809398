"""What a request claims: who signed it, when, and what was signed. Nothing here has been verified."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from domicile_common.errors import RequestError
from domicile_common.sigv4 import canonical, keys

STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

_PAYLOAD_LITERALS = frozenset(
    literal.encode()
    for literal in (canonical.UNSIGNED_PAYLOAD, STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER)
)

_CREDENTIAL = re.compile(r"([!-.0-~]+)/([^/]*)/([!-.0-~]*)/([^/]*)/([^/]*)").fullmatch
_DATE = re.compile(r"[0-9]{8}").fullmatch
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z").fullmatch
_SHA256 = re.compile(rb"[0-9a-fA-F]{64}").fullmatch
_HEADER_NAMES = re.compile(rb"[!#-9<-~]+(;[!#-9<-~]+)*").fullmatch


class Claim(msgspec.Struct, frozen=True):
    """A parsed signature.

    Attributes:
        access_key: the key id; whether it exists is the caller's question (``InvalidAccessKeyId``).
        date: the day of the credential scope, ``YYYYMMDD``; equals the day of ``signed_at``.
        region: of the credential scope, as the client says.
        signed_at: aware, UTC; ``None`` where the signature does not tell.
        timestamp: ``signed_at`` as it was signed.
        signature: as given; hex, unless it is nonsense.
        signed_headers: lower-case names.
        payload: what was signed in place of the body: its hex SHA-256, ``UNSIGNED-PAYLOAD`` or ``STREAMING-…``.
        canonical_requests: the forms that may have been signed, S3's own first.
        expires_at: when a presigned URL ends, aware, UTC; ``None`` when the Authorization header was used.
        version: as a bucket policy calls it. Of version 2 (``AWS``), ``canonical_requests`` are what was signed itself, and there is no
            date, region or timestamp.
    """

    access_key: str
    date: str
    region: str
    signed_at: datetime | None
    timestamp: str
    signature: str
    signed_headers: tuple[str, ...]
    payload: str
    canonical_requests: tuple[bytes, ...]
    expires_at: datetime | None = None
    version: str = keys.ALGORITHM

    @property
    def presigned(self) -> bool:
        return self.expires_at is not None

    @property
    def scope(self) -> str:
        return keys.scope(self.date, self.region)


class Credential(NamedTuple):
    access_key: str
    date: str
    region: str


def parse_credential(text: str, refuse: Callable[[str], RequestError]) -> Credential:
    """``<key id>/YYYYMMDD/REGION/s3/aws4_request``; ``refuse`` makes the error of the place where it stood."""
    match = _CREDENTIAL(text)
    if match is None:
        raise refuse('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
    access_key, date, region, service, terminal = match.groups()
    if service != "s3":
        raise refuse('incorrect service. This endpoint belongs to "s3".')
    if terminal != "aws4_request":
        raise refuse('incorrect terminal. This endpoint uses "aws4_request".')
    if _DATE(date) is None:
        raise refuse('incorrect date format. This date in the credential must be in the format "yyyyMMdd".')
    return Credential(access_key, date, region)


def parse_timestamp(text: str) -> datetime | None:
    """ISO 8601 basic format in UTC, as in x-amz-date; ``None`` when it is not."""
    if _TIMESTAMP(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def parse_http_date(text: str) -> datetime | None:
    """The form that RFC 9110 section 5.6.7 tells clients to send; ``None`` when it is not."""
    try:
        return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return None


def parse_payload(value: bytes) -> str:
    """The value of x-amz-content-sha256: a hex SHA-256 or one of the literals."""
    if _SHA256(value) is None and value not in _PAYLOAD_LITERALS:
        raise RequestError(
            "InvalidArgument",
            f"x-amz-content-sha256 must be {canonical.UNSIGNED_PAYLOAD}, {STREAMING_UNSIGNED_TRAILER}, {STREAMING_SIGNED}, "
            f"{STREAMING_SIGNED_TRAILER} or a valid sha256 value.",
            {"ArgumentName": "x-amz-content-sha256"},
        )
    return value.decode("ascii")


def split_signed_headers(names: bytes, refuse: Callable[[str], RequestError]) -> list[bytes]:
    if _HEADER_NAMES(names) is None:
        raise refuse("SignedHeaders must be header names joined by semicolons.")
    return names.split(b";")


def require_signed(headers: Mapping[bytes, bytes], signed: Iterable[bytes]) -> None:
    """Host and every x-amz-* header must be signed, else they could be changed on the way.

    x-amz-content-sha256 need not be: its value is itself a line of the canonical request.
    """
    unsigned = {name for name in headers if name.startswith(b"x-amz-")} - {b"x-amz-content-sha256"}
    unsigned.add(b"host")
    unsigned.difference_update(signed)
    if unsigned:
        names = ", ".join(sorted(name.decode("latin-1") for name in unsigned))
        raise RequestError(
            "AccessDenied", "There were headers present in the request which were not signed", {"HeadersNotSigned": names}
        )


def refuse_session_token(token: bytes) -> None:
    """Tenants' keys are permanent; a session token belongs to some other endpoint's credentials."""
    if token:
        raise RequestError("InvalidToken", "The provided token is malformed or otherwise invalid.")
