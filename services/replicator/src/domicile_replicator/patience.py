"""Asking metadata, however long it takes to answer."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

import structlog

from domicile_common.amqp.consumer import HandBack
from domicile_common.errors import Unavailable
from domicile_common.loops import set_within, spread
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.models import Request
from domicile_common.model import Value

log = structlog.get_logger()

R = TypeVar("R", bound=Value)

FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 15.0


async def ask(metadata: Metadata, request: Request[R], stopping: asyncio.Event) -> R:
    """Metadata's answer; each pause is longer than the one before. Raises ``RequestError``, and ``HandBack`` when the process stops first."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return await metadata.call(request)
        except Unavailable as error:
            log.warning("waiting for metadata", why=str(error))
        if await set_within(stopping, spread(pause)):
            raise HandBack
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
