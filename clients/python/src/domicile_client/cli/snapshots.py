from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domicile_client import snapshots, sovereignty
from domicile_client.call import Call, Json
from domicile_client.cli.options import Document, Features, document
from domicile_client.cli.shell import REFUSED, Action, Shell, ask, command, listed, written

app = typer.Typer(help="What was kept of S3 accounts that somebody looked at.", no_args_is_help=True)
places = typer.Typer(help="Which places satisfy a policy.", no_args_is_help=True)
COLUMNS = ("snapshot_id", "title", "endpoint", "tenant_id", "objects", "bytes", "keys", "truncated", "created_at")
SnapshotId = Annotated[str, typer.Argument(metavar="SNAPSHOT", help="Its id.")]


@listed(app, "list", COLUMNS)
def list_all() -> Call:
    """List snapshots, the newest first."""
    return snapshots.list_all()


@command(app, "show")
def show(snapshot: SnapshotId) -> Action:
    """Show one, with its totals."""
    return ask(snapshots.show(snapshot))


@command(app, "diff")
def diff(
    before: SnapshotId,
    after: SnapshotId,
    limit: Annotated[int, typer.Option(help="How many differences to show at most; all are counted.")] = 1000,
) -> Action:
    """Compare two."""
    return ask(snapshots.diff(before, after, limit))


@command(app, "plan")
def plan(
    snapshot: SnapshotId,
    policy: Document,
    features: Features = None,
    among: Annotated[sovereignty.Among, typer.Option(help="Where it may go: to your backends, or anywhere.")] = "backends",
) -> Action:
    """Show what would have to move under a policy."""
    return ask(snapshots.plan(snapshot, document(policy), features=features or (), among=among))


@command(app, "export")
def export(snapshot: SnapshotId, file: Annotated[Path, typer.Argument(help="Where to: .ndjson.gz")]) -> Action:
    """Write one to a file."""
    return written(snapshots.export(snapshot), file)


@command(app, "delete")
def delete(snapshot: SnapshotId) -> Action:
    """Delete one."""
    return ask(snapshots.delete(snapshot))


@command(places, "check")
def check(
    policy: Document,
    features: Features = None,
    among: Annotated[sovereignty.Among, typer.Option(help="All places that are known, or yours.")] = "catalogue",
    limit: Annotated[int, typer.Option(help="How many placements to show at most.")] = 20,
) -> Action:
    """Rank placements, and say of each place why it is in or out; the exit code is 1 when no place satisfies the policy."""
    call = sovereignty.check(document(policy), features=features or (), among=among, limit=limit)

    def run(shell: Shell) -> None:
        ranking = shell.client.ask(call)
        shell.show(ranking)
        if ranking["refusal"] is not None:
            shell.tell(ranking["refusal"])
            raise typer.Exit(REFUSED)

    return run


@command(places, "catalogue")
def catalogue() -> Action:
    """Show the catalogue of providers."""

    def run(shell: Shell) -> None:
        answer = shell.client.ask(sovereignty.catalogue())
        shell.show(answer if shell.json else {"sites": [_site(it, site) for it in answer["providers"] for site in it["sites"]]})

    return run


def _site(provider: Json, site: Json) -> Json:
    return {"provider": provider["provider"], **{name: site.get(name) for name in ("site", "country", "city", "endpoint")}}
