from __future__ import annotations

from typing import Annotated

import typer

from domicile_client import tenants
from domicile_client.call import Call
from domicile_client.cli.options import TenantName, document
from domicile_client.cli.shell import Action, ask, command, listed

app = typer.Typer(help="Customers of this installation.", no_args_is_help=True)
COLUMNS = ("tenant_id", "name", "state", "created_at")
NewName = Annotated[str | None, typer.Option(help="A name for people.")]


@command(app, "create")
def create(tenant: Annotated[str, typer.Argument(help="Its id: a-z, 0-9, -.")], name: NewName = None) -> Action:
    """Make a tenant."""
    return ask(tenants.create(tenant, name))


@listed(app, "list", COLUMNS)
def list_all() -> Call:
    """List tenants."""
    return tenants.list_all()


@command(app, "show")
def show(tenant: TenantName) -> Action:
    """Show a tenant."""
    return ask(tenants.show(tenant))


@command(app, "rename")
def rename(tenant: TenantName, name: Annotated[str, typer.Argument(help="A name for people.")]) -> Action:
    """Give a tenant another name; its id stays."""
    return ask(tenants.change(tenant, name=name))


@command(app, "disable")
def disable(tenant: TenantName) -> Action:
    """Refuse a tenant's keys from now on; its data stays."""
    return ask(tenants.change(tenant, state="disabled"))


@command(app, "enable")
def enable(tenant: TenantName) -> Action:
    """Let a tenant's keys work again."""
    return ask(tenants.change(tenant, state="active"))


@command(app, "limits")
def limits(
    tenant: TenantName,
    new: Annotated[str | None, typer.Option("--set", metavar="DOCUMENT", help="All of them, as JSON, @file, or -.")] = None,
) -> Action:
    """Show what a tenant may use and uses, or set its limits; what the document leaves out is unlimited."""
    return ask(tenants.limits(tenant) if new is None else tenants.set_limits(tenant, document(new)))
