"""What proxies and workers must forget, sent in the transaction that changes it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from domicile_common.events import Invalidation
from domicile_metadata.storage.database import Session
from domicile_metadata.storage.outbox import NOTIFY_CHANNEL


async def send(session: Session, events: Iterable[Invalidation]) -> None:
    for event in events:
        await session.execute("insert_invalidation", msgspec.json.encode(event).decode())
    await session.execute("notify", NOTIFY_CHANNEL, "")
