from __future__ import annotations

from typing import Annotated

import typer
from rich.console import RenderableType

from domicile_client import placement, policies
from domicile_client.call import Json
from domicile_client.cli import show as shown
from domicile_client.cli.options import LIMIT, Document, Limit, OfLevel, document, everybody
from domicile_client.cli.shell import Action, ask, command

app = typer.Typer(help="Where data may live, and in how many copies.", no_args_is_help=True)
changes = typer.Typer(help="What follows from changes of policies and backends.", no_args_is_help=True)


@command(app, "show")
def show(whose: OfLevel = None) -> Action:
    """Show a level, and what it amounts to with those above."""
    return ask(policies.show(*everybody(whose)), _level)


def _level(answer: Json) -> RenderableType:
    """Without the ranks of countries where none goes before another."""
    effective = answer["effective"]
    if effective and not any(effective["ranks"]):
        effective = {name: value for name, value in effective.items() if name != "ranks"}
    return shown.facts({**answer, "effective": effective})


@command(app, "set")
def put(policy: Document, whose: OfLevel = None) -> Action:
    """Set a level. What exists follows."""
    return ask(policies.put(document(policy), *everybody(whose)))


@command(app, "dry-run")
def preview(
    policy: Document,
    whose: OfLevel = None,
    bytes_per_second: Annotated[float | None, typer.Option(help="What a backend is assumed to take or give (50e6).")] = None,
    copies_per_second: Annotated[float | None, typer.Option(help="How many copies it is assumed to take or give (50).")] = None,
) -> Action:
    """Show what setting a level would have moved; nothing is changed."""
    tenant, bucket = everybody(whose)
    return ask(
        policies.preview(document(policy), tenant, bucket, bytes_per_second=bytes_per_second, copies_per_second=copies_per_second)
    )


@command(changes, "outstanding")
def outstanding(whose: OfLevel = None) -> Action:
    """Show what is not yet as the policies in force ask for."""
    return ask(placement.outstanding(*everybody(whose)))


@command(changes, "progress")
def progress(
    whose: OfLevel = None,
    finished: Annotated[bool, typer.Option("--all", help="Also what is finished.")] = False,
    limit: Limit = LIMIT,
) -> Action:
    """Show how far changes have got, and what cannot be satisfied."""
    return ask(placement.progress(*everybody(whose), finished=finished, limit=limit))


@command(changes, "compare")
def compare(whose: OfLevel = None) -> Action:
    """Compare all versions with their policies once more."""
    return ask(placement.compare(*everybody(whose)))
