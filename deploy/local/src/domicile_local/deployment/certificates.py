"""``python -m domicile_local.deployment.certificates FOLDER [NAME...]``: what deploy/compose.tls.yaml shows and trusts, beside FOLDER's secrets.

``tls/authority`` is made once; every run gives each process a new certificate of it, which those that run take within two seconds.
``NAME``s are those that the S3 endpoint and the pages are reached under, besides localhost.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from domicile_local.authority import Authority, private
from domicile_local.servers.process import write_private

AUTHORITY: Final = "Domicile in Compose"
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


def make(folder: Path, doors: Sequence[str] = ()) -> None:
    """``folder``: with the secrets. Files in containers are read by users of other numbers; ``folder`` itself keeps other people out."""
    tls = folder / "tls"
    authority, trusted = _authority(tls / "authority")
    for who, known in NAMES.items():
        shown, key = authority.issue(who, [*known, *(doors if who in DOORS else ())], LIFETIME_DAYS)
        (tls / who).mkdir(exist_ok=True)
        (tls / who).chmod(0o755)  # whatever the umask
        for name, text in {"ca.crt": trusted, "tls.crt": shown, "tls.key": key, **_addresses(folder / who)}.items():
            write_private(tls / who / name, text)
            (tls / who / name).chmod(0o644)


def _authority(folder: Path) -> tuple[Authority, str]:
    """Made once. With its certificate."""
    certificate, key_file = folder / "ca.crt", folder / "ca.key"
    if not key_file.exists():
        folder.mkdir(parents=True, mode=0o700)
        made = Authority.named(AUTHORITY)
        write_private(certificate, made.certificate(AUTHORITY_DAYS))
        write_private(key_file, private(made.key))
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return Authority.named(AUTHORITY, key), certificate.read_text("ascii")


def _addresses(secrets: Path) -> dict[str, str]:
    """How a process reaches its servers by TLS, made of how it does without."""
    made = {}
    if (broker := secrets / "RABBITMQ_URL").exists():
        made[broker.name] = broker.read_text("utf-8").replace("amqp://", "amqps://").replace(":5672/", ":5671/")
    if (database := secrets / "DATABASE_URL").exists():
        made[database.name] = database.read_text("utf-8").strip() + "?sslmode=verify-full&sslrootcert=/run/tls/ca.crt\n"
    return made


def main(arguments: list[str]) -> None:
    folder, doors = Path(arguments[0]), arguments[1:]
    make(folder, doors)
    print(f"New certificates are in {folder / 'tls'}; clients trust {folder / 'tls/authority/ca.crt'}.")


if __name__ == "__main__":
    main(sys.argv[1:])
