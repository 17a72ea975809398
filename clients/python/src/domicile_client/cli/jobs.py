from __future__ import annotations

from typing import Annotated, Literal, TypedDict, Unpack

import typer

from domicile_client import jobs
from domicile_client.call import Call
from domicile_client.cli.options import LIMIT, AtBackend, BackendName, Level, Limit, OfLevel, everybody
from domicile_client.cli.shell import Action, ask, command, listed

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


class Which(TypedDict):
    """The jobs that are meant; all of them where nothing is said."""

    backend: AtBackend
    action: Annotated[Literal["copy", "remove", "stamp"] | None, typer.Option(help="Of this kind only.")]
    error_class: Annotated[str | None, typer.Option(help="Whose last failure was of this class.")]
    bucket_id: Annotated[str | None, typer.Option(help="As listed.")]
    version_id: Annotated[str | None, typer.Option(help="As listed.")]


@listed(app, "list", COLUMNS)
def list_all(
    whose: OfLevel = None,
    *,
    state: Annotated[Literal["owed", "parked", "all"], typer.Option(help="parked: given up for now.")] = "owed",
    **which: Unpack[Which],
) -> Call:
    """List what is owed or parked, oldest first."""
    return jobs.list_all(state, **_fields(whose, which))


def _fields(whose: Level | None, which: Which) -> dict[str, str | None]:
    tenant, bucket = everybody(whose)
    return {
        "tenant": tenant,
        "bucket": bucket,
        "backend": which["backend"],
        "action": which["action"],
        "error_class": which["error_class"],
        "bucket_id": which["bucket_id"],
        "version_id": which["version_id"],
    }


@command(app, "show")
def show(
    bucket_id: Annotated[str, typer.Argument(help="As listed.")],
    version_id: Annotated[str, typer.Argument(help="As listed.")],
    backend: BackendName,
) -> Action:
    """Show a job, and why it failed."""
    return ask(jobs.show(bucket_id, version_id, backend))


@command(app, "replay")
def replay(whose: OfLevel = None, **which: Unpack[Which]) -> Action:
    """Try parked work again."""
    return ask(jobs.replay(**_fields(whose, which)))


@command(app, "drop")
def drop(
    whose: OfLevel = None,
    *,
    reason: Annotated[str, typer.Option(help="Noted for ever.")],
    **which: Unpack[Which],
) -> Action:
    """Give parked work up for good."""
    return ask(jobs.drop(reason, **_fields(whose, which)))


@listed(app, "drops", DROPS)
def drops(whose: OfLevel = None) -> Call:
    """List what was given up for good, latest first."""
    return jobs.drops(*everybody(whose))


@command(app, "lag")
def lag(whose: OfLevel = None, limit: Limit = LIMIT) -> Action:
    """Show how far copies are behind, and whether promises are kept."""
    return ask(jobs.lag(*everybody(whose), limit))
