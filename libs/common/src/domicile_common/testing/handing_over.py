"""Seals a secret for metadata as a browser does, with another library's half of HPKE in the tests of the page itself."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite


def hand_over(secret: str, context: str, *, key_id: str, public_key: str) -> str:
    """``key_id``, ``public_key``: as the admin API shows them. ``context``: whose secret it is (``domicile_common.sealing``)."""
    point = base64.urlsafe_b64decode(public_key + "=" * (-len(public_key) % 4))
    suite = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    sealed = suite.encrypt(secret.encode(), public, info=f"domicile h1 {context}".encode())
    return f"h1.{key_id}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"
