"""What a person may set for ``make run``: in the environment, or in ``.env``, which the environment overrides. Pure but for reading that file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr

from domicile_common.settings import refuse_weak_secret
from domicile_local.errors import SuiteError
from domicile_local.layout import BACKENDS, DEFAULT_FIRST_PORT, Layout
from domicile_local.servers.reach import PORTS_EACH, BackendKind, S3Backend, backend_kind

# Handed to the services as they are, when set.
PASSED_ON = re.compile(
    r"LOG_LEVEL|BUCKET_NAMES|S3_BASE_DOMAIN|NAMESPACE_PREFIX|TENANT_SECRET_PASSPHRASE_PREVIOUS|SSL_CERT_FILE|SSL_CERT_DIR|BACKEND_CA"
    r"|(INTENT|UPLOAD|REMOVAL_GRACE|REMOVAL_SECOND_LOOK|RECONCILE|REARRANGE|SWEEP|LIFECYCLE|MEASURE|STOP_NOTICE|STOP_GRACE|OVERDUE|CACHE|CLIENT_IDLE|BACKEND_IDLE)_SECONDS|OTEL_[A-Z_]+|REPLICATOR_(?!PORT$).*|METADATA_ROLES|DATABASE_CONNECTIONS"
)
# Generated at the first run and kept in the state folder, unless set.
SECRETS = ("ADMIN_API_KEY", "DOMICILE_SERVICE_TOKEN", "TENANT_SECRET_PASSPHRASE", "NAMESPACE_KEY", "ERASURE_SIGNING_KEY")
_BACKEND = re.compile(r"DOMICILE_BACKEND_([A-Z0-9_]+)_(ENDPOINT|ACCESS_KEY|SECRET_KEY|COUNTRY|REGION|QUIRKS)")
# What addresses of existing servers begin with.
_SCHEMES = {
    "DATABASE_URL": ("postgresql://", "postgres://"),
    "RABBITMQ_URL": ("amqp://", "amqps://"),
    "RABBITMQ_MANAGEMENT_URL": ("http://", "https://"),
}
_LAST_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """``database_url``, ``rabbitmq_url`` with ``rabbitmq_management_url``, ``backends``: what exists already and is used instead of starting one.

    ``backend_kind``: what backends of ours are to be, where that was said.
    """

    state: Path
    layout: Layout
    database_url: str | None = field(default=None, repr=False)
    rabbitmq_url: str | None = field(default=None, repr=False)
    rabbitmq_management_url: str | None = field(default=None, repr=False)
    backends: tuple[S3Backend, ...] = ()
    backend_kind: BackendKind | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    passed_on: Mapping[str, str] = field(default_factory=dict, repr=False)


def load(environment: Mapping[str, str], folder: Path) -> Settings:
    """``folder``: where ``.env`` and the default state folder are. Raises SuiteError that names the setting at fault."""
    file = {name: value for name, value in dotenv_values(folder / ".env").items() if value}
    return parse({**file, **{name: value for name, value in environment.items() if value}}, folder)


def parse(values: Mapping[str, str], folder: Path) -> Settings:
    if ("RABBITMQ_URL" in values) != ("RABBITMQ_MANAGEMENT_URL" in values):
        raise SuiteError("RABBITMQ_URL and RABBITMQ_MANAGEMENT_URL go together: set both or none.")
    for name, schemes in _SCHEMES.items():
        if not values.get(name, schemes[0]).startswith(schemes):
            raise SuiteError(f"{name} must begin with {' or '.join(schemes)}.")
    return Settings(
        state=(folder / values.get("DOMICILE_STATE", ".domicile")).absolute(),
        layout=Layout(_first_port(values.get("DOMICILE_PORT", str(DEFAULT_FIRST_PORT)))),
        database_url=values.get("DATABASE_URL"),
        rabbitmq_url=values.get("RABBITMQ_URL"),
        rabbitmq_management_url=values.get("RABBITMQ_MANAGEMENT_URL"),
        backends=backends_in(values),
        backend_kind=backend_kind(values),
        secrets={name: _strong(name, values[name]) for name in SECRETS if name in values},
        passed_on={name: value for name, value in values.items() if PASSED_ON.fullmatch(name)},
    )


def _strong(name: str, secret: str) -> str:
    """What no service would start with is refused before anything starts."""
    try:
        refuse_weak_secret(SecretStr(secret))
    except ValueError as error:
        raise SuiteError(f"{name} {error}.") from None
    return secret


def _first_port(text: str) -> int:
    last = _LAST_PORT - max(BACKENDS.values()) - PORTS_EACH
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= last:
        raise SuiteError(f"DOMICILE_PORT must be a number from 1 to {last}, not {text!r}.")
    return int(text)


def backends_in(values: Mapping[str, str]) -> tuple[S3Backend, ...]:
    given: dict[str, dict[str, str]] = {}
    for name, value in values.items():
        if match := _BACKEND.fullmatch(name):
            given.setdefault(match[1], {})[match[2]] = value
    for name, parts in given.items():
        missing = {"ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "COUNTRY"} - parts.keys()
        if missing:
            raise SuiteError(f"DOMICILE_BACKEND_{name}_{min(missing)} is not set, although others of backend {name} are.")
    return tuple(
        S3Backend(
            backend_id=name.lower().replace("_", "-"),
            country=parts["COUNTRY"],
            endpoint=parts["ENDPOINT"].rstrip("/"),
            access_key=parts["ACCESS_KEY"],
            secret_key=parts["SECRET_KEY"],
            region=parts.get("REGION", "us-east-1"),
            quirks=parts.get("QUIRKS", "generic"),
        )
        for name, parts in sorted(given.items())
    )
