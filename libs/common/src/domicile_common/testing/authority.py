"""A certificate authority of a test's own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


class Authority:
    """``file``: its certificate. All files are in ``folder``."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A new certificate for 127.0.0.1 and localhost, and its key, in the files of this name. Each is replaced as a whole."""
        key = ec.generate_private_key(ec.SECP256R1())
        places = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key, x509.SubjectAlternativeName(places))
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self.write(f"{name}.crt", _pem(certificate)), self.write(f"{name}.key", private)

    def write(self, name: str, content: bytes) -> Path:
        fresh, path = self._folder / f".{name}", self._folder / name
        fresh.write_bytes(content)
        fresh.chmod(0o600)
        return fresh.rename(path)

    def context(self, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Of a client that trusts it alone."""
        context = ssl.create_default_context(cafile=self.file)
        if shown:
            context.load_cert_chain(*shown)
        return context

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
