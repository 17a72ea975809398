"""Publishing: every message is persistent, mandatory and confirmed, and its confirm is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, cast

import aiormq
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError
from aiormq import spec

from domicile_common.amqp.broker import BROKEN, Broker, quietly
from domicile_common.amqp.topology import TRACE_HEADER
from domicile_common.errors import Unavailable, Unconfirmed, Unroutable
from domicile_common.model import Value
from domicile_common.tracing import Span, SpanKind

CONFIRM_SECONDS: Final = 30.0
PERSISTENT: Final = 2


class Message(Value, frozen=True, kw_only=True):
    """``body``: JSON. ``trace``: W3C traceparent. ``mandatory``: a message that no queue takes is an error (for a fan-out it is not)."""

    exchange: str
    routing_key: str = ""
    body: bytes
    trace: str = ""
    headers: dict[str, str] = {}
    mandatory: bool = True


class Publisher:
    """Publishes on one channel, which is opened when first needed and again after a loss."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._opening = asyncio.Lock()
        self._channel: AbstractChannel | None = None

    async def publish(self, message: Message) -> None:
        """Returns when the broker has the message on disk. Raises ``Unroutable`` or ``Unavailable``."""
        (failure,) = await self.publish_all((message,))
        if failure is not None:
            raise failure

    async def publish_all(self, messages: Sequence[Message], seconds: float = CONFIRM_SECONDS) -> list[Unavailable | None]:
        """Publishes all at once and waits so long for every confirm: what became of each message, ``None`` when the broker has it.

        After ``Unavailable`` the broker may or may not have it: publish again, consumers know duplicates.
        """
        try:
            channel = await self._open()
        except Unavailable as error:
            return [error] * len(messages)
        return await asyncio.gather(*(_publish(channel, message, seconds) for message in messages))

    async def close(self) -> None:
        if self._channel is not None:
            await quietly(self._channel.close())

    async def _open(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._broker.channel()
            return self._channel


async def _publish(channel: AbstractChannel, message: Message, seconds: float) -> Unavailable | None:
    with Span(f"publish {message.exchange}", SpanKind.PRODUCER, parent=message.trace) as span:
        span.note({"messaging.system": "rabbitmq", "messaging.rabbitmq.destination.routing_key": message.routing_key})
        outcome = await _confirmed(channel, message, seconds, span.trace if message.trace else "")
        if outcome is not None:
            span.fail(type(outcome).__name__)
        return outcome


async def _confirmed(channel: AbstractChannel, message: Message, seconds: float, trace: str) -> Unavailable | None:
    traced = {**message.headers, TRACE_HEADER: trace} if trace else message.headers
    properties = spec.Basic.Properties(
        content_type="application/json", delivery_mode=PERSISTENT, headers=dict(traced), timestamp=datetime.now(UTC)
    )
    try:
        confirming = cast("aiormq.Channel", await channel.get_underlay_channel())  # the abstract class lacks `wait`
        await confirming.basic_publish(
            message.body,
            exchange=message.exchange,
            routing_key=message.routing_key,
            properties=properties,
            mandatory=message.mandatory,
            timeout=seconds,
            wait=False,  # the confirm is waited for, so waiting for the socket as well would only halve the throughput
        )
    except (PublishError, ChannelNotFoundEntity):
        return Unroutable(f"no queue takes {message.exchange!r} {message.routing_key!r}")
    except DeliveryError:
        return Unconfirmed(f"RabbitMQ refused a message for {message.routing_key!r}")
    except TimeoutError:
        return Unconfirmed(f"RabbitMQ did not confirm a message for {message.routing_key!r}")
    except BROKEN as error:
        return Unavailable(f"RabbitMQ is away: {type(error).__name__}")
    return None
