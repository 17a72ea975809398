"""A probe of one backend (docs/adr/0036): carried out by ``backends.contract``, reported to metadata."""

from __future__ import annotations

from domicile_common.backends import contract
from domicile_common.backends.s3 import S3BlobStore
from domicile_common.errors import BackendUnavailable
from domicile_common.metadata_client.probes import NameProbe, Probe, ReportProbe
from domicile_replicator.tasks import Run


async def probe(run: Run) -> None:
    """Raises ``BackendError`` when the backend is away or refuses; then nothing is reported, and nothing changes."""
    asked = run.parameters(Probe)
    store = run.directory.stores.get(asked.backend_id)
    if not isinstance(store, S3BlobStore):
        raise BackendUnavailable(asked.backend_id, "is not in service")
    buckets = await run.ask(NameProbe(backend_id=asked.backend_id))
    backend = store.backend
    found, notes = await contract.probe(store.wire, backend.region, buckets.plain, buckets.versioned)
    await run.ask(ReportProbe(backend_id=backend.backend_id, endpoint=backend.endpoint, found=found, notes=notes))
    run.progress["can"] = sum(found.values())
    run.progress["cannot"] = len(found) - sum(found.values())
    run.progress["not_carried_out"] = len(notes)
