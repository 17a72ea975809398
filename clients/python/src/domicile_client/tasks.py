"""Long work at the backends, and what it finds."""

from __future__ import annotations

from typing import Final, Literal

from domicile_client.call import Call, Json, Pages, call

UNDER_WAY: Final = frozenset({"waiting", "running"})


def start(kind: str, parameters: Json) -> Call:
    """``parameters``: of its kind, as in docs/api.md; those that are ``None`` are left out."""
    said = {name: value for name, value in parameters.items() if value is not None}
    return call("POST", "tasks", body={"kind": kind, "parameters": said})


def list_all(kind: str | None = None, state: str | None = None) -> Call:
    """Newest first."""
    return call("GET", "tasks", query={"kind": kind, "state": state}, pages=Pages("tasks", "task_id"))


def show(task: str) -> Call:
    return call("GET", "tasks", task)


def findings(task: str) -> Call:
    """What it has to say about single objects, by key."""
    return call("GET", "tasks", task, "findings", pages=Pages("findings", "key"))


def change(task: str, action: Literal["pause", "resume", "cancel"]) -> Call:
    return call("PATCH", "tasks", task, body={"action": action})


def scrub_findings(*, backend: str | None = None, kind: str | None = None, resolved: bool = False) -> Call:
    """What scrubs have found, newest first. ``resolved``: also what is over."""
    query = {"backend": backend, "kind": kind, "all": "yes" if resolved else None}
    return call("GET", "findings", query=query, pages=Pages("findings", "finding_id"))
