"""The stores of all registered backends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from domicile_common.backends.port import BlobStore
from domicile_common.backends.s3 import open_store
from domicile_common.model import Backend
from domicile_common.sealing import Sealer, backend_context


class Stores(Mapping[str, BlobStore]):
    """By backend id. Refreshed whenever registrations may have changed."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._stores: dict[str, BlobStore] = {}

    async def refresh(self, backends: Iterable[Backend]) -> None:
        """Takes over the registrations; unchanged ones keep their connections, replaced ones end what they are doing.

        Raises ``ConfigurationError`` when a secret cannot be unsealed; then nothing has changed.
        """
        before = self._stores
        self._stores = {backend.backend_id: self._kept(backend) or self._opened(backend) for backend in backends}
        kept = set(map(id, self._stores.values()))
        await asyncio.gather(*(store.close() for store in before.values() if id(store) not in kept))

    async def close(self) -> None:
        await self.refresh(())

    def __getitem__(self, backend_id: str) -> BlobStore:
        return self._stores[backend_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stores)

    def __len__(self) -> int:
        return len(self._stores)

    def _kept(self, backend: Backend) -> BlobStore | None:
        store = self._stores.get(backend.backend_id)
        return store if store is not None and store.backend == backend else None

    def _opened(self, backend: Backend) -> BlobStore:
        return open_store(backend, self._sealer.open(backend.sealed_secret, backend_context(backend.backend_id)))
