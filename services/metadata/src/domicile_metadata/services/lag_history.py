"""Lag over time, in as many steps as a picture has room for."""

from __future__ import annotations

import math
from typing import Annotated, Final

import msgspec

from domicile_metadata.context import Context
from domicile_metadata.storage import lag_history
from domicile_metadata.storage.lag_history import Sample

STEPS: Final = 400
MINUTE: Final = 60  # what is kept


class HistoryAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 400)] = 24
    backend: str | None = None


class History(msgspec.Struct, frozen=True):
    """The worst of each step, by time and backend; none for what nobody measured."""

    step_seconds: int
    samples: tuple[Sample, ...]


async def show(context: Context, asked: HistoryAsked) -> History:
    step = MINUTE * math.ceil(asked.hours * 3600 / STEPS / MINUTE)
    return History(step, tuple(await lag_history.list_samples(context.database, asked.hours, step, asked.backend)))
