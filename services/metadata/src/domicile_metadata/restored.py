"""``python -m domicile_metadata restored``: says that the record comes from a backup, so that what happened since is found again and not undone.

Without that it would not be served: its sweeper would remove the bytes of writes that were under way at the backup and were acknowledged afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from domicile_common.errors import ConfigurationError
from domicile_metadata.domain.ids import RANDOM_BYTES, uuid7
from domicile_metadata.storage import restored
from domicile_metadata.storage.database import Database

REFUSAL = (
    "DATABASE_URL: this record was served from another database before. If it was restored from a backup, run"
    " `python -m domicile_metadata restored`; if it was moved while nothing was running, `python -m domicile_metadata moved`"
)


async def check_home(database: Database) -> None:
    """Raises ``ConfigurationError`` for a record that comes from elsewhere; else this is where it lives."""
    if await restored.is_away_from_home(database):
        raise ConfigurationError(REFUSAL)
    await restored.settle(database)


async def accept(database: Database, *, is_whole: bool) -> Mapping[str, int]:
    """``is_whole``: nothing has happened since the backup. Otherwise: how much is doubted, and a rebuild begins."""
    async with database.transaction() as session:
        await restored.settle(session)
        if is_whole:
            return {}
        return await restored.doubt(session, uuid7(datetime.now(UTC), os.urandom(RANDOM_BYTES)))
