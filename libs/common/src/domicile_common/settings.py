"""Settings blocks, one per thing that a service depends on; each service's settings class is built of them.

Settings come from the environment, or from files named as they are in ``/run/secrets``, where containers find their secrets; the environment
goes first. They are frozen, their secrets are ``SecretStr``, and ``load`` stops the start on a missing,
weak or malformed one with a text that names the setting and never shows its value.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from domicile_common.errors import ConfigurationError

MINIMUM_SECRET_LENGTH = 16
SECRETS_FOLDER: Final = Path("/run/secrets")

# Words of examples and defaults. A secret is weak when too little is left of it without them.
_WELL_KNOWN = re.compile(
    r"change[\W_]*(me|this|it)|replace[\W_]*(me|this|it)|pass(word|phrase)|secret|default|example|domicile|admin|guest|letmein"
    r"|qwerty|your|please|insecure|01234567(89)?|12345678(90?)?"
)
_MINIMUM_REMAINDER = 8
_MINIMUM_DISTINCT = 5


def refuse_weak_secret(value: SecretStr) -> SecretStr:
    """Refuses secrets that are short, repetitive, or made of words that stand in examples. Raises ``ValueError``."""
    text = value.get_secret_value()
    if len(text) < MINIMUM_SECRET_LENGTH:
        raise ValueError(f"is too short: at least {MINIMUM_SECRET_LENGTH} characters are needed")
    if len(set(text)) < _MINIMUM_DISTINCT or len(_WELL_KNOWN.sub("", text.lower())) < _MINIMUM_REMAINDER:
        raise ValueError("is a default or easily guessed value: choose a random one, for example with `openssl rand -hex 32`")
    return value


StrongSecret = Annotated[SecretStr, AfterValidator(refuse_weak_secret)]
Port = Annotated[int, Field(ge=1, le=65535)]


def _scheme(value: str, allowed: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in allowed and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an unclosed bracket: the parser's own text would quote the value
        valid = False
    if not valid:
        raise ValueError(f"must be a URL that begins with {' or '.join(scheme + '://' for scheme in allowed)} and names a host")


def _url(*allowed: str) -> AfterValidator:
    def check(value: str | SecretStr) -> str | SecretStr:
        _scheme(value.get_secret_value() if isinstance(value, SecretStr) else value, allowed)
        return value

    return AfterValidator(check)


HttpUrl = Annotated[str, _url("http", "https"), AfterValidator(lambda value: value.rstrip("/"))]


class Block(BaseSettings):
    """Base of every block. An empty variable counts as not set."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
    )


class ServiceBlock(Block):
    host: str = Field("127.0.0.1", validation_alias="DOMICILE_HOST", description="Address that the service listens on.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least severe log lines to write.")
    stop_notice_seconds: float = Field(
        5, ge=0, description="How long a service that was told to stop still serves while it is shown as not ready."
    )
    stop_grace_seconds: int = Field(90, ge=1, description="How long requests may then still take to finish.")
    maximum_connections: int = Field(
        8192, ge=1, description="The most connections from clients that this process keeps; more are told to come again."
    )


class DatabaseBlock(Block):
    database_url: Annotated[SecretStr, _url("postgresql", "postgres")] = Field(
        description="PostgreSQL: postgresql://user:password@host:port/database."
    )


class RabbitmqBlock(Block):
    rabbitmq_url: Annotated[SecretStr, _url("amqp", "amqps")] = Field(
        description="RabbitMQ: amqp://user:password@host:port/vhost."
    )


class ServiceTokenBlock(Block):
    service_token: StrongSecret = Field(
        validation_alias="DOMICILE_SERVICE_TOKEN", description="What the services show each other; the same for all of them."
    )


class MetadataUrlBlock(Block):
    metadata_url: HttpUrl = Field(validation_alias="DOMICILE_METADATA_URL", description="Where the metadata service answers.")


class MetadataBlock(MetadataUrlBlock, ServiceTokenBlock):
    pass


class SealingBlock(Block):
    tenant_secret_passphrase: StrongSecret = Field(description="What secrets in the database are sealed with.")
    tenant_secret_passphrase_previous: StrongSecret | None = Field(
        None, description="The passphrase before the last change: still opens what has not been sealed anew."
    )


class AdminKeyBlock(Block):
    admin_api_key: StrongSecret = Field(description="What an operator shows to the admin API in X-Admin-Key.")


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S], secrets: Path = SECRETS_FOLDER) -> S:
    """The settings from the environment and the files in ``secrets``. Raises ``ConfigurationError`` that names every setting at fault."""
    try:
        return settings(_secrets_dir=secrets if secrets.is_dir() else None)
    except ValidationError as error:
        lines = [f"{_variable(settings, item['loc'])} {_fault(item['type'], item['msg'])}" for item in error.errors()]
    except SettingsError as error:
        lines = [_unreadable(settings, error)]
    raise ConfigurationError("; ".join(sorted(lines)))


def _unreadable(settings: type[BaseSettings], error: SettingsError) -> str:
    """A file without the right to read it, or a value that should be JSON; only the field's name is taken from the library's text."""
    name = next((name for name in settings.model_fields if f'"{name}"' in str(error)), "")
    return f"{_variable(settings, (name,)) if name else f'a setting of {settings.__name__}'} cannot be read"


def _variable(settings: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "the combination of settings"
    field = settings.model_fields.get(name)
    return variable(name, field) if field else name


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable, and the file, that sets a field."""
    return field.validation_alias if isinstance(field.validation_alias, str) else name.upper()


def _fault(kind: str, message: str) -> str:
    if kind == "missing":
        return "is not set"
    return message.removeprefix("Value error, ") if kind == "value_error" else f"is not valid: {message}"
