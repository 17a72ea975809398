"""What the proxy remembers of metadata: access keys, buckets and backends, each for a short time.

Every entry is forgotten when the fan-out exchange says so, and after ``ttl`` seconds in any case, so that a lost message delays a
change and never hides it. Objects are not remembered at all. A key that is not known is remembered for a moment, so that guessing
keys does not reach metadata; a bucket that is not there is not, so that every proxy sees a new bucket at once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from domicile_common.backends.port import BlobStore
from domicile_common.bucket_settings import CorsRule
from domicile_common.errors import BackendUnavailable, RequestError
from domicile_common.events import Invalidation
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.models import FindBucket, FindCors, FindCredential, ListBackends
from domicile_common.model import Backend, Bucket, Credential

CREDENTIALS_KEPT = 10_000
BUCKETS_KEPT = 10_000
UNKNOWN_KEY_SECONDS = 2.0

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V | RequestError
    expires: float


class Cache(Generic[K, V]):
    """Values by key, the least used thrown out first; concurrent misses of one key share one load.

    ``ttl``/``refusal_ttl``: seconds that a value or a ``RequestError`` of ``load`` is kept; other errors never are.
    """

    def __init__(
        self, load: Callable[[K], Awaitable[V]], clock: Callable[[], float], *, limit: int, ttl: float, refusal_ttl: float = 0.0
    ) -> None:
        self._load = load
        self._clock = clock
        self._limit = limit
        self.ttl = ttl
        self._refusal_ttl = refusal_ttl
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._loads: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        entry = self._entries.get(key)
        if entry is None or entry.expires <= self._clock():
            return await self._join(key)
        self._entries.move_to_end(key)
        if isinstance(entry.value, RequestError):
            raise entry.value.with_traceback(None)
        return entry.value

    def forget(self, key: K) -> None:
        """Also a load that is under way: it may have read what was true before."""
        self._entries.pop(key, None)
        self._loads.pop(key, None)

    def forget_if(self, matches: Callable[[K, V], bool]) -> None:
        self._loads.clear()
        for key, entry in tuple(self._entries.items()):
            if isinstance(entry.value, RequestError) or matches(key, entry.value):
                del self._entries[key]

    async def _join(self, key: K) -> V:
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = asyncio.ensure_future(self._fill(key))
            load.add_done_callback(_take_exception)
        return await asyncio.shield(load)  # one waiter's cancellation does not fail the others

    async def _fill(self, key: K) -> V:
        mine = asyncio.current_task()
        try:
            value = await self._load(key)
        except RequestError as refusal:
            if self._loads.get(key) is mine and self._refusal_ttl:
                self._store(key, _Entry(refusal, self._clock() + self._refusal_ttl))
            raise
        else:
            if self._loads.get(key) is mine:
                self._store(key, _Entry(value, self._clock() + self.ttl))
            return value
        finally:
            if self._loads.get(key) is mine:
                del self._loads[key]

    def _store(self, key: K, entry: _Entry[V]) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)


def _always(_key: object, _value: object) -> bool:
    return True


def _take_exception(load: asyncio.Task[V]) -> None:
    """A load whose waiters have all gone is nobody's unhandled error."""
    if not load.cancelled():
        load.exception()


@dataclass(frozen=True, slots=True)
class KnownCredential:
    """A credential with its secret opened."""

    credential: Credential
    secret: str = field(repr=False)

    def usable(self, now: datetime) -> Credential:
        """Raises ``RequestError`` InvalidAccessKeyId for one that is disabled or has expired, as for one that never was."""
        credential, tenant = self.credential, self.credential.tenant
        if credential.state != "active" or tenant.state != "active" or (credential.expires_at or now) < now:
            raise RequestError("InvalidAccessKeyId")
        return credential


