"""Settings blocks, one per thing that a service depends on; each service's settings class is built of them.

A setting ``NAME`` comes from the environment, else from the file that ``NAME_FILE`` names, else from a file ``NAME`` in one of the folders that
``DOMICILE_SETTINGS`` lists: where containers find their secrets and configuration. Settings are frozen (but for ``live``, which reloads those
marked ``LIVE``), their secrets are ``SecretStr``, and ``load`` stops the start on all that are missing, weak or malformed, with a text that
names each of them, says what is allowed, and shows what was given unless it is a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from domicile_common.errors import ConfigurationError

MINIMUM_SECRET_LENGTH = 16
FOLDERS_SETTING: Final = "DOMICILE_SETTINGS"
FOLDERS: Final = "/run/secrets:/run/settings"
LIVE: Final[JsonDict] = {"live": True}
"""As ``json_schema_extra`` of a field: it may change while the service runs. Whoever reads it, does so when he needs it."""
SERVICE_TOKENS: Final = ("service_token", "service_token_previous")
PASSPHRASES: Final = ("tenant_secret_passphrase", "tenant_secret_passphrase_previous")
_SIMILAR: Final = 0.88  # of difflib; lower ones take the setting of one service for a misspelt one of another

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


S = TypeVar("S", bound=BaseSettings)

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


class CallerBlock(Block):
    tls_ca: FilePath | None = Field(
        None, description="CAs (PEM) that metadata and RabbitMQ must have their certificates from, in place of the system's."
    )
    tls_client_certificate: FilePath | None = Field(None, description="What is shown to metadata and RabbitMQ, PEM.")
    tls_client_key: FilePath | None = Field(None, description="The key of TLS_CLIENT_CERTIFICATE, without a passphrase.")

    @model_validator(mode="after")
    def _client_pair(self) -> Self:
        return _together(self, "tls_client_certificate", "tls_client_key")


class ServiceBlock(CallerBlock):
    host: str = Field("127.0.0.1", validation_alias="DOMICILE_HOST", description="Address that the service listens on.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe log lines to write.", json_schema_extra=LIVE
    )
    stop_notice_seconds: float = Field(
        5, ge=0, description="How long a service that was told to stop still serves while it is shown as not ready."
    )
    stop_grace_seconds: int = Field(
        90,
        ge=1,
        description="How long requests may then still take to finish. Give it the sum of both before SIGKILL.",
    )
    maximum_connections: int = Field(
        8192,
        ge=1,
        description="The most connections from clients that this process keeps; more are told to come again. It needs as many open files.",
    )
    tls_certificate: FilePath | None = Field(
        None, description="What the service's ports show: PEM, with the chain to its CA. With it they speak TLS only."
    )
    tls_key: FilePath | None = Field(None, description="The key of TLS_CERTIFICATE, PEM, without a passphrase.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        return _together(self, "tls_certificate", "tls_key")


def _together(block: S, *names: str) -> S:
    """Raises ``ValueError`` when only some of these settings are set."""
    if len({getattr(block, name) is None for name in names}) > 1:
        raise ValueError(f"{' and '.join(names).upper().replace(' AND ', ' and ')} go together: one of them is not set")
    return block


class BackendsBlock(Block):
    backend_ca: FilePath | None = Field(
        None, description="CAs (PEM) that S3 endpoints may have their certificates from, beside the system's."
    )


class DatabaseBlock(Block):
    database_url: Annotated[SecretStr, _url("postgresql", "postgres")] = Field(
        description="PostgreSQL 15 or later, UTF-8: postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=/path.",
        json_schema_extra=LIVE,
    )


class RabbitmqBlock(Block):
    rabbitmq_url: Annotated[SecretStr, _url("amqp", "amqps")] = Field(
        description="RabbitMQ 3.10 or later: amqps://user:password@host:port/vhost.", json_schema_extra=LIVE
    )

    def broker_url(self) -> str:
        """As it is now."""
        return self.rabbitmq_url.get_secret_value()


class ServiceTokenBlock(Block):
    service_token: StrongSecret = Field(
        validation_alias="DOMICILE_SERVICE_TOKEN",
        description="What the services show each other; the same for all of them.",
        json_schema_extra=LIVE,
    )
    service_token_previous: StrongSecret | None = Field(
        None,
        validation_alias="DOMICILE_SERVICE_TOKEN_PREVIOUS",
        description="While it is changed, a second one: it is accepted as well, and shown to whoever refuses the first.",
        json_schema_extra=LIVE,
    )

    @property
    def service_tokens(self) -> tuple[str, ...]:
        return _both(self.service_token, self.service_token_previous)


class MetadataUrlBlock(Block):
    metadata_url: HttpUrl = Field(validation_alias="DOMICILE_METADATA_URL", description="Where the metadata service answers.")


class MetadataBlock(MetadataUrlBlock, ServiceTokenBlock):
    pass


class SealingBlock(Block):
    tenant_secret_passphrase: StrongSecret = Field(
        description="What secrets in the database are sealed with.", json_schema_extra=LIVE
    )
    tenant_secret_passphrase_previous: StrongSecret | None = Field(
        None, description="While it is changed, a second one that opens what it has sealed.", json_schema_extra=LIVE
    )

    @property
    def passphrases(self) -> tuple[str, ...]:
        return _both(self.tenant_secret_passphrase, self.tenant_secret_passphrase_previous)


class AdminKeyBlock(Block):
    admin_api_key: StrongSecret = Field(
        description="What an operator shows to the admin API in X-Admin-Key.", json_schema_extra=LIVE
    )
    admin_api_key_previous: StrongSecret | None = Field(
        None, description="While it is changed, a second one that is accepted as well.", json_schema_extra=LIVE
    )

    @property
    def admin_api_keys(self) -> tuple[str, ...]:
        return _both(self.admin_api_key, self.admin_api_key_previous)


def _both(current: SecretStr, previous: SecretStr | None) -> tuple[str, ...]:
    return tuple(each.get_secret_value() for each in (current, previous) if each is not None)


def load(settings: type[S], *folders: Path) -> S:
    """The settings, from the environment and from files. Raises ``ConfigurationError`` that names every one at fault.

    ``folders``: in place of those that DOMICILE_SETTINGS lists.
    """
    given, faults = _from_files(settings, folders or setting_folders())
    try:
        loaded = settings(**given)
    except ValidationError as error:
        for item in error.errors():
            faults.setdefault(_variable(settings, item["loc"]), _fault(settings, item))
    if faults:
        raise ConfigurationError("; ".join(f"{name} {fault}".strip() for name, fault in sorted(faults.items())))
    return loaded


def setting_folders() -> tuple[Path, ...]:
    return tuple(Path(folder) for folder in (os.environ.get(FOLDERS_SETTING) or FOLDERS).split(":") if folder)


def setting_files(settings: BaseSettings) -> list[Path]:
    """Every file, there or not, that these settings come from or point to."""
    names = variables(type(settings))
    named = [Path(path) for name in names if (path := os.environ.get(f"{name}_FILE"))]
    pointed = [value for value in settings.__dict__.values() if isinstance(value, Path)]
    return [*named, *pointed, *(folder / name for folder in setting_folders() for name in names)]


def variables(settings: type[BaseSettings]) -> dict[str, str]:
    """Variable → field."""
    return {variable(name, field): name for name, field in settings.model_fields.items()}


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable, and the file, that sets a field."""
    return field.validation_alias if isinstance(field.validation_alias, str) else name.upper()


