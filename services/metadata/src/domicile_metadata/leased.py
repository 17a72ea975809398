"""Periodic work that runs in one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Awaitable, Callable

from domicile_common.errors import Unavailable
from domicile_common.loops import repeat
from domicile_metadata.storage import leases
from domicile_metadata.storage.database import Database


async def run_leased(
    database: Database, lease: str, every_seconds: Callable[[], float], step: Callable[[], Awaitable[bool]]
) -> None:
    """Runs ``step`` every so many seconds, as they are at the moment, until it is cancelled, while this process holds the lease.

    ``step`` answers whether there is more to do at once. It must be safe to run twice at a time: a process that was suspended may
    find out late that its lease has expired.
    """
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def session() -> None:
        while True:
            more = await leases.take(database, lease, holder, 3 * every_seconds() + 10) and await step()
            if not more:
                await asyncio.sleep(every_seconds())

    try:
        await repeat(session, asyncio.Event(), lease)
    finally:
        with contextlib.suppress(Unavailable):  # then it expires
            await leases.release(database, lease, holder)
