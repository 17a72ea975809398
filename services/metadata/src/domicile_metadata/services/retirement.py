"""Physical buckets of logical ones that are gone: taken out of use for good, so that a worker may remove them (docs/adr/0052)."""

from __future__ import annotations

from domicile_common.metadata_client.base import Empty
from domicile_common.metadata_client.retirement import NoteRemoved, Retire, Retired
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import RANDOM_BYTES, uuid7
from domicile_metadata.storage import retirement


async def retire(context: Context, asked: Retire) -> Retired:
    """All or nothing of it: no bucket of that name is there or being made, and no blob of an earlier one is still owed its removal."""
    placeholder = uuid7(context.clock(), context.entropy(RANDOM_BYTES))
    async with context.database.transaction() as session:
        known = await retirement.find(session, asked.backend_id, asked.namespace)
        if known is None or known.is_retired:
            return Retired(is_free=known is not None)
        if not await retirement.hold_name(session, placeholder, known.tenant_id, known.bucket):
            return Retired(is_free=False)
        if await retirement.is_owed(session, known.tenant_id, known.bucket, asked.backend_id):
            return Retired(is_free=False)
        await retirement.retire(session, asked.backend_id, asked.namespace)
    return Retired(is_free=True)


async def note_removed(context: Context, removed: NoteRemoved) -> Empty:
    await retirement.note_removed(context.database, removed.backend_id, removed.namespace)
    return Empty()
