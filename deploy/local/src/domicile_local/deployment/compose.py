"""``python -m domicile_local.deployment.compose FOLDER``: tells a fresh Compose stack what it needs to know, and writes FOLDER/run.env.

Ports as in deploy/compose.yaml and deploy/compose.demo.yaml, and the environment may set them as there. May be repeated.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from domicile_local.admin import Admin
from domicile_local.deployment.secrets import backend
from domicile_local.launcher import TENANTS
from domicile_local.register import register_backends, register_default_policy, register_tenant
from domicile_local.servers.process import private_folder
from domicile_local.servers.reach import COUNTRIES, S3Backend
from domicile_local.state import State, backend_lines, tenant_lines, write_run_env

SECRETS: Final = Path("deploy/secrets")
PORTS: Final[Mapping[str, str]] = {
    "PROXY_PORT": "9000",
    "METADATA_PORT": "9010",
    "DISCOVERY_PORT": "9030",
    "RABBITMQ_UI_PORT": "15672",
    "BACKEND_FI_PORT": "8331",
    "BACKEND_DE_PORT": "8332",
    "BACKEND_US_PORT": "8333",
}


def published(setting: str) -> str:
    return f"http://127.0.0.1:{os.environ.get(setting) or PORTS[setting]}"


def backends() -> list[S3Backend]:
    """As the services reach them."""
    found = []
    for name in COUNTRIES:
        (identity,) = json.loads((SECRETS / "backends" / f"{name}.json").read_text(encoding="utf-8"))["identities"]
        (key,) = identity["credentials"]
        found.append(backend(name, key["accessKey"], key["secretKey"]))
    return found


def main(folder: Path) -> None:
    state = State(private_folder(folder))
    admin_key = (SECRETS / "metadata" / "ADMIN_API_KEY").read_text(encoding="utf-8").strip()
    keys = {tenant: state.tenant_key(tenant) for tenant in TENANTS}
    with Admin(published("METADATA_PORT"), admin_key) as admin:
        register_backends(admin, backends())
        register_default_policy(admin)
        for tenant, key in keys.items():
            register_tenant(admin, tenant, key)
    from_here = [replace(each, endpoint=published(f"BACKEND_{each.backend_id.upper()}_PORT")) for each in backends()]
    values = {
        "DOMICILE_S3_ENDPOINT": published("PROXY_PORT"),
        **tenant_lines({prefix: keys[tenant] for tenant, prefix in TENANTS.items()}),
        "DOMICILE_METADATA_URL": published("METADATA_PORT"),
        "ADMIN_API_KEY": admin_key,
        "DOMICILE_DISCOVERY_URL": published("DISCOVERY_PORT"),
        **backend_lines(from_here),
    }
    write_run_env(state.run_env, values)
    print(
        f"The suite is ready; {state.run_env} says how to reach it. RabbitMQ's UI: {published('RABBITMQ_UI_PORT')}, user operator,"
    )
    print(f"password in {SECRETS / 'operator' / 'RABBITMQ_PASSWORD'}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
