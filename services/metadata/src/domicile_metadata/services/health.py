"""How backends look to the services: the proxies say so; how jobs fail stands in the record."""

from __future__ import annotations

from typing import Final

import msgspec

from domicile_common.metadata_client.base import Empty
from domicile_common.metadata_client.health import NoteHealth
from domicile_metadata.context import Context
from domicile_metadata.storage import health
from domicile_metadata.storage.health import BackendHealth

LATELY_SECONDS: Final = 30.0  # a proxy says how it is every few


class HealthList(msgspec.Struct, frozen=True):
    backends: tuple[BackendHealth, ...]


async def note(context: Context, request: NoteHealth) -> Empty:
    distinct = {seen.backend_id: seen for seen in request.backends}
    await health.note(context.database, request.observer, distinct.values())
    return Empty()


async def show(context: Context) -> HealthList:
    return HealthList(tuple(await health.show(context.database, LATELY_SECONDS)))
