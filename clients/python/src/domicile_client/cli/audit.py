from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domicile_client import audit
from domicile_client.call import Call
from domicile_client.cli.shell import REFUSED, Action, Shell, command, listed, written

app = typer.Typer(help="What was done and refused through the admin API.", no_args_is_help=True)
COLUMNS = ("seq", "at", "role", "kind", "actor", "tenant_id", "action", "target", "status", "code")
OfTenant = Annotated[str | None, typer.Option(help="About this tenant only.")]
Instant = Annotated[str | None, typer.Option(metavar="TIME", help="Such as 2026-03-04T00:00:00Z.")]


@listed(app, "list", COLUMNS)
def list_all(
    tenant: OfTenant = None,
    actor: Annotated[str | None, typer.Option(help="Id of a token, or access key of a session.")] = None,
    role: Annotated[str | None, typer.Option(help="operator, auditor, tenant_admin, tenant, nobody.")] = None,
    about: Annotated[str | None, typer.Option(help="A part of action or target.")] = None,
    since: Instant = None,
    until: Instant = None,
    refused: Annotated[bool | None, typer.Option("--refused/--done", help="Only what was refused, or done.")] = None,
) -> Call:
    """List entries, the newest first."""
    which = None if refused is None else str(refused).lower()
    return audit.list_all(tenant=tenant, actor=actor, role=role, about=about, since=since, until=until, refused=which)


@command(app, "export")
def export(
    file: Annotated[Path, typer.Argument(help="Where to: .ndjson")],
    tenant: OfTenant = None,
    after: Annotated[int | None, typer.Option(help="From behind this entry.")] = None,
) -> Action:
    """Write all entries to a file, oldest first."""
    return written(audit.export(tenant, after), file)


@command(app, "verify")
def verify(
    after: Annotated[int | None, typer.Option(help="Number of an entry that you have kept.")] = None,
    hash_of: Annotated[str | None, typer.Option("--hash", help="Its hash.")] = None,
) -> Action:
    """Say whether the entries hang together; the exit code is 1 when they do not."""

    def run(shell: Shell) -> None:
        verdict = shell.client.ask(audit.verify(after, hash_of))
        shell.show(verdict)
        if verdict["broken_at"] is not None:
            raise typer.Exit(REFUSED)

    return run
