"""``make ready``: does everything of the running suite answer? Told by the state folder alone, whatever ports the suite was given."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from domicile_local.parts import database_fault, http_fault, rabbitmq_fault
from domicile_local.services import readiness_fault
from domicile_local.settings import Settings
from domicile_local.state import is_running, read_run_env


def faults(env: Mapping[str, str]) -> dict[str, str]:
    """By part that ``env`` names, why it does not answer; empty when it does. ``env``: as in run.env."""
    asked = {
        "PostgreSQL": ("DATABASE_URL", database_fault),
        "RabbitMQ": ("RABBITMQ_MANAGEMENT_URL", rabbitmq_fault),
        "the S3 endpoint": ("DOMICILE_S3_ENDPOINT", http_fault),
        "proxy": ("DOMICILE_PROXY_HEALTH_URL", readiness_fault),
        "metadata": ("DOMICILE_METADATA_URL", readiness_fault),
        "replicator": ("DOMICILE_REPLICATOR_HEALTH_URL", readiness_fault),
        "discovery": ("DOMICILE_DISCOVERY_URL", readiness_fault),
    }
    found = {part: fault(env[name]) for part, (name, fault) in asked.items() if name in env}
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
