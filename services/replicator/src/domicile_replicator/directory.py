"""The backends as metadata lists them, each with its store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from domicile_common.backends.port import BlobStore
from domicile_common.errors import ConfigurationError
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.models import ListBackends
from domicile_common.model import Backend

log = structlog.get_logger()


class Directory:
    """``open_store``: the client of one backend; raises ``ConfigurationError`` when its secret cannot be opened."""

    def __init__(self, metadata: Metadata, open_store: Callable[[Backend], BlobStore]) -> None:
        self._metadata = metadata
        self._open_store = open_store
        self.stores: dict[str, BlobStore] = {}

    @property
    def backends(self) -> Mapping[str, Backend]:
        return {backend_id: store.backend for backend_id, store in self.stores.items()}

    async def refresh(self) -> None:
        """Asks metadata anew. A copy under way at a backend that has changed fails, and is tried again. Raises ``Unavailable``."""
        listed = {backend.backend_id: backend for backend in (await self._metadata.call(ListBackends())).backends}
        for backend_id, store in tuple(self.stores.items()):
            if listed.get(backend_id) != store.backend:
                del self.stores[backend_id]
                await store.close()
        for backend_id, backend in listed.items():
            if backend_id not in self.stores:
                self._open(backend)

    def _open(self, backend: Backend) -> None:
        try:
            self.stores[backend.backend_id] = self._open_store(backend)
        except ConfigurationError as error:  # the others can be served
            log.warning("a backend cannot be used", backend=backend.backend_id, why=str(error))

    async def ping(self) -> None:
        """Readiness: metadata answers. Raises ``Unavailable``."""
        await self._metadata.call(ListBackends())

    async def close(self) -> None:
        for store in self.stores.values():
            await store.close()
