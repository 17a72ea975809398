"""``python -m domicile_local.deployment.secrets FOLDER``: random secrets of one installation, a file each, for Compose and Kubernetes.

Each service has a folder with what it may know, in files named like its settings, and so has each server. Nothing is changed once it is there.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from domicile_common.amqp.users import SALT_BYTES, USERS, password_hash, whole_definitions
from domicile_local.servers.reach import COUNTRIES, S3Backend
from domicile_local.servers.seaweedfs import identities

VHOST = "domicile"
NAMESPACE = "domicile"  # of the production overlays; KEDA asks from one of its own
SHARED = ("DOMICILE_SERVICE_TOKEN", "TENANT_SECRET_PASSPHRASE")


def backend(backend_id: str, access_key: str, secret_key: str) -> S3Backend:
    """As the services reach it, in the network of the containers or of the namespace."""
    endpoint = f"http://backend-{backend_id}:8333"
    return S3Backend(backend_id, COUNTRIES[backend_id], endpoint, access_key, secret_key, quirks="seaweedfs")


def contents() -> Mapping[str, str]:
    """Path → text. PostgreSQL and RabbitMQ answer to the host names `postgres` and `rabbitmq`."""
    passwords = {user: secrets.token_hex(32) for user in USERS}
    hashes = {user: password_hash(password, secrets.token_bytes(SALT_BYTES)) for user, password in passwords.items()}
    database = secrets.token_hex(32)
    shared = {name: secrets.token_hex(32) for name in SHARED}
    files = {
        "postgres/POSTGRES_PASSWORD": database,
        "rabbitmq/definitions.json": json.dumps(whole_definitions(COUNTRIES, VHOST, hashes), indent=2),
        "operator/RABBITMQ_PASSWORD": passwords["operator"],
        "keda/host": f"http://keda:{passwords['keda']}@rabbitmq.{NAMESPACE}:15672/{VHOST}",
        "metadata/DATABASE_URL": f"postgresql://domicile:{database}@postgres:5432/domicile",
        "metadata/ADMIN_API_KEY": secrets.token_hex(32),
        "metadata/NAMESPACE_KEY": secrets.token_hex(32),
        "metadata/ERASURE_SIGNING_KEY": secrets.token_hex(32),
    }
    for service in ("metadata", "proxy", "replicator"):
        files[f"{service}/RABBITMQ_URL"] = f"amqp://{service}:{passwords[service]}@rabbitmq:5672/{VHOST}"
        files |= {f"{service}/{name}": value for name, value in shared.items()}
    for name in COUNTRIES:
        files[f"backends/{name}.json"] = identities(backend(name, secrets.token_hex(10), secrets.token_hex(20)))
    return files


def make(folder: Path) -> bool:
    """False when they are there already. The folder keeps other people out; inside containers, users of other numbers must read the files."""
    folder.mkdir(exist_ok=True, parents=True)
    folder.chmod(0o700)
    if any(each.is_dir() for each in folder.iterdir()):
        return False
    for name, text in contents().items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o755)
        path.write_text(text, encoding="utf-8")  # and no newline: KEDA takes a value as it stands
        path.chmod(0o644)
    return True


def main(arguments: list[str]) -> None:
    (folder,) = arguments
    print(f"New secrets are in {folder}." if make(Path(folder)) else f"The secrets in {folder} stay as they are.")


if __name__ == "__main__":
    main(sys.argv[1:])
