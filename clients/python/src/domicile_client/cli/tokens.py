from __future__ import annotations

from typing import Annotated

import typer

from domicile_client import tokens
from domicile_client.call import Call
from domicile_client.cli.shell import Action, ask, command, listed

app = typer.Typer(help="Tokens of the admin API, each for one role.", no_args_is_help=True)
COLUMNS = ("token_id", "name", "role", "tenant_id", "expires_at", "last_used_at", "revoked_at")


@command(app, "create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    role: Annotated[tokens.Role, typer.Option(help="What it may.")],
    tenant: Annotated[str | None, typer.Option(help="The tenant that a tenant_admin manages.")] = None,
    expires_in: Annotated[int | None, typer.Option(metavar="SECONDS", help="When it ends (90 days).")] = None,
) -> Action:
    """Make a token; its secret is shown this once."""
    return ask(tokens.create(name, role, tenant=tenant, expires_in_seconds=expires_in))


@listed(app, "list", COLUMNS)
def list_all() -> Call:
    """List tokens."""
    return tokens.list_all()


@command(app, "revoke")
def revoke(token: Annotated[str, typer.Argument(help="Its id, not its secret.")]) -> Action:
    """End a token and its sessions at once, for good."""
    return ask(tokens.revoke(token))
