"""What the services themselves say about their ports, settings and calls: the truth that deployment files are held against."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr

from domicile_common.settings import ServiceBlock, variable
from domicile_discovery.settings import Settings as DiscoverySettings
from domicile_metadata.settings import MigrateSettings
from domicile_metadata.settings import Settings as MetadataSettings
from domicile_proxy.settings import ProxySettings
from domicile_replicator.settings import Settings as ReplicatorSettings

ROOT = Path(__file__).parents[5]
SERVICES: dict[str, type[ServiceBlock]] = {
    "metadata": MetadataSettings,
    "proxy": ProxySettings,
    "replicator": ReplicatorSettings,
    "discovery": DiscoverySettings,
}
PROCESSES: dict[str, type[ServiceBlock]] = {**SERVICES, "migrate": MigrateSettings}
# Names of ports in manifests → the setting with the number.
PORTS = {
    "metadata": {"http": "METADATA_PORT"},
    "proxy": {"s3": "PROXY_PORT", "admin": "PROXY_ADMIN_PORT"},
    "replicator": {"http": "REPLICATOR_PORT"},
    "discovery": {"http": "DISCOVERY_PORT"},
}
HEALTH = {"metadata": "http", "proxy": "admin", "replicator": "http", "discovery": "http"}


def variables(process: str) -> dict[str, object]:
    """Every setting of a process by the name of its variable → its default."""
    return {variable(name, field): field.default for name, field in PROCESSES[process].model_fields.items()}


def required(process: str) -> set[str]:
    return {variable(name, field) for name, field in PROCESSES[process].model_fields.items() if field.is_required()}


def secret(process: str) -> set[str]:
    """By annotation, also where the secret is optional."""
    fields = PROCESSES[process].model_fields.items()
    return {variable(name, field) for name, field in fields if SecretStr.__name__ in str(field.annotation)}


def ports(service: str) -> dict[str, object]:
    return {name: variables(service)[setting] for name, setting in PORTS[service].items()}


def knows(setting: str) -> set[str]:
    """The processes that have this setting, which means: that call whom it leads to."""
    return {process for process in PROCESSES if setting in variables(process)}


def opens_backends() -> set[str]:
    """The services whose code opens stores of backends, or speaks to S3 endpoints by itself, as the relay does."""
    return {
        service
        for service in SERVICES
        if any(
            re.search("open_store|backends.http1", file.read_text())
            for file in (ROOT / "services" / service / "src").rglob("*.py")
        )
    }
