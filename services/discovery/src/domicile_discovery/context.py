"""The process context: everything that a request may use, made once in ``main`` and frozen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domicile_common.catalogue import Catalogue, load_catalogue
from domicile_discovery.metadata import MetadataApi
from domicile_discovery.relay.relay import Bounds, Relay
from domicile_discovery.settings import Settings

COMPARISONS = 1  # at once; each takes a processor for a while, and up to 200 MiB for the largest snapshots


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    catalogue: Catalogue
    metadata: MetadataApi
    relay: Relay
    comparing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(COMPARISONS))

    async def close(self) -> None:
        await self.relay.close()
        await self.metadata.close()


def make_context(settings: Settings) -> Context:
    catalogue = load_catalogue()
    bounds = Bounds(settings.relay_seconds, settings.relay_bytes, settings.relay_concurrency)
    relay = Relay(bounds, lambda: datetime.now(UTC), allowed=settings.relay_endpoints, catalogue=catalogue.endpoints())
    return Context(settings, catalogue, MetadataApi(settings.metadata_url), relay)
