"""``make ready``: does everything of the running suite answer? Told by the state folder alone, whatever ports the suite was given."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from domicile_local.parts import database_fault, http_fault, rabbitmq_fault
from domicile_local.services import readiness_fault
from domicile_local.settings import Settings
from domicile_local.state import is_running, read_run_env


def faults(env: Mapping[str, str]) -> dict[str, str]:
    """By part, why it does not answer; empty when it does. ``env``: as in run.env."""
    found = {
        "PostgreSQL": database_fault(env["DATABASE_URL"]),
        "RabbitMQ": rabbitmq_fault(env["RABBITMQ_MANAGEMENT_URL"]),
        "the S3 endpoint": http_fault(env["DOMICILE_S3_ENDPOINT"]),
        "proxy": readiness_fault(env["DOMICILE_PROXY_HEALTH_URL"]),
        "metadata": readiness_fault(env["DOMICILE_METADATA_URL"]),
        "replicator": readiness_fault(env["DOMICILE_REPLICATOR_HEALTH_URL"]),
        "discovery": readiness_fault(env["DOMICILE_DISCOVERY_URL"]),
    }
    endpoints = {
        name: value for name, value in env.items() if name.startswith("DOMICILE_BACKEND_") and name.endswith("_ENDPOINT")
    }
    return found | {name: http_fault(endpoint) for name, endpoint in endpoints.items()}


def ready(settings: Settings) -> int:
    if not is_running(settings.state):
        print(f"No suite runs on {settings.state}.", file=sys.stderr)
        return 1
    found = {part: fault for part, fault in faults(read_run_env(settings.state / "run.env")).items() if fault}
    for part, fault in found.items():
        print(f"{part}: {fault}", file=sys.stderr)
    return 1 if found else 0
