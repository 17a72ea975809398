"""The process context: everything that a request may use, made once in ``main`` and frozen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domicile_common.backends.http1 import Tls, default_tls
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


def bounds(settings: Settings) -> Bounds:
    return Bounds(settings.relay_seconds, settings.relay_bytes, settings.relay_concurrency, settings.relay_share)


def make_context(settings: Settings, to_metadata: Tls = default_tls, to_endpoints: Tls | None = None) -> Context:
    """``to_metadata``, ``to_endpoints``: how they are met at https URLs."""
    catalogue = load_catalogue()
    relay = Relay(
        bounds(settings),
        lambda: datetime.now(UTC),
        allowed=settings.relay_endpoints,
        catalogue=catalogue.endpoints(),
        tls=to_endpoints,
    )
    return Context(settings, catalogue, MetadataApi(settings.metadata_url, to_metadata), relay)
