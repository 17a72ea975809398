"""Runs a service with one of the bugs that the checker must find.

    python -m domicile_common.testing.with_bug <name> -- module_to_run [arguments]

Each is one function put in the place of another, so that product code knows nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import runpy
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from domicile_common.errors import BackendError, Unavailable
from domicile_common.model import Facts, Version
from domicile_common.testing.kill_at import replace

Function = Callable[..., Awaitable[Any]]

HELD_BACK_SECONDS: Final = 2.0


def ack_before_commit(commit: Function) -> Function:
    """The client hears of success while the commit is still to come."""
    under_way: set[asyncio.Task[None]] = set()

    async def late(*args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(HELD_BACK_SECONDS)
        await commit(*args, **kwargs)

    async def committed(draft: Any, intent: Any, digest: Any, *args: Any, **kwargs: Any) -> Version:
        task = asyncio.create_task(late(draft, intent, digest, *args, **kwargs))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        return Version(intent.bucket_id, intent.key, intent.version_id, datetime.now(UTC), Facts(), digest)

    return committed


def delete_on_timeout(remove: Function) -> Function:
    """A backend that does not answer is taken for one that has nothing."""

    async def removed(*args: Any) -> None:
        with contextlib.suppress(BackendError):
            await remove(*args)

    return removed


def skip_verify(_fault: Callable[..., Any]) -> Callable[..., None]:
    """Whatever bytes came, they are believed."""
    return lambda _verifier: None


def publish_without_confirm(publish: Function) -> Function:
    """What the broker did not take is marked as sent all the same."""

    async def published(relay: Any, rows: Any) -> list[None]:
        with contextlib.suppress(Unavailable):
            await publish(relay, rows)
        return [None] * len(rows)

    return published


BUGS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "ack-before-commit": ("domicile_proxy.operations.intents:commit", ack_before_commit),
    "delete-on-timeout": ("domicile_replicator.execute:Executor.remove", delete_on_timeout),
    "skip-verify": ("domicile_replicator.verify:Verifier.fault", skip_verify),
    "publish-without-confirm": ("domicile_metadata.relay:Relay.publish", publish_without_confirm),
}
"""Name → the function that is replaced, and what makes another of it."""


def main() -> None:
    name, _, module, *arguments = sys.argv[1:]
    place, make = BUGS[name]
    replace(place, make)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
