"""A certificate authority of our own, with all that strict clients ask for (RFC 5280, 4.2.1)."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

TOLERANCE: Final = dt.timedelta(minutes=5)  # for clocks that are behind
_SIGNS: Final = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Authority:
    key: EllipticCurvePrivateKey
    name: x509.Name

    @classmethod
    def named(cls, name: str, key: EllipticCurvePrivateKey | None = None) -> Self:
        """``key``: its own, where it has been before."""
        return cls(key or generate_private_key(SECP256R1()), _named(name))

    def certificate(self, days: int) -> str:
        """Its own, in PEM."""
        return self._sign(self.key, self.name, days, x509.BasicConstraints(ca=True, path_length=0), _SIGNS)

    def issue(self, name: str, reached: Iterable[str], days: int) -> tuple[str, str]:
        """A new certificate and its key, in PEM. ``reached``: DNS names and IP addresses."""
        key = generate_private_key(SECP256R1())
        return self._sign(key, _named(name), days, x509.SubjectAlternativeName(map(_reached, reached))), private(key)

    def _sign(self, own: EllipticCurvePrivateKey, subject: x509.Name, days: int, *extensions: x509.ExtensionType) -> str:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - TOLERANCE)
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=not isinstance(extension, x509.SubjectAlternativeName))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def private(key: EllipticCurvePrivateKey) -> str:
    """In PEM."""
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _reached(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
