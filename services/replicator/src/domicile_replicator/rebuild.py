"""A rebuild: the record is restored from the stamps of all blobs at all backends (docs/reliability.md).

1. Which physical buckets of this installation are there (others may be on the same accounts), and whose are they? 2. Their buckets are made.
3. Every blob with a whole stamp becomes a copy of its version. Each step may be done twice; the first two are quick, and begin anew after a restart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from domicile_common.backends.port import BlobStore
from domicile_common.errors import BackendUnavailable, BlobNotFound, NamespaceNotFound
from domicile_common.metadata_client.rebuild import (
    EndRebuild,
    FindHome,
    FindPrefix,
    Found,
    Rebuild,
    RestoreBucket,
    RestoreVersions,
)
from domicile_common.metadata_client.scrub import Finding, ReportFindings
from domicile_common.model import Blob, Value
from domicile_common.namespace import is_namespace_name
from domicile_common.stamps import SIDECAR_FOLDER, Stamp, version_of_blob
from domicile_replicator.pace import Share
from domicile_replicator.stamped import read_stamp_of
from domicile_replicator.tasks import Run
from domicile_replicator.throttle import Throttle, ThrottledStore

log = structlog.get_logger()

BATCH: Final = 200  # blobs that are restored in one transaction

Place = tuple[str, str]  # backend id, physical bucket


class Position(Value, frozen=True):
    """``done``: the physical buckets that have been gone through."""

    done: tuple[Place, ...] = ()


async def rebuild(run: Run) -> None:
    """Raises ``BackendError`` when a backend is away: what is there cannot be known without it."""
    rate = run.parameters(Rebuild).requests_per_second
    stores: dict[str, BlobStore] = {}
    for backend_id, backend in sorted(run.directory.backends.items()):
        if backend.state in ("disabled", "lost"):
            continue
        throttle = Throttle(1, 1)
        throttle.adjust(Share(1, None, rate))
        stores[backend_id] = ThrottledStore(run.directory.backfill[backend_id], throttle, fresh=False)
    if not stores:
        raise BackendUnavailable("", "no backend is in service")
    rebuilder = _Rebuilder(run, stores)
    places = await rebuilder.restore_buckets()
    await rebuilder.restore_versions(places)
    await run.ask(EndRebuild())


class _Rebuilder:
    def __init__(self, run: Run, stores: dict[str, BlobStore]) -> None:
        self._run = run
        self._stores = stores

    async def restore_buckets(self) -> list[Place]:
        """Those that are somebody's, after their buckets were made."""
        prefix = (await self._run.ask(FindPrefix())).prefix
        homes: defaultdict[tuple[str, str], defaultdict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
        for backend_id, store in self._stores.items():
            for namespace in sorted(name for name in await store.list_namespaces() if is_namespace_name(prefix, name)):
                found = await self._home(backend_id, namespace)
                if found is not None:
                    home, counter = found
                    homes[home][backend_id][counter] = namespace
        places: list[Place] = []
        for (tenant_id, bucket), names in sorted(homes.items()):
            counters = {backend_id: sorted(found, reverse=True) for backend_id, found in names.items()}
            request = RestoreBucket(
                tenant_id=tenant_id,
                bucket=bucket,
                backends=tuple(names),
                counters={backend_id: found[0] for backend_id, found in counters.items()},
                earlier={backend_id: tuple(found[1:]) for backend_id, found in counters.items()},
            )
            own = [(backend_id, namespace) for backend_id, found in names.items() for namespace in found.values()]
            places += own
            made = await self._run.ask(request)
            if made.reason:
                await self._report(Blob(*own[0], ""), made.reason)
        return sorted(places)

    async def _home(self, backend_id: str, namespace: str) -> tuple[tuple[str, str], int] | None:
        """The tenant and bucket that the first stamp there names, if the name agrees; and the counter with which it does."""
        async for blob, _ in self._blobs((backend_id, namespace)):
            stamp = await self._stamp(blob)
            if stamp is not None:
                asked = FindHome(backend_id=backend_id, namespace=namespace, tenant_id=stamp.tenant_id, bucket=stamp.bucket)
                home = await self._run.ask(asked)
                if not home.reason:
                    return (stamp.tenant_id, stamp.bucket), home.counter
                await self._report(blob, home.reason)
                return None
        return None

    async def restore_versions(self, places: Sequence[Place]) -> None:
        position = self._run.cursor(Position)
        for place in places:
            if place in position.done:
                continue
            found: list[tuple[Blob, int]] = []
            async for blob, size in self._blobs(place):
                found.append((blob, size))
                if len(found) == BATCH:
                    await self._restore(place, found)
                    found = []
            await self._restore(place, found)
            position = Position((*position.done, place))
            await self._run.save(position)

    async def _blobs(self, place: Place) -> AsyncIterator[tuple[Blob, int]]:
        """With their sizes in bytes, whatever else is there."""
        at: str | None = ""
        while at is not None:
            try:
                page = await self._stores[place[0]].list_blobs(place[1], after=at)
            except NamespaceNotFound:
                return
            for key, size, _ in page.entries:
                if version_of_blob(key) and not key.startswith(f"{SIDECAR_FOLDER}/"):
                    yield Blob(*place, key), size
            at = page.next or None

    async def _stamp(self, blob: Blob) -> Stamp | None:
        try:
            return await read_stamp_of(self._stores[blob.backend_id], blob)
        except BlobNotFound:  # it went while we looked
            return None

    async def _restore(self, place: Place, found: Sequence[tuple[Blob, int]]) -> None:
        whole: dict[str, Found] = {}
        for blob, size in found:
            stamp = await self._stamp(blob)
            if stamp is None or stamp.digest is None:
                await self._report(blob, "it has no whole stamp: it may be what is left of a write that was never acknowledged")
            elif stamp.digest.size != size:
                await self._report(blob, f"it has {size} bytes, and its stamp says {stamp.digest.size}")
            else:
                whole[blob.blob_key] = Found(blob.blob_key, stamp)
        if not whole:
            return
        request = RestoreVersions(backend_id=place[0], namespace=place[1], blobs=tuple(whole.values()))
        refused = (await self._run.ask(request)).refused
        for key, reason in refused.items():
            await self._report(Blob(*place, key), reason)
        self._run.progress["copies"] += len(whole) - len(refused)

    async def _report(self, blob: Blob, why: str) -> None:
        self._run.progress["unknown"] += 1
        log.warning("not restored", blob=blob, why=why)
        finding = Finding(
            kind="unknown", blob=blob, version_id=version_of_blob(blob.blob_key) or "", detail=f"not restored: {why}"
        )
        await self._run.ask(ReportFindings(task_id=self._run.task.task_id, findings=(finding,)))
