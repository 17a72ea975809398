"""How backends look to those who talk to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from domicile_common.metadata_client.health import Seen
from domicile_common.model import Value
from domicile_metadata.storage.database import Statements
from domicile_metadata.storage.jobs import Failure


class BackendHealth(Value, frozen=True, omit_defaults=False):
    """``proxies``: how many have said something lately; ``avoiding``: of these; ``seconds``: until it begins to deliver, on average.

    ``last_failure``: of a job there that waits to be tried again.
    """

    backend_id: str
    proxies: int
    avoiding: int
    seconds: float | None
    last_failure: Failure | None


async def note(statements: Statements, observer: str, seen: Iterable[Seen]) -> None:
    ordered = sorted(seen, key=lambda it: it.backend_id)
    columns = ([getattr(it, name) for it in ordered] for name in ("backend_id", "is_avoided", "seconds"))
    await statements.execute("note_health", observer, *columns)
    await statements.execute("forget_health")


async def show(statements: Statements, lately_seconds: float) -> list[BackendHealth]:
    return [_health(row) for row in await statements.fetch("show_health", lately_seconds)]


def _health(row: Any) -> BackendHealth:
    fields = dict(row)
    failure = fields.pop("failure")
    return BackendHealth(**fields, last_failure=None if failure is None else msgspec.json.decode(failure, type=Failure))
