"""The parking queue of a backend, kept true: what is not parked any more leaves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final

import msgspec
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from domicile_common.amqp.broker import BROKEN, Broker, quietly
from domicile_common.amqp.topology import parking_queue
from domicile_common.errors import Unavailable
from domicile_common.events import Job

MOST: Final = 10_000  # messages that are looked at in one go
_JOB: Final = msgspec.json.Decoder(Job)


async def sift(broker: Broker, backend_id: str, parked: Callable[[Collection[Job]], Awaitable[Collection[Job]]]) -> int:
    """Removes messages about what is not ``parked``, and second ones about the same: how many. What is no job stays. Raises ``Unavailable``.

    ``parked`` answers which of some jobs are (their identities).
    """
    channel = await broker.channel()
    try:
        return await _sift(await channel.get_queue(parking_queue(backend_id), ensure=False), parked)
    except BROKEN as error:
        raise Unavailable(f"RabbitMQ is away: {type(error).__name__}") from error
    finally:
        await quietly(channel.close())  # and all that was not acknowledged is where it was


async def _sift(queue: AbstractQueue, parked: Callable[[Collection[Job]], Awaitable[Collection[Job]]]) -> int:
    held: list[tuple[AbstractIncomingMessage, Job]] = []
    looked = 0
    while looked < MOST and (message := await queue.get(fail=False)) is not None:
        looked += 1
        if job := _job(message.body):
            held.append((message, job))
    wanted = set(await parked({job for _, job in held}))
    removed = 0
    for message, job in held:
        if job in wanted:
            wanted.remove(job)
        else:
            await message.ack()
            removed += 1
    return removed


def _job(body: bytes) -> Job | None:
    try:
        return _JOB.decode(body).identity
    except msgspec.DecodeError:
        return None
