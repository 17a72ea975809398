"""Options and arguments that several commands have, and what is read from standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from domicile_client import backends, tenants
from domicile_client.call import Call, Json
from domicile_client.cli.settings import Settings
from domicile_client.client import Domicile
from domicile_client.errors import ClientError

STANDARD_INPUT: Final = "-"
COMPLETION_SECONDS: Final = 3.0


class Level(NamedTuple):
    """The installation, a tenant, or a tenant's bucket."""

    tenant: str | None
    bucket: str | None


def level(text: str) -> Level:
    tenant, slash, bucket = text.partition("/")
    if (text and not tenant) or (slash and not bucket) or "/" in bucket:
        raise typer.BadParameter("a tenant, or tenant/bucket")
    return Level(tenant or None, bucket or None)


class Bucket(NamedTuple):
    tenant: str
    bucket: str


def bucket(text: str) -> Bucket:
    tenant, name = level(text)
    if tenant is None or name is None:
        raise typer.BadParameter("a bucket is named as tenant/bucket")
    return Bucket(tenant, name)


def _named(call: Call, field: str) -> Callable[[typer.Context, str], list[str]]:
    """For shell completion: what there is, or nothing when it cannot be asked for."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        said = context.find_root().params  # no command runs while one is being completed
        try:
            settings = Settings(**{name: value for name, value in said.items() if name in Settings.__slots__})
            with Domicile(**settings.connection(), timeout=COMPLETION_SECONDS) as client:
                found = [str(row[field]) for row in client.rows(call)]
        except (ClientError, typer.BadParameter):
            return []
        return [name for name in found if name.startswith(incomplete)]

    return complete


_tenant_names, _backend_names = _named(tenants.list_all(), "tenant_id"), _named(backends.list_all(), "backend_id")

TenantName = Annotated[str, typer.Argument(help="The tenant's id.", autocompletion=_tenant_names)]
BackendName = Annotated[str, typer.Argument(help="The backend's id.", autocompletion=_backend_names)]
OfLevel = Annotated[
    Level | None,
    typer.Argument(metavar="TENANT[/BUCKET]", parser=level, help="Whose; nothing: everybody's.", autocompletion=_tenant_names),
]
BucketName = Annotated[Bucket, typer.Argument(metavar="TENANT/BUCKET", parser=bucket, autocompletion=_tenant_names)]
AtBackend = Annotated[str | None, typer.Option("--backend", help="At this backend only.", autocompletion=_backend_names)]
Limit = Annotated[int, typer.Option(min=1, help="How many to show at most.")]
Follow = Annotated[bool, typer.Option("--follow", help="Show how far it gets, until it has ended. Ctrl-C leaves it at work.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be moved.")]
Force = Annotated[bool, typer.Option("--force", help="Also when writes would be refused then, for lack of backends.")]
Document = Annotated[str, typer.Argument(metavar="DOCUMENT", help="JSON, @file, or - for standard input.")]
SecretFile = Annotated[
    Path | None, typer.Option(help="A file that holds the secret, and nothing else. Otherwise it is a line on standard input.")
]
Features = Annotated[
    list[str] | None,
    typer.Option("--feature", help="What every place must be known to have, such as object_lock; may be repeated."),
]
LIMIT: Final = 100


def everybody(whose: Level | None) -> Level:
    return whose or Level(None, None)


def document(text: str) -> Json:
    """Raises ``BadParameter``."""
    try:
        read: Any = json.loads(_words(text))
    except OSError as error:
        raise typer.BadParameter(f"{text[1:]}: {error.strerror}") from None
    except ValueError as error:
        raise typer.BadParameter(f"the document is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise typer.BadParameter("the document is not a JSON object")
    return read


def _words(text: str) -> str:
    if text == STANDARD_INPUT:
        return sys.stdin.read()
    return Path(text[1:]).read_text("utf-8") if text.startswith("@") else text


def read_secret(file: Path | None) -> str:
    """Never an argument, which anybody on the machine can see. Raises ``BadParameter``."""
    try:
        text = file.read_text("utf-8") if file else _typed() if sys.stdin.isatty() else sys.stdin.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file}: {getattr(error, 'strerror', None) or 'is no text'}") from None
    secret = text.rstrip("\r\n")
    if not secret:
        raise typer.BadParameter("the secret is expected as a line on standard input, or in --secret-file")
    return secret


def _typed() -> str:
    secret: str = typer.prompt("Secret", hide_input=True, err=True)
    return secret
