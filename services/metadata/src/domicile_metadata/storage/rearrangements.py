"""How much there is to rearrange, and how far it has got."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

from domicile_common.model import Value
from domicile_metadata.domain.preview import Alike
from domicile_metadata.storage.database import Statements
from domicile_metadata.storage.rearrange import copies_of

BEFORE_ALL: Final = UUID(int=0).hex
PAGE: Final = 20_000  # versions that one statement counts


class Rearrangement(Value, frozen=True):
    """``waiting``: versions whose surplus copies wait for others to be verified, and writes that had begun before."""

    tenant_id: str
    bucket: str
    cause: str
    requested_at: datetime
    finished_at: datetime | None
    compared: int
    changed: int
    waiting: int


class Refusal(Value, frozen=True):
    """``example``: the version id of one of these objects."""

    tenant_id: str
    bucket: str
    reason: str
    objects: int
    example: str


async def bucket_ids(statements: Statements, tenant_id: str | None, bucket: str | None) -> list[str]:
    """Of one bucket, of a tenant, or of everybody (both ``None``)."""
    return [row["bucket_id"].hex for row in await statements.fetch("list_bucket_ids", tenant_id, bucket)]


async def count(statements: Statements, bucket_id: str) -> AsyncIterator[Alike]:
    """All versions of a bucket, those alike counted together, page by page."""
    after = BEFORE_ALL
    while end := await statements.value("find_page_end", bucket_id, after, PAGE):
        for row in await statements.fetch("count_arrangements", bucket_id, after, end):
            yield Alike(row["storage_class"], row["copies_asked_for"], copies_of(row["copies"]), row["objects"], row["bytes"])
        after = end


async def list_page(
    statements: Statements, tenant_id: str | None, bucket: str | None, limit: int, *, unfinished: bool
) -> list[Rearrangement]:
    return [Rearrangement(*row) for row in await statements.fetch("list_rearrangements", tenant_id, bucket, unfinished, limit)]


async def refusals(statements: Statements, tenant_id: str | None, bucket: str | None) -> list[Refusal]:
    rows = await statements.fetch("count_refusals", tenant_id, bucket)
    return [Refusal(row["tenant_id"], row["bucket"], row["reason"], row["objects"], row["example"].hex) for row in rows]
