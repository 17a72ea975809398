from __future__ import annotations

from typing import Annotated, Literal

import typer

from domicile_client import tasks
from domicile_client.call import Call, Json
from domicile_client.cli.options import (
    STANDARD_INPUT,
    AtBackend,
    BackendName,
    BucketName,
    Document,
    Follow,
    OfLevel,
    document,
    everybody,
)
from domicile_client.cli.shell import Action, ask, command, follow, listed

app = typer.Typer(help="Long work at the backends.", no_args_is_help=True)
scrubs = typer.Typer(help="What backends hold, compared with the record.", no_args_is_help=True)
COLUMNS = ("task_id", "kind", "state", "progress", "error", "created_at", "finished_at")
FINDINGS = ("key", "kind", "reason")
SCRUB_FINDINGS = ("finding_id", "found_at", "kind", "done", "backend_id", "tenant_id", "bucket", "blob_key", "detail")
TaskId = Annotated[str, typer.Argument(metavar="TASK", help="Its id.")]
Rate = Annotated[float | None, typer.Option(help="How fast to read at most (50e6).")]
Requests = Annotated[float | None, typer.Option(help="How often to ask at most.")]


@listed(app, "list", COLUMNS)
def list_all(
    kind: Annotated[str | None, typer.Option(help="Of this kind only.")] = None,
    state: Annotated[
        Literal["waiting", "running", "paused", "done", "failed", "cancelled"] | None, typer.Option(help="In this state only.")
    ] = None,
) -> Call:
    """List tasks, newest first."""
    return tasks.list_all(kind, state)


@command(app, "show")
def show(task: TaskId) -> Action:
    """Show a task, and how far it has got."""
    return ask(tasks.show(task))


@command(app, "watch")
def watch(task: TaskId) -> Action:
    """Show how far a task gets, until it has ended or rests; the exit code is 0 when it is done."""
    return follow(tasks.show(task))


@listed(app, "findings", FINDINGS)
def findings(task: TaskId) -> Call:
    """List what a task has to say about single objects."""
    return tasks.findings(task)


@command(app, "pause")
def pause(task: TaskId) -> Action:
    """Let a task rest."""
    return ask(tasks.change(task, "pause"))


@command(app, "resume")
def resume(task: TaskId) -> Action:
    """Let a task go on that was paused or has failed."""
    return ask(tasks.change(task, "resume"))


@command(app, "cancel")
def cancel(task: TaskId) -> Action:
    """End a task for good; what it has done stays done."""
    return ask(tasks.change(task, "cancel"))


@command(app, "start")
def start(
    kind: Annotated[str, typer.Argument(help="As in docs/api.md.")], parameters: Document = "{}", following: Follow = False
) -> Action:
    """Begin a task of any kind."""
    return _start(kind, document(parameters), following=following)


def _start(kind: str, parameters: Json, *, following: bool) -> Action:
    return follow(tasks.start(kind, parameters), to_the_end=following)


@command(scrubs, "start")
def scrub(
    backend: BackendName,
    whose: OfLevel = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read all bytes, instead of listing.")] = False,
    foreign: Annotated[Literal["remove", "report"] | None, typer.Option(help="What was never Domicile's (remove).")] = None,
    unknown: Annotated[
        Literal["remove", "report"] | None, typer.Option(help="Versions of which the record never heard (report).")
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="With --deep: what was not verified for so long (0).")
    ] = None,
    bytes_per_second: Rate = None,
    requests_per_second: Requests = None,
    following: Follow = False,
) -> Action:
    """Compare what a backend holds with the record, and repair."""
    tenant, bucket = everybody(whose)
    parameters = {
        "backend_id": backend,
        "depth": "deep" if deep else None,
        "tenant": tenant,
        "bucket": bucket,
        "foreign": foreign,
        "unknown": unknown,
        "older_than": older_than,
        "bytes_per_second": bytes_per_second,
        "requests_per_second": requests_per_second,
    }
    return _start("scrub", parameters, following=following)


@listed(scrubs, "findings", SCRUB_FINDINGS)
def scrub_findings(
    backend: AtBackend = None,
    kind: Annotated[str | None, typer.Option(help="Of this kind only.")] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Also what is over.")] = False,
) -> Call:
    """List what scrubs have found and is not over yet, newest first."""
    return tasks.scrub_findings(backend=backend, kind=kind, resolved=resolved)


def adopt(
    into: BucketName,
    backend: Annotated[str, typer.Option(help="Where the provider's bucket is.")],
    source: Annotated[str, typer.Option(help="The provider's bucket.")],
    prefix: Annotated[str | None, typer.Option(help="Only keys that begin with this.")] = None,
    location: Annotated[str | None, typer.Option(help="Of the bucket, where it is not there yet: fi,de.")] = None,
    following: Follow = False,
) -> Action:
    """Bring a provider's bucket under management, where it is."""
    parameters = {"tenant": into.tenant, "bucket": into.bucket, "location": location, "backend": backend}
    return _start("adopt", {**parameters, "source": source, "prefix": prefix}, following=following)


def export(
    of: BucketName,
    to_bucket: Annotated[str, typer.Argument(help="A bucket that is there.")],
    backend: Annotated[str | None, typer.Option(help="At this registered backend.")] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="@FILE|-",
            help="At another endpoint: a JSON object with the fields of `PUT /proxy/backends`, from a file or standard input.",
        ),
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Only keys that begin with this.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there and differs.")] = False,
    allow_outside_lock: Annotated[
        bool, typer.Option("--allow-outside-lock", help="Let the data leave the bucket's lock; it is written down.")
    ] = False,
    following: Follow = False,
) -> Action:
    """Copy a bucket's current versions under their natural names to somewhere else."""
    if endpoint is not None and not endpoint.startswith(("@", STANDARD_INPUT)):
        raise typer.BadParameter("a secret is no argument: --endpoint is @file, or - for standard input")
    parameters = {
        "tenant": of.tenant,
        "bucket": of.bucket,
        "to_bucket": to_bucket,
        "backend": backend,
        "endpoint": None if endpoint is None else document(endpoint),
        "prefix": prefix,
        "overwrite": overwrite or None,
        "allow_outside_lock": allow_outside_lock or None,
    }
    return _start("export", parameters, following=following)


def rebuild(requests_per_second: Requests = None, following: Follow = False) -> Action:
    """Restore the record from what is at the backends."""
    return _start("rebuild", {"requests_per_second": requests_per_second}, following=following)


def add_to(root: typer.Typer) -> None:
    """The kinds that are commands of their own."""
    for begin in (adopt, export, rebuild):
        command(root, begin.__name__)(begin)
