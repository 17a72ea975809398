from __future__ import annotations

from typing import Annotated, Literal

import typer

from domicile_client import keys
from domicile_client.call import Call
from domicile_client.cli.options import SecretFile, TenantName, read_secret
from domicile_client.cli.shell import Action, ask, command, listed

app = typer.Typer(help="Access keys of tenants.", no_args_is_help=True)
COLUMNS = ("access_key", "tenant_id", "access", "state", "created_at", "expires_at")
AccessKey = Annotated[str, typer.Argument(help="The access key.")]


@command(app, "create")
def create(
    tenant: TenantName,
    access: Annotated[Literal["full", "read"], typer.Option(help="What the key may do.")] = "full",
    expires_in: Annotated[int | None, typer.Option(metavar="SECONDS", help="When the key ends (never).")] = None,
    access_key: Annotated[str | None, typer.Option(help="Register this key, whose secret is read.")] = None,
    secret_file: SecretFile = None,
) -> Action:
    """Make an access key; its secret is shown this once."""
    secret = read_secret(secret_file) if access_key else None
    return ask(keys.create(tenant, access=access, expires_in_seconds=expires_in, access_key=access_key, secret_key=secret))


@listed(app, "list", COLUMNS)
def list_all(
    tenant: Annotated[str | None, typer.Argument(help="Whose; nothing: everybody's.")] = None,
) -> Call:
    """List access keys."""
    return keys.list_all(tenant)


@command(app, "disable")
def disable(access_key: AccessKey) -> Action:
    """Refuse an access key from now on."""
    return ask(keys.change(access_key, "disabled"))


@command(app, "enable")
def enable(access_key: AccessKey) -> Action:
    """Let an access key work again."""
    return ask(keys.change(access_key, "active"))


@command(app, "rotate")
def rotate(
    access_key: AccessKey,
    overlap: Annotated[int, typer.Option(metavar="SECONDS", help="How long the old key works on.")] = 86_400,
) -> Action:
    """Make a new key for the same tenant, and let this one run out."""
    return ask(keys.rotate(access_key, overlap))
