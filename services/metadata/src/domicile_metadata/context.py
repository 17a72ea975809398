"""The process context: everything that a call may use, made once in ``main`` and frozen."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domicile_common.sealing import Sealer
from domicile_metadata.settings import Settings
from domicile_metadata.storage.database import Database


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """``clock``: the time in UTC. ``entropy``: so many random bytes. Both are replaced in tests."""

    settings: Settings
    database: Database
    sealer: Sealer
    clock: Callable[[], datetime] = field(default=utc_now)
    entropy: Callable[[int], bytes] = field(default=os.urandom)
