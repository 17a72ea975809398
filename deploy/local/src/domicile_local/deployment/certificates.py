"""``python -m domicile_local.deployment.certificates FOLDER [NAME...]``: what deploy/compose.tls.yaml shows and trusts, beside FOLDER's secrets.

``tls/authority`` is made once; every run gives each process a new certificate of it, which those that run take within two seconds.
``NAME``s are those that the S3 endpoint and the pages are reached under, besides localhost.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

from domicile_local.servers.process import write_private

HERE: Final = ("localhost", "127.0.0.1")
# By whom it is shown → under which names that one is reached.
NAMES: Final[Mapping[str, Sequence[str]]] = {
    "metadata": ("balancer", "metadata", "metadata-2", *HERE),
    "proxy": HERE,
    "replicator": HERE,
    "discovery": HERE,
    "rabbitmq": ("rabbitmq",),
    "postgres": ("postgres",),
}
DOORS: Final = frozenset({"proxy", "discovery"})
LIFETIME_DAYS: Final = 365
AUTHORITY_DAYS: Final = 3650
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

    def sign(
        self, own: EllipticCurvePrivateKey, subject: x509.Name, days: int, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        """With all that strict clients ask for (RFC 5280, 4.2.1)."""
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
        return builder.sign(self.key, hashes.SHA256())


def make(folder: Path, doors: Sequence[str] = ()) -> None:
    """``folder``: with the secrets. Files in containers are read by users of other numbers; ``folder`` itself keeps other people out."""
    tls = folder / "tls"
    authority, trusted = _authority(tls / "authority")
    for who, known in NAMES.items():
        names = [*known, *(doors if who in DOORS else ())]
        key = generate_private_key(SECP256R1())
        shown = authority.sign(key, _named(who), LIFETIME_DAYS, x509.SubjectAlternativeName(map(_reached, names)))
        (tls / who).mkdir(exist_ok=True)
        (tls / who).chmod(0o755)  # whatever the umask
        for name, text in {
            "ca.crt": trusted,
            "tls.crt": _pem(shown),
            "tls.key": _private(key),
            **_addresses(folder / who),
        }.items():
            write_private(tls / who / name, text)
            (tls / who / name).chmod(0o644)


def _reached(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _authority(folder: Path) -> tuple[Authority, str]:
    """Made once. With its certificate."""
    certificate, key_file = folder / "ca.crt", folder / "ca.key"
    name = _named("Domicile in Compose")
    if not key_file.exists():
        folder.mkdir(parents=True, mode=0o700)
        key = generate_private_key(SECP256R1())
        made = Authority(key, name).sign(key, name, AUTHORITY_DAYS, x509.BasicConstraints(ca=True, path_length=0), _SIGNS)
        write_private(certificate, _pem(made))
        write_private(key_file, _private(key))
    loaded = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(loaded, EllipticCurvePrivateKey)
    return Authority(loaded, name), certificate.read_text("ascii")


def _addresses(secrets: Path) -> dict[str, str]:
    """How a process reaches its servers by TLS, made of how it does without."""
    made = {}
    if (broker := secrets / "RABBITMQ_URL").exists():
        made[broker.name] = broker.read_text("utf-8").replace("amqp://", "amqps://").replace(":5672/", ":5671/")
    if (database := secrets / "DATABASE_URL").exists():
        made[database.name] = database.read_text("utf-8").strip() + "?sslmode=verify-full&sslrootcert=/run/tls/ca.crt\n"
    return made


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: EllipticCurvePrivateKey) -> str:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()


def main(arguments: list[str]) -> None:
    folder, doors = Path(arguments[0]), arguments[1:]
    make(folder, doors)
    print(f"New certificates are in {folder / 'tls'}; clients trust {folder / 'tls/authority/ca.crt'}.")


if __name__ == "__main__":
    main(sys.argv[1:])
