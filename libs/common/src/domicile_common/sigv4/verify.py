"""The way in: what a request claims, and whether it is true."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from domicile_common.errors import RequestError
from domicile_common.sigv4 import canonical, keys, version2
from domicile_common.sigv4.claim import Claim
from domicile_common.sigv4.header import parse_authorization
from domicile_common.sigv4.presigned import parse_presigned
from domicile_common.sigv4.streaming import ChunkChain

MAX_SKEW = timedelta(minutes=15)


class Verified(msgspec.Struct, frozen=True):
    """A claim that is true. ``key`` signs the chunks of its body; it is as secret as the secret, hence no ``repr``."""

    claim: Claim
    key: bytes

    def chunks(self) -> ChunkChain:
        """The signatures of the body's chunks, beginning at the request's own."""
        return ChunkChain(self.key, self.claim.timestamp, self.claim.scope, self.claim.signature)

    def __repr__(self) -> str:
        return f"Verified({self.claim.access_key!r})"


def parse(method: str, raw_path: bytes, raw_query: bytes, headers: canonical.Headers, bucket: str | None = None) -> Claim | None:
    """What the request claims, from its Authorization header or its query; ``None`` when it is anonymous.

    Args:
        method: as sent.
        raw_path: still percent-encoded, as sent (ASGI ``raw_path``).
        raw_query: as sent, without ``?`` (ASGI ``query_string``).
        headers: ASGI ``headers``.
        bucket: the bucket that the host names; ``None`` when the path does.

    Raises:
        RequestError: ``AuthorizationHeaderMalformed``, ``AuthorizationQueryParametersError``, ``AccessDenied``, ``InvalidRequest``,
            ``InvalidArgument``, ``InvalidToken``.
    """
    folded = canonical.fold_headers(headers)
    names = {item.partition(b"=")[0] for item in raw_query.split(b"&")} if raw_query else set()
    by_query = not names.isdisjoint((b"X-Amz-Algorithm", b"X-Amz-Credential", b"X-Amz-Signature"))
    if b"authorization" in folded:
        if by_query:
            raise RequestError(
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the "
                "Authorization header should be specified",
                {"ArgumentName": "Authorization"},
            )
        return parse_authorization(method, raw_path, raw_query, folded)
    if by_query:
        return parse_presigned(method, raw_path, raw_query, folded)
    if not names.isdisjoint((b"AWSAccessKeyId", b"Signature")):
        return version2.parse_version2(method, raw_path, raw_query, folded, bucket)
    return None


def verify(claim: Claim, secret: str, now: datetime, ring: keys.KeyRing) -> Verified:
    """Believes the claim or raises.

    Args:
        claim: of ``parse``.
        secret: the secret of ``claim.access_key``.
        now: aware, UTC.
        ring: remembers derived keys between requests.

    Raises:
        RequestError: ``AccessDenied`` (expired, not yet valid), ``RequestTimeTooSkewed``, ``SignatureDoesNotMatch``.
    """
    check_clock(claim, now)
    key = ring.get(secret, claim.date, claim.region)
    given = claim.signature.encode()
    for expected in _expected(claim, secret, key):
        if hmac.compare_digest(expected.encode(), given):
            return Verified(claim, key)
    raise RequestError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        {"AWSAccessKeyId": claim.access_key, **_to_compare(claim)},
    )


def _to_compare(claim: Claim) -> dict[str, str]:
    """What should have been signed, as S3 tells it: whoever signs sees where it differs. The sender's own words, without the signature."""
    request = claim.canonical_requests[0]
    shown = request.decode("utf-8", "replace")
    if claim.version == version2.NAME:
        return {"StringToSign": shown}
    return {"StringToSign": keys.string_to_sign(claim.timestamp, claim.scope, request), "CanonicalRequest": shown}


def _expected(claim: Claim, secret: str, key: bytes) -> Iterator[str]:
    """The signatures that would be good ones."""
    for request in claim.canonical_requests:
        if claim.version == version2.NAME:
            yield version2.signature(secret, request)
        else:
            yield keys.signature(key, keys.string_to_sign(claim.timestamp, claim.scope, request))


def check_clock(claim: Claim, now: datetime) -> None:
    """Whether the claim is of this time, which can be told without the secret. Raises ``RequestError`` as ``verify`` does."""
    age = now - claim.signed_at if claim.signed_at else timedelta()
    if claim.expires_at is None:
        if abs(age) > MAX_SKEW:
            raise RequestError(
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                {
                    "RequestTime": claim.timestamp,
                    "ServerTime": _shown(now),
                    "MaxAllowedSkewMilliseconds": str(MAX_SKEW // timedelta(milliseconds=1)),
                },
            )
    elif age < -MAX_SKEW:
        raise RequestError("AccessDenied", "Request is not yet valid")
    elif now > claim.expires_at:
        raise RequestError(
            "AccessDenied", "Request has expired", {"Expires": _shown(claim.expires_at), "ServerTime": _shown(now)}
        )


def _shown(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
