"""Waiting until a version has reached so many verified copies, or certain countries."""

from __future__ import annotations

import msgspec

from domicile_common.errors import RequestError
from domicile_common.waiting import Demand
from domicile_metadata.context import Context
from domicile_metadata.domain.ids import is_id
from domicile_metadata.services.placement import no_such_version
from domicile_metadata.storage import placement


class Waited(msgspec.Struct, frozen=True):
    """``backends``, ``countries``: where verified copies are, whether that is ``reached`` or not."""

    reached: bool
    bucket_id: str
    version_id: str
    backends: tuple[str, ...]
    countries: tuple[str, ...]


async def wait(context: Context, where: tuple[str, str, str], version_id: str | None, demand: Demand) -> Waited:
    """``where``: tenant id, bucket, key. ``version_id``: ``None`` for the current one.

    Raises ``NoSuchKey``, also for an unknown tenant or bucket; ``NoSuchVersion``, also when it is removed meanwhile; ``Unavailable``.
    """
    if version_id is not None and not is_id(version_id):
        raise no_such_version()
    place = await placement.find_version_id(context.database, *where, version_id)
    if place is None:
        raise RequestError("NoSuchKey", "There is no such object.") if version_id is None else no_such_version()
    reached = await context.watch.wait(place, demand)
    if reached is None:
        raise no_such_version()
    return Waited(demand.is_met_by(reached), *place, reached.backends, reached.countries)
