"""Tells metadata how the backends look from here, for the operators' eyes, and which copies were not what they should be, to be made anew."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import Final

from domicile_common.errors import RequestError, Unavailable
from domicile_common.loops import set_within
from domicile_common.metadata_client.health import DoubtCopies, NoteHealth
from domicile_proxy.context import Context

SECONDS: Final = 5.0


async def keep_reporting(context: Context, stop: asyncio.Event) -> None:
    observer = secrets.token_hex(8)
    while not await set_within(stop, SECONDS):
        await report(context, observer)


async def report(context: Context, observer: str) -> None:
    with suppress(Unavailable, RequestError):  # then the next one says it
        await context.metadata.call(NoteHealth(observer=observer, backends=context.health.seen()))
        if doubts := context.health.untold():
            await context.metadata.call(DoubtCopies(doubts=doubts))
            context.health.told(doubts)
