"""The installation at a glance."""

from __future__ import annotations

from rich.console import Group, RenderableType

from domicile_client import backends, jobs, tasks
from domicile_client.call import Json, limited
from domicile_client.cli import show
from domicile_client.cli.shell import Action, Shell

BACKENDS = (
    "backend_id=backend", "country", "state", "paused", "health.proxies=proxies", "health.avoiding=avoided by",
    "owed.copies=owed", "owed.bytes=bytes", "owed.oldest_seconds=since", "owed.late=late", "owed.parked=parked",
    "owed.removals=removals", "recent.p99_seconds=p99 lag",
)  # fmt: skip
BUCKETS = (
    "owed.tenant_id=tenant", "owed.bucket=bucket", "owed.copies=owed", "owed.bytes=bytes", "owed.oldest_seconds=since",
    "owed.rpo_seconds=promised", "kept",
)  # fmt: skip
TASKS = ("task_id", "kind", "state", "progress", "error")
SHOWN = 10  # of buckets and tasks


def status() -> Action:
    """Show the installation at a glance: backends, what is owed to them, who waits longest, and long work."""

    def run(shell: Shell) -> None:
        lag = shell.client.ask(jobs.lag(limit=SHOWN))
        behind = {each["owed"]["backend_id"]: each for each in lag["backends"]}
        registered = shell.client.ask(backends.list_all())["backends"]
        health = {each["backend_id"]: each for each in shell.client.ask(backends.health())["backends"]}
        running = shell.client.ask(limited(tasks.list_all(state="running"), SHOWN))["tasks"]
        failed = shell.client.ask(limited(tasks.list_all(state="failed"), SHOWN))["tasks"]
        answer = {
            "backends": [
                {**each, **behind.get(each["backend_id"], {}), "health": health.get(each["backend_id"])} for each in registered
            ],
            "outbox": lag["outbox"],
            "buckets": lag["buckets"],
            "tasks": running + failed,
        }
        shell.show(answer, _view)

    return run


def _view(answer: Json) -> RenderableType:
    blank = show.plain("")
    parts: list[RenderableType] = [show.table(answer["backends"], BACKENDS), blank, show.facts({"outbox": answer["outbox"]})]
    if answer["buckets"]:
        parts += [blank, show.plain("Furthest behind:"), show.table(answer["buckets"], BUCKETS)]
    if answer["tasks"]:
        parts += [blank, show.plain("Long work:"), show.table(answer["tasks"], TASKS)]
    return Group(*parts)
