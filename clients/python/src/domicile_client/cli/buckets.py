from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group, RenderableType

from domicile_client import buckets
from domicile_client.call import Call, Json
from domicile_client.cli import show as shown
from domicile_client.cli.options import BucketName, bucket
from domicile_client.cli.shell import REFUSED, Action, Shell, ask, command, listed

app = typer.Typer(help="Buckets of tenants, and where their objects are.", no_args_is_help=True)
Key = Annotated[str, typer.Argument(help="The object's key.")]
BUCKETS = ("tenant_id", "bucket", "countries", "jurisdictions", "versioning", "object_lock", "versions", "bytes", "created_at")
COPIES = (
    "backend_id",
    "provider",
    "country",
    "state",
    "since",
    "verified_at",
    "attempt",
    "parked_reason",
    "namespace",
    "blob_key",
)
NAMES = ("tenant_id", "bucket", "backend_id", "namespace", "recorded", "counter")


@listed(app, "list", BUCKETS)
def list_all(
    tenant: Annotated[str | None, typer.Argument(help="Whose; nothing: everybody's.")] = None,
) -> Call:
    """List buckets with their locks, and what was counted of them."""
    return buckets.list_all(tenant)


@command(app, "show")
def show(of: BucketName) -> Action:
    """Show a bucket, and what was counted of it at each backend."""
    return ask(buckets.show(*of))


@command(app, "explain")
def explain(
    name: Annotated[str, typer.Argument(metavar="TENANT/BUCKET|PHYSICAL-NAME")],
    backend: Annotated[str | None, typer.Option(help="At this backend only.")] = None,
) -> Action:
    """Explain physical bucket names, from the tenant's side or the provider's."""
    call = buckets.explain(*bucket(name), backend) if "/" in name else buckets.explain_name(name)
    return ask(call, lambda answer: shown.table(answer["namespaces"], NAMES))


@command(app, "placement")
def placement(of: BucketName, key: Key) -> Action:
    """Show where an object is, and why."""
    return ask(buckets.placement(*of, key), _placement)


def _placement(answer: Json) -> RenderableType:
    return Group(shown.facts(answer["version"]), shown.plain(""), shown.table(answer["replicas"], COPIES))


@command(app, "wait")
def wait(
    of: BucketName,
    key: Key,
    version: Annotated[str | None, typer.Option(help="This one (the current one).")] = None,
    copies: Annotated[int | None, typer.Option(help="How many verified copies.")] = None,
    countries: Annotated[str | None, typer.Option(help="In how many countries, or in which ones: FI,DE.")] = None,
    seconds: Annotated[int, typer.Option("--timeout", metavar="SECONDS", min=1, max=300, help="How long to wait at most.")] = 30,
) -> Action:
    """Wait until an object has so many verified copies; the exit code is 1 when it has not in time."""
    return _waiting(buckets.wait(*of, key, version=version, copies=copies, countries=countries, timeout=seconds))


def _waiting(call: Call) -> Action:
    def run(shell: Shell) -> None:
        answer = shell.client.ask(call)
        shell.show(answer)
        if not answer["reached"]:
            raise typer.Exit(REFUSED)

    return run
