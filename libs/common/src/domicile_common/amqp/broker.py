"""One connection to RabbitMQ, opened when first needed and again after a loss.

aio-pika's own "robust" objects are not used: they restore consumers behind the caller's back, so that nobody would learn
that messages may have been missed, and they know nothing of a topology that has to be declared again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, ChannelPreconditionFailed
from pamqp.exceptions import PAMQPException

from domicile_common.amqp.topology import Topology
from domicile_common.backends.http1 import Tls
from domicile_common.errors import ConfigurationError, Unavailable
from domicile_common.model import Value

log = structlog.get_logger()

CONNECT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 20

# RuntimeError is how aio-pika says that a connection or channel was closed in the meantime, and StopAsyncIteration how aiormq says that
# the broker went while it was being greeted.
BROKEN: Final = (AMQPError, PAMQPException, OSError, RuntimeError, StopAsyncIteration)


class QueueState(Value, frozen=True):
    """``messages``: that nobody has in hand. ``consumers``: of all processes."""

    messages: int = 0
    consumers: int = 0


class Broker:
    """RabbitMQ as one process sees it. ``url``: or what gives it, asked for each connection. ``tls``: how it is met at an amqps URL.

    ``name``, with host and process, shows in the management UI: of connections and as consumer tags.
    """

    def __init__(self, url: str | Callable[[], str], name: str, tls: Tls | None = None) -> None:
        self._url = url
        self._tls = tls
        self.name = f"{name}@{socket.gethostname()}:{os.getpid()}"
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None

    async def channel(self, prefetch: int = 0) -> AbstractChannel:
        """A new channel with publisher confirms; a returned message raises. Raises ``Unavailable``."""
        try:
            connection = await self._connect()
            async with asyncio.timeout(CONNECT_SECONDS):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                if prefetch:
                    await channel.set_qos(prefetch_count=prefetch)
                return channel
        except BROKEN as error:
            raise Unavailable(f"RabbitMQ is away: {type(error).__name__}") from error

    async def declare(self, wanted: Topology) -> None:
        """Makes sure that the exchanges, queues and bindings exist.

        Raises ``Unavailable``, and ``ConfigurationError`` when one exists with other properties (RabbitMQ cannot change them).
        """
        channel = await self.channel()
        try:
            for exchange in wanted.exchanges:
                await channel.declare_exchange(exchange.name, exchange.kind, durable=True)
            for queue in wanted.queues:
                declared = await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
                await declared.bind(queue.exchange, queue.routing_key)
        except ChannelPreconditionFailed as error:
            raise ConfigurationError(f"RabbitMQ holds a queue or exchange with other properties: {error}") from error
        except BROKEN as error:
            raise Unavailable(f"RabbitMQ is away: {type(error).__name__}") from error
        finally:
            await quietly(channel.close())

    async def look(self, queue: str) -> QueueState:
        """How a queue is doing; one that does not exist is empty. Raises ``Unavailable``."""
        channel = await self.channel()
        try:
            found = (await channel.declare_queue(queue, passive=True)).declaration_result
            return QueueState(found.message_count or 0, found.consumer_count or 0)
        except ChannelNotFoundEntity:
            return QueueState()
        except BROKEN as error:
            raise Unavailable(f"RabbitMQ is away: {type(error).__name__}") from error
        finally:
            await quietly(channel.close())

    async def remove(self, queue: str) -> None:
        """With what is in it. Raises ``Unavailable``."""
        channel = await self.channel()
        try:
            await channel.queue_delete(queue)
        except BROKEN as error:
            raise Unavailable(f"RabbitMQ is away: {type(error).__name__}") from error
        finally:
            await quietly(channel.close())

    async def ping(self) -> None:
        """Readiness: a channel can be opened. Raises ``Unavailable``."""
        channel = await self.channel()
        await quietly(channel.close())

    async def close(self) -> None:
        if self._connection is not None:
            await quietly(self._connection.close())

    async def _connect(self) -> AbstractConnection:
        async with self._opening:
            # ``is_closed`` tells only whether we have closed it.
            if self._connection is None or not self._connection.connected.is_set():
                self._connection = await aio_pika.connect(
                    self._url if isinstance(self._url, str) else self._url(),
                    ssl_context=self._tls() if self._tls else None,
                    timeout=CONNECT_SECONDS,
                    client_properties={"connection_name": self.name},
                    heartbeat=HEARTBEAT_SECONDS,
                )
            return self._connection


async def quietly(closing: Awaitable[object]) -> None:
    """Closes something that may be broken already, without waiting for a broker that does not answer."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await closing
    except BROKEN as error:
        log.debug("closing what was broken", why=type(error).__name__)
