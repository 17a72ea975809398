from __future__ import annotations

from typing import Annotated, Literal

import typer

from domicile_client import backends, tasks
from domicile_client.call import Call
from domicile_client.cli.options import BackendName, DryRun, Follow, Force, SecretFile, read_secret
from domicile_client.cli.shell import Action, ask, command, follow, listed

app = typer.Typer(help="S3 endpoints where objects are kept.", no_args_is_help=True)
COLUMNS = ("backend_id", "provider", "country", "jurisdictions", "state", "paused", "endpoint")
PROBES = ("found_at", "seen_at", "changed", "capabilities", "notes")
State = Annotated[
    backends.State,
    typer.Argument(
        help="active; readonly: nothing new goes there; draining: all that is there moves away; disabled: not spoken to, for a while; "
        "lost: gone for good, and what it held is made anew."
    ),
]


@command(app, "add")
def add(
    backend: Annotated[str, typer.Argument(help="Its id: a-z, 0-9, -.")],
    provider: Annotated[str, typer.Option(help="Slug of who runs it.")],
    endpoint: Annotated[str, typer.Option(help="Its address, http:// or https://.")],
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code of the site.")],
    jurisdiction: Annotated[list[str], typer.Option(help="A law that its operator answers to, such as DE; may be repeated.")],
    access_key: Annotated[str, typer.Option(help="Access key at the backend.")],
    secret_file: SecretFile = None,
    keep_secret: Annotated[bool, typer.Option("--keep-secret", help="Keep the secret that is known.")] = False,
    region: Annotated[str | None, typer.Option(help="SigV4 region (us-east-1).")] = None,
    addressing: Annotated[Literal["path", "virtual"] | None, typer.Option(help="Where the bucket's name stands (path).")] = None,
    quirks: Annotated[str | None, typer.Option(help="Whose software it is (probed: what probes find).")] = None,
    cost: Annotated[int | None, typer.Option(help="Reads prefer the lowest (100).")] = None,
    force: Force = False,
) -> Action:
    """Register a backend, or change one."""
    return ask(
        backends.put(
            backend,
            provider=provider,
            endpoint=endpoint,
            country=country,
            jurisdictions=jurisdiction,
            access_key=access_key,
            secret_key=None if keep_secret else read_secret(secret_file),
            region=region,
            addressing=addressing,
            quirks=quirks,
            cost=cost,
            force=force,
        )
    )


@listed(app, "list", COLUMNS)
def list_all() -> Call:
    """List backends."""
    return backends.list_all()


@command(app, "show")
def show(backend: BackendName) -> Action:
    """Show a backend."""
    return ask(backends.show(backend))


@command(app, "probe")
def probe(backend: BackendName, following: Follow = False) -> Action:
    """Find out what a backend can do, by calls in buckets of their own, which are gone afterwards."""
    return follow(tasks.start("probe", {"backend_id": backend}), to_the_end=following)


@listed(app, "probes", PROBES)
def probes(backend: BackendName) -> Call:
    """Show what probes have found that a backend can do, and what has changed, the latest first."""
    return backends.probes(backend)


@command(app, "state")
def state(backend: BackendName, state: State, dry_run: DryRun = False, force: Force = False) -> Action:
    """Take a backend out of use, or into it again."""
    return _set_state(backend, state, dry_run=dry_run, force=force)


@command(app, "drain")
def drain(backend: BackendName, dry_run: DryRun = False, force: Force = False) -> Action:
    """Move all that is there away (the state draining)."""
    return _set_state(backend, "draining", dry_run=dry_run, force=force)


def _set_state(backend: str, wanted: backends.State, *, dry_run: bool, force: bool) -> Action:
    return ask(backends.preview(backend, wanted) if dry_run else backends.change(backend, state=wanted, force=force))


@command(app, "pause")
def pause(backend: BackendName) -> Action:
    """Stop replication to a backend, and its removals; reads and writes go on."""
    return ask(backends.change(backend, paused=True))


@command(app, "resume")
def resume(backend: BackendName) -> Action:
    """Let replication to a backend go on."""
    return ask(backends.change(backend, paused=False))


@command(app, "limits")
def limits(
    backend: BackendName,
    jobs: Annotated[int | None, typer.Option(help="How many at a time.")] = None,
    bytes_per_second: Annotated[int | None, typer.Option(help="Sent and read.")] = None,
    requests_per_second: Annotated[float | None, typer.Option(help="Of all kinds.")] = None,
) -> Action:
    """Limit what all replicators together do at a backend; 0 ends a limit."""
    said = {"job_limit": jobs, "bytes_per_second": bytes_per_second, "requests_per_second": requests_per_second}
    wanted = {name: value or None for name, value in said.items() if value is not None}
    return ask(backends.limit(backend, **wanted) if wanted else backends.show(backend))
