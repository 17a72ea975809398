"""The chain of signatures over the chunks of a body.

Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and "... Including Trailing
Headers" of the Amazon S3 API reference.
"""

from __future__ import annotations

from domicile_common.sigv4 import keys
from domicile_common.sigv4.canonical import EMPTY_SHA256


class ChunkChain:
    """Each signature covers the one before it, so chunks cannot be reordered, dropped or taken from another request.

    Args:
        key: the derived signing key.
        timestamp: of the request, as in x-amz-date.
        scope: the credential scope of the request.
        seed: the signature of the request.
    """

    def __init__(self, key: bytes, timestamp: str, scope: str, seed: str) -> None:
        self._key = key
        self._about = f"{timestamp}\n{scope}"
        self.signature = seed

    def chunk(self, sha256: str) -> str:
        """The signature of the next chunk, whose payload has this hex SHA-256."""
        return self._next(f"AWS4-HMAC-SHA256-PAYLOAD\n{self._about}\n{self.signature}\n{EMPTY_SHA256}\n{sha256}")

    def trailer(self, sha256: str) -> str:
        """The signature of the trailers, whose lines, each ``name:value`` and a line feed, have this hex SHA-256."""
        return self._next(f"AWS4-HMAC-SHA256-TRAILER\n{self._about}\n{self.signature}\n{sha256}")

    def _next(self, text: str) -> str:
        self.signature = keys.signature(self._key, text)
        return self.signature
