"""Signed statements: canonical JSON with an Ed25519 signature, which anybody can verify who has the public key.

``domicile_client.certificates`` does, from the format alone: it shares no code with this.

The signed bytes are the certificate as JSON Canonicalization Scheme writes it (RFC 8785; all numbers are integers): keys sorted, no white
space, UTF-8. The signature is Ed25519 (RFC 8032), key and signature are in base64.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGORITHM: Final = "Ed25519"
SEED_BYTES: Final = 32


class Signer:
    """``secret``: from which the key is derived (HKDF-SHA-256), so that it is the same wherever the secret is."""

    def __init__(self, secret: str) -> None:
        seed = HKDF(SHA256(), SEED_BYTES, salt=None, info=b"domicile certificates v1").derive(secret.encode())
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> str:
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, certificate: dict[str, Any]) -> dict[str, Any]:
        """The certificate in its envelope."""
        value = base64.b64encode(self._key.sign(canonical(certificate))).decode()
        return {"certificate": certificate, "signature": {"algorithm": ALGORITHM, "public_key": self.public_key, "value": value}}


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True).encode()
