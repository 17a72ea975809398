"""Verifying what an installation has signed; nobody is asked. The format stands in docs/security.md."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domicile_client.call import Json

ALGORITHM: Final = "Ed25519"


class NotGenuineError(Exception):
    """The signature is not that of this key over this certificate."""


def verify(envelope: object, public_key: str) -> Json:
    """The certificate in it. Raises ``NotGenuineError``. ``public_key``: from a source that is trusted, not from the envelope."""
    try:
        certificate, signature = envelope["certificate"], envelope["signature"]  # type: ignore[index]  # whatever it is
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        if signature["algorithm"] != ALGORITHM or not isinstance(certificate, dict):
            raise NotGenuineError("it is signed in another way")
        key.verify(base64.b64decode(signature["value"], validate=True), canonical(certificate))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise NotGenuineError(f"it is malformed: {type(error).__name__}") from error
    except InvalidSignature:
        raise NotGenuineError("the signature is not that of this key over this certificate") from None
    return certificate


def canonical(value: object) -> bytes:
    """RFC 8785, for documents whose numbers are integers."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True).encode()
