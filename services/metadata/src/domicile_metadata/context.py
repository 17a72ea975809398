"""The process context: everything that a call may use, made once in ``main`` and frozen."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domicile_common.copy_watch import CopyWatch, Place
from domicile_common.metadata_client.models import Copy
from domicile_common.sealing import Sealer
from domicile_common.tls import Caller
from domicile_metadata.domain.lag import RecentCopies
from domicile_metadata.settings import Settings
from domicile_metadata.storage.database import Database
from domicile_metadata.storage.placement import find_placements


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """``clock``: the time in UTC. ``entropy``: so many random bytes. Both are replaced in tests. ``watch``: operators that wait for copies.

    ``recent_copies``: how long they took. ``tls``: how RabbitMQ is met at an amqps URL. ``faults``: what the process itself has to complain of.
    """

    settings: Settings
    database: Database
    sealer: Sealer
    tls: Caller | None = None
    clock: Callable[[], datetime] = field(default=utc_now)
    entropy: Callable[[int], bytes] = field(default=os.urandom)
    watch: CopyWatch = field(init=False)
    faults: Callable[[], Sequence[str]] = field(default=list)
    recent_copies: RecentCopies = field(default_factory=RecentCopies)

    def __post_init__(self) -> None:
        object.__setattr__(self, "watch", CopyWatch(self._copies))

    async def _copies(self, places: Sequence[Place]) -> Sequence[Sequence[Copy] | None]:
        found = await find_placements(self.database, places)
        return [None if placement is None else placement.copies for placement in found]
