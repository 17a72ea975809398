"""Ids of buckets and versions: 128 bits as 32 lower-case hex digits. Pure: the clock and the randomness are arguments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
RANDOM_BYTES: Final = 10

TENANT_ID: Final = r"^[a-z0-9][a-z0-9-]{0,62}\Z"

_ID: Final = re.compile(r"[0-9a-f]{32}")


def uuid7(now: datetime, entropy: bytes) -> str:
    """A UUIDv7: ids of later milliseconds sort higher, within one they are random (RFC 9562, section 5.7).

    ``entropy``: ``RANDOM_BYTES`` random bytes, of which the lower 74 bits are used.
    """
    milliseconds = (now - EPOCH) // timedelta(milliseconds=1)
    random = int.from_bytes(entropy)
    upper = random >> 62 & 0xFFF
    lower = random & ((1 << 62) - 1)
    return f"{milliseconds << 80 | 0x7 << 76 | upper << 64 | 0b10 << 62 | lower:032x}"


def made_at(version_id: str) -> datetime:
    """To the millisecond."""
    return EPOCH + timedelta(milliseconds=int(version_id, 16) >> 80)


def is_tenant_id(text: str) -> bool:
    return re.match(TENANT_ID, text) is not None


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
