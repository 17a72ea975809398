"""A secret on its way to a person, readable only where it is to be shown: whoever passes it on holds nothing. Pure, but for the randomness in it."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SMALLEST, LARGEST = 2048, 4096  # bits
_OAEP: Final = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def seal_to(public_key: str, secret: str) -> str:
    """RSA-OAEP with SHA-256 (RFC 8017), as browsers have it. ``public_key``: SubjectPublicKeyInfo, DER in base64. Raises ``ValueError``."""
    try:
        key = serialization.load_der_public_key(base64.b64decode(public_key, validate=True))
    except (binascii.Error, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, rsa.RSAPublicKey) or not SMALLEST <= key.key_size <= LARGEST:
        raise ValueError(f"not an RSA key of {SMALLEST} to {LARGEST} bits")
    return base64.b64encode(key.encrypt(secret.encode(), _OAEP)).decode()
