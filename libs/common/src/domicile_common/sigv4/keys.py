"""The derived signing key, the string to sign and the signature."""

from __future__ import annotations

import hmac
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

ALGORITHM = "AWS4-HMAC-SHA256"


def signing_key(secret: str, date: str, region: str) -> bytes:
    """The key for one day (``YYYYMMDD``), one region and the service ``s3``; 32 bytes."""
    key = b"AWS4" + secret.encode()
    for part in (date, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class KeyRing:
    """Remembers derived keys, dropping the least recently used; held by whoever signs or verifies many requests.

    It holds secrets as its keys, so it must not be shown or stored.
    """

    def __init__(self, limit: int = 4096) -> None:
        self.get = lru_cache(maxsize=limit)(signing_key)


def scope(date: str, region: str) -> str:
    """The credential scope; the region is whatever the client says, since Domicile has no regions of its own."""
    return f"{date}/{region}/s3/aws4_request"


def timestamp(instant: datetime) -> str:
    """ISO 8601 basic format, as in x-amz-date. ``instant`` is aware and in UTC."""
    return f"{instant.year:04}{instant.month:02}{instant.day:02}T{instant.hour:02}{instant.minute:02}{instant.second:02}Z"


def string_to_sign(signed_at: str, credential_scope: str, canonical_request: bytes) -> str:
    return f"{ALGORITHM}\n{signed_at}\n{credential_scope}\n{sha256(canonical_request).hexdigest()}"


def signature(key: bytes, text: str) -> str:
    """64 hex digits."""
    return hmac.digest(key, text.encode(), "sha256").hex()
