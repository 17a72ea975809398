"""The backends as metadata lists them, each with its store, and how fast one may go there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import structlog

from domicile_common.backends.port import BlobStore
from domicile_common.errors import BackendUnavailable, ConfigurationError
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.models import ListBackends
from domicile_common.model import Backend
from domicile_replicator.pace import share
from domicile_replicator.throttle import Throttle, ThrottledStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What this process may do at each backend, whatever the backend's own limits are.

    ``jobs`` at a time; ``bytes_in_flight`` of all copies to it, of which one counts ``multipart_bytes`` at most.
    """

    multipart_bytes: int
    bytes_in_flight: int
    jobs: int = 32


class Directory:
    """``open_store``: the client of one backend; raises ``ConfigurationError`` when its secret cannot be opened.

    ``fresh`` and ``backfill``: the same stores, throttled; by backend id, always those of now.
    """

    def __init__(self, metadata: Metadata, open_store: Callable[[Backend], BlobStore], limits: Limits) -> None:
        self._metadata = metadata
        self._open_store = open_store
        self._limits = limits
        self._backends: dict[str, Backend] = {}
        self._workers: dict[str, int] = {}
        self.stores: dict[str, BlobStore] = {}
        self.unusable: list[str] = []
        self._throttles: dict[str, Throttle] = {}
        self.fresh: dict[str, BlobStore] = {}
        self.backfill: dict[str, BlobStore] = {}

    @property
    def backends(self) -> Mapping[str, Backend]:
        return self._backends

    async def refresh(self) -> None:
        """Asks metadata anew. A copy under way at a backend that is reached otherwise now fails, and is tried again. Raises ``Unavailable``."""
        listed = {backend.backend_id: backend for backend in (await self._metadata.call(ListBackends())).backends}
        for backend_id, store in tuple(self.stores.items()):
            if backend_id not in listed or _reached(listed[backend_id]) != _reached(store.backend):
                for each in (self.stores, self.fresh, self.backfill, self._backends):
                    del each[backend_id]
                await store.close()
        for backend_id, backend in listed.items():
            if backend_id not in self.stores:
                self._open(backend)
            if backend_id in self.stores:
                self._backends[backend_id] = backend
                self._adjust(backend_id)
        self.unusable = [backend_id for backend_id in listed if backend_id not in self.stores]

    def throttle(self, backend_id: str) -> Throttle:
        """The same for ever, also when the store is another."""
        if backend_id not in self._throttles:
            self._throttles[backend_id] = Throttle(self._limits.bytes_in_flight, self._limits.multipart_bytes)
        return self._throttles[backend_id]

    def limit(self, limits: Limits) -> None:
        """From now on."""
        self._limits = limits
        for backend_id, throttle in self._throttles.items():
            throttle.allow(limits.bytes_in_flight)
            if backend_id in self._backends:
                self._adjust(backend_id)

    def shared_by(self, backend_id: str, workers: int) -> None:
        """So many processes take jobs for a backend."""
        self._workers[backend_id] = workers
        if backend_id in self._backends:
            self._adjust(backend_id)

    def store(self, backend_id: str) -> BlobStore:
        """For work that others may go before. Raises ``BackendUnavailable`` when it is not registered, or cannot be used."""
        store = self.backfill.get(backend_id)
        if store is None:
            raise BackendUnavailable(backend_id, "is not in service")
        return store

    def open(self, backend: Backend) -> BlobStore:
        """The client of a place that is not registered. Raises ``ConfigurationError``. Whoever opens it closes it."""
        return self._open_store(backend)

    def _open(self, backend: Backend) -> None:
        try:
            store = self._open_store(backend)
        except ConfigurationError as error:  # the others can be served
            log.warning("a backend cannot be used", backend=backend.backend_id, why=str(error))
            return
        name = backend.backend_id
        throttle = self.throttle(name)
        self.stores[name] = store
        self.fresh[name] = ThrottledStore(store, throttle, fresh=True)
        self.backfill[name] = ThrottledStore(store, throttle, fresh=False)

    def _adjust(self, backend_id: str) -> None:
        workers = self._workers.get(backend_id, 1)
        self.throttle(backend_id).adjust(share(self._backends[backend_id], workers, self._limits.jobs))

    async def ping(self) -> None:
        """Readiness: metadata answers. Raises ``Unavailable``."""
        await self._metadata.call(ListBackends())

    async def close(self) -> None:
        for store in self.stores.values():
            await store.close()


def _reached(backend: Backend) -> Backend:
    """A backend as far as its store knows it."""
    return msgspec.structs.replace(
        backend, state="active", cost=0, paused=False, job_limit=None, bytes_per_second=None, requests_per_second=None
    )