def is_live(field: FieldInfo) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("live"))


def is_secret(field: FieldInfo) -> bool:
    """By annotation, also where the secret is optional."""
    return SecretStr.__name__ in str(field.annotation)


def misspelt(settings: type[BaseSettings]) -> dict[str, str]:
    """Names in the environment and in the folders that no setting has → the setting that is probably meant."""
    known = [name + ending for name in variables(settings) for ending in ("", "_FILE")]
    files = [file.name for folder in setting_folders() if folder.is_dir() for file in folder.iterdir()]
    unknown = sorted(name for name in {*os.environ, *files}.difference(known) if name.isidentifier())  # not ..data and its like
    return {name: meant[0] for name in unknown if (meant := get_close_matches(name, known, 1, _SIMILAR))}


def _from_files(settings: type[BaseSettings], folders: Sequence[Path]) -> tuple[dict[str, Any], dict[str, str]]:
    """Field → text, and variable → fault."""
    given: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, field in variables(settings).items():
        named = os.environ.get(f"{name}_FILE")
        if os.environ.get(name):
            if named:
                faults[name] = f"and {name}_FILE are both set: one of them must go"
            continue
        for path in [Path(named)] if named else [folder / name for folder in folders]:
            try:
                text = path.read_text("utf-8").strip()
            except OSError as error:
                if named or not isinstance(error, FileNotFoundError | NotADirectoryError):
                    faults[name] = f"cannot be read from {path}: {error.strerror}"
            except UnicodeDecodeError:
                faults[name] = f"cannot be read from {path}: it is not UTF-8"
            else:
                if text:
                    given.setdefault(field, text)
    return given, faults


def _variable(settings: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else ""
    field = settings.model_fields.get(name)
    return variable(name, field) if field else name


def _fault(settings: type[BaseSettings], item: Any) -> str:
    """What pydantic has found, in our words."""
    kind, message = item["type"], item["msg"]
    if kind == "missing":
        return "is not set"
    text = str(message.removeprefix("Value error, ")) if kind == "value_error" else f"is not valid: {message}"
    if not item["loc"]:
        return text
    name = str(item["loc"][0])
    field = settings.model_fields[variables(settings).get(name, name)]
    given = str(item["input"])
    hidden = is_secret(field) or "@" in given  # in a URL, before it stands a password
    return text if hidden else f"{text}, not {given!r}"
