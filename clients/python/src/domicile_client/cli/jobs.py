from __future__ import annotations

from typing import Annotated, Literal

import typer

from domicile_client import jobs
from domicile_client.cli.options import LIMIT, All, AtBackend, BackendName, Level, Limit, OfLevel, at_most, everybody
from domicile_client.cli.shell import Action, ask, command, listing

app = typer.Typer(help="Replication work that is owed, or was given up for now.", no_args_is_help=True)
COLUMNS = (
    "since",
    "backend_id",
    "action",
    "tenant_id",
    "bucket",
    "key",
    "attempt",
    "error_class",
    "parked_reason",
    "bucket_id",
    "version_id",
)
DROPS = ("dropped_at", "backend_id", "action", "tenant_id", "bucket", "key", "reason", "parked_reason")
Doing = Annotated[Literal["copy", "remove", "stamp"] | None, typer.Option("--action", help="Of this kind only.")]
ErrorClass = Annotated[str | None, typer.Option(help="Whose last failure was of this class.")]
BucketId = Annotated[str | None, typer.Option(help="As listed.")]
VersionId = Annotated[str | None, typer.Option(help="As listed.")]


def _which(whose: Level | None, **others: str | None) -> dict[str, str | None]:
    tenant, bucket = everybody(whose)
    return {"tenant": tenant, "bucket": bucket, **others}


@command(app, "list")
def list_all(
    whose: OfLevel = None,
    state: Annotated[Literal["owed", "parked", "all"], typer.Option(help="parked: given up for now.")] = "owed",
    backend: AtBackend = None,
    action: Doing = None,
    error_class: ErrorClass = None,
    bucket_id: BucketId = None,
    version_id: VersionId = None,
    limit: Limit = LIMIT,
    everything: All = False,
) -> Action:
    """List what is owed or parked, oldest first."""
    which = _which(whose, backend=backend, action=action, error_class=error_class, bucket_id=bucket_id, version_id=version_id)
    return listing(jobs.list_all(state, **which), COLUMNS, at_most(limit, everything))


@command(app, "show")
def show(
    bucket_id: Annotated[str, typer.Argument(help="As listed.")],
    version_id: Annotated[str, typer.Argument(help="As listed.")],
    backend: BackendName,
) -> Action:
    """Show a job, and why it failed."""
    return ask(jobs.show(bucket_id, version_id, backend))


@command(app, "replay")
def replay(
    whose: OfLevel = None,
    backend: AtBackend = None,
    action: Doing = None,
    error_class: ErrorClass = None,
    bucket_id: BucketId = None,
    version_id: VersionId = None,
) -> Action:
    """Try parked work again."""
    which = _which(whose, backend_id=backend, action=action, error_class=error_class, bucket_id=bucket_id, version_id=version_id)
    return ask(jobs.replay(**which))


@command(app, "drop")
def drop(
    reason: Annotated[str, typer.Option(help="Noted for ever.")],
    whose: OfLevel = None,
    backend: AtBackend = None,
    action: Doing = None,
    error_class: ErrorClass = None,
    bucket_id: BucketId = None,
    version_id: VersionId = None,
) -> Action:
    """Give parked work up for good."""
    which = _which(whose, backend_id=backend, action=action, error_class=error_class, bucket_id=bucket_id, version_id=version_id)
    return ask(jobs.drop(reason, **which))


@command(app, "drops")
def drops(whose: OfLevel = None, limit: Limit = LIMIT, everything: All = False) -> Action:
    """List what was given up for good, latest first."""
    return listing(jobs.drops(*everybody(whose)), DROPS, at_most(limit, everything))


@command(app, "lag")
def lag(whose: OfLevel = None, limit: Limit = LIMIT) -> Action:
    """Show how far copies are behind, and whether promises are kept."""
    return ask(jobs.lag(*everybody(whose), limit))