class Directory:
    """``open_secret``: unseals a credential's secret; ``open_store``: the client of one backend; ``clock``: monotonic seconds."""

    def __init__(
        self,
        metadata: Metadata,
        open_secret: Callable[[Credential], str],
        open_store: Callable[[Backend], BlobStore],
        clock: Callable[[], float],
        ttl: float,
    ) -> None:
        self._metadata = metadata
        self._open_secret = open_secret
        self._open_store = open_store
        self._stores: dict[str, BlobStore] = {}
        self._outdated = False
        self._retired: set[asyncio.Task[None]] = set()
        self._credentials: Cache[str, KnownCredential] = Cache(
            self._find_credential, clock, limit=CREDENTIALS_KEPT, ttl=ttl, refusal_ttl=UNKNOWN_KEY_SECONDS
        )
        self._buckets: Cache[tuple[str, str], Bucket] = Cache(self._find_bucket, clock, limit=BUCKETS_KEPT, ttl=ttl)
        self._cors: Cache[str, tuple[CorsRule, ...]] = Cache(self._find_cors, clock, limit=BUCKETS_KEPT, ttl=ttl)
        self._backends: Cache[None, dict[str, BlobStore]] = Cache(self._list_backends, clock, limit=1, ttl=ttl)

    async def credential(self, access_key: str) -> KnownCredential:
        """Raises ``RequestError`` ``InvalidAccessKeyId`` for one that metadata does not know; see ``KnownCredential.usable``."""
        return await self._credentials.get(access_key)

    async def bucket(self, tenant_id: str, name: str) -> Bucket:
        """What this tenant (``""``: somebody without a key) means by the name; it may be another tenant's bucket.

        Raises ``RequestError`` ``NoSuchBucket`` for whatever this tenant may not know of.
        """
        return await self._buckets.get((tenant_id, name))

    async def cors(self, name: str) -> tuple[CorsRule, ...]:
        """The rules of every bucket of this name, whoever's."""
        return await self._cors.get(name)

    async def store(self, backend_id: str) -> BlobStore:
        """Raises ``BackendUnavailable`` for one that metadata does not know (any more)."""
        stores = await self._backends.get(None)
        if backend_id not in stores:  # registered a moment ago
            self._backends.forget(None)
            stores = await self._backends.get(None)
        if backend_id not in stores:
            raise BackendUnavailable(backend_id, "is not registered")
        return stores[backend_id]

    def forget_bucket(self, name: str) -> None:
        """Whatever anybody means by the name: what one tenant changes may decide what another one sees."""
        self._buckets.forget_if(lambda key, _: key[1] == name)
        self._cors.forget(name)

    def forget(self, about: Invalidation) -> None:
        """What the invalidation listener calls for each message."""
        match about.kind:
            case "credential":
                self._credentials.forget(about.id)
            case "tenant":
                self._credentials.forget_if(lambda _, known: known.credential.tenant.tenant_id == about.id)
                self._buckets.forget_if(lambda _, bucket: bucket.tenant_id == about.id)
            case "bucket":
                self.forget_bucket(about.id.partition("/")[2])
            case "backend":  # a bucket's namespaces name every allowed backend
                self._backends.forget(None)
                self._buckets.forget_if(_always)

    def forget_everything(self) -> None:
        """What the listener calls when it may have missed a message."""
        self._credentials.forget_if(_always)
        self._buckets.forget_if(_always)
        self._cors.forget_if(_always)
        self._backends.forget_if(_always)

    def reopen(self, ttl: float) -> None:
        """Entries live ``ttl`` seconds from now on; stores are opened anew, and the old ones close when their requests have ended."""
        for cache in (self._credentials, self._buckets, self._cors, self._backends):
            cache.ttl = ttl
        self._outdated = True
        self._backends.forget(None)

    async def close(self) -> None:
        for store in self._stores.values():
            await store.close()

    async def _find_credential(self, access_key: str) -> KnownCredential:
        credential = await self._metadata.call(FindCredential(access_key=access_key))
        return KnownCredential(credential, self._open_secret(credential))

    async def _find_bucket(self, key: tuple[str, str]) -> Bucket:
        return await self._metadata.call(FindBucket(tenant_id=key[0], name=key[1]))

    async def _find_cors(self, name: str) -> tuple[CorsRule, ...]:
        return (await self._metadata.call(FindCors(name=name))).rules

    async def _list_backends(self, _: None) -> dict[str, BlobStore]:
        listed = (await self._metadata.call(ListBackends())).backends
        before, keep = self._stores, not self._outdated
        self._outdated = False
        self._stores = {
            backend.backend_id: kept
            if keep and (kept := before.get(backend.backend_id)) and kept.backend == backend
            else self._open_store(backend)
            for backend in listed
        }
        for backend_id, store in before.items():
            if self._stores.get(backend_id) is not store:
                retire = asyncio.ensure_future(store.close())
                self._retired.add(retire)
                retire.add_done_callback(self._retired.discard)
        return self._stores
