"""Secrets at rest and in travel: sealed with AES-256-GCM under a key derived from a passphrase.

An envelope is the text ``v1.<key id>.<nonce>.<ciphertext>``, the last two in base64url without padding. The key id tells which
passphrase sealed it, so that the passphrase can be changed: the new one seals, the previous one still opens. The associated data
binds an envelope to its owner (``credential:<access key>``, ``backend:<backend id>``): copied to another row, it does not open.

A browser has no passphrase. It seals with HPKE (RFC 9180: base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM) for a public
key whose private half every holder of the passphrase derives: ``h1.<key id>.<enc and ciphertext, in base64url without padding>``, with
``domicile h1 <owner>`` as HPKE's info. A secret that is made for somebody at a browser goes there the same way, sealed for a key pair that
the page has made for this one answer.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domicile_common.errors import ConfigurationError
from domicile_common.settings import SealingBlock

_FORMAT = "v1"
_HANDED_OVER = "h1"
_SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_NONCE_BYTES = 12
# The salt is fixed, not random: every service of an installation must derive the same key from the passphrase alone, before it can
# reach any store. What a random salt guards against, tables made in advance for common passphrases, the memory-hard scrypt (32 MiB,
# about 0.1 s, RFC 7914) makes dear and the refusal of weak passphrases makes useless. Its name carries the format version.
_SALT = b"domicile sealing v1"
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024}


class _Key:
    """Derived once per process: scrypt is slow on purpose."""

    def __init__(self, passphrase: str) -> None:
        # scrypt's output is uniform: no part of it tells anything of another.
        material = hashlib.scrypt(passphrase.encode(), salt=_SALT, dklen=84, **_SCRYPT)
        self.cipher = AESGCM(material[:32])
        self.key_id = material[32:36].hex()
        # 128 bits more than the order has, so that no residue is likelier than another (FIPS 186-5, A.2.1).
        self.private = ec.derive_private_key(int.from_bytes(material[36:]) % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def seal_for(public_key: str, secret: str, context: str) -> str:
    """For whoever has the private half of ``public_key`` (as of ``Sealer.public_key``): enc and ciphertext, in base64url without padding.

    Raises ``ValueError``.
    """
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decode(public_key))
    return _encode(_SUITE.encrypt(secret.encode(), point, f"domicile {_HANDED_OVER} {context}".encode()))


class Sealer:
    """Seals with the current passphrase; opens with it and with the previous ones."""

    def __init__(self, current: str, *previous: str) -> None:
        self._use([_Key(passphrase) for passphrase in (current, *previous)])

    async def change(self, current: str, *previous: str) -> None:
        self._use([await asyncio.to_thread(_Key, passphrase) for passphrase in (current, *previous)])

    def _use(self, keys: Sequence[_Key]) -> None:
        self._current = keys[0]
        self._keys = {key.key_id: key for key in keys}

    def seal(self, secret: str, context: str) -> str:
        """An envelope that opens only for the same ``context``."""
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._current.cipher.encrypt(nonce, secret.encode(), _associated(context))
        return f"{_FORMAT}.{self._current.key_id}.{_encode(nonce)}.{_encode(ciphertext)}"

    def open(self, envelope: str, context: str) -> str:
        """The secret. Raises ``ConfigurationError`` when no passphrase here sealed it, or it was altered or moved."""
        parts = envelope.split(".")
        if len(parts) != 4 or parts[0] != _FORMAT:  # noqa: PLR2004 - the four parts of the format above
            raise ConfigurationError(f"the secret of {context} is not a sealed one")
        key = self._keys.get(parts[1])
        if key is None:
            raise ConfigurationError(
                f"the secret of {context} was sealed with a passphrase that is neither TENANT_SECRET_PASSPHRASE nor its _PREVIOUS"
            )
        try:
            return key.cipher.decrypt(_decode(parts[2]), _decode(parts[3]), _associated(context)).decode()
        except (InvalidTag, ValueError):  # ValueError: not base64, a nonce of another length
            raise ConfigurationError(f"the sealed secret of {context} was altered, or belongs to something else") from None

    @property
    def public_key(self) -> str:
        """What browsers seal for: an uncompressed point of P-256, in base64url without padding."""
        return _encode(self._current.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    @property
    def key_id(self) -> str:
        return self._current.key_id

    def open_handed_over(self, envelope: str, context: str) -> str:
        """What a browser has sealed. Raises ``ValueError``, which says no more than that it does not open."""
        try:
            head, _, sealed = envelope.rpartition(".")
            key = {f"{_HANDED_OVER}.{key_id}": key for key_id, key in self._keys.items()}[head]
            return _SUITE.decrypt(_decode(sealed), key.private, f"domicile {_HANDED_OVER} {context}".encode()).decode()
        except (InvalidTag, KeyError, ValueError):
            raise ValueError(f"the secret was not sealed for this installation and {context}") from None

    def needs_reseal(self, envelope: str) -> bool:
        """Whether ``envelope`` was sealed with anything but the current passphrase."""
        return envelope.split(".")[:2] != [_FORMAT, self._current.key_id]


def sealer(settings: SealingBlock) -> Sealer:
    return Sealer(*settings.passphrases)


def credential_context(access_key: str) -> str:
    return f"credential:{access_key}"


def backend_context(backend_id: str) -> str:
    return f"backend:{backend_id}"


def _associated(context: str) -> bytes:
    return f"domicile {_FORMAT} {context}".encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
