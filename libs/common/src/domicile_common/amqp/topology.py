"""Every exchange and queue of Domicile as data; declared by whoever connects first, and exported as RabbitMQ definitions. Pure.

::

    relay ──jobs──▶ domicile.jobs ──<backend>───────────▶ replicate.<backend> ──▶ replicators
                             └──────backfill.<backend>──▶ backfill.<backend> ───▶ replicators, as far as fresh writes leave room
                                                      │ delivered DELIVERY_LIMIT times without an answer
    replicator ──reason in headers──▶ domicile.parking ──<backend>──▶ parked.<backend> ──▶ an operator
    relay ──▶ domicile.invalidate ──▶ one exclusive queue for each proxy and replicator

Jobs are hints: PostgreSQL knows what is owed, so the parking queues may forget their oldest messages rather than fill a disk.

Sources: https://www.rabbitmq.com/docs/quorum-queues, https://www.rabbitmq.com/docs/definitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from domicile_common.model import Value

JOBS: Final = "domicile.jobs"
PARKING: Final = "domicile.parking"
INVALIDATE: Final = "domicile.invalidate"

# A worker that dies returns everything it had in hand, so neighbours of a job that kills workers are counted too: the limit leaves them room.
DELIVERY_LIMIT: Final = 20
PARKED_LENGTH: Final = 100_000

REASON_HEADER: Final = "x-domicile-reason"
TRACE_HEADER: Final = "traceparent"


class Exchange(Value, frozen=True):
    """``kind``: ``direct`` or ``fanout``. All exchanges are durable."""

    name: str
    kind: str


class Queue(Value, frozen=True):
    """A durable quorum queue, bound once."""

    name: str
    exchange: str
    routing_key: str
    arguments: Mapping[str, str | int]


class Topology(Value, frozen=True):
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]


def work_queue(backend_id: str) -> str:
    return f"replicate.{backend_id}"


def backfill_queue(backend_id: str) -> str:
    return f"backfill.{backend_id}"


def backfill_key(backend_id: str) -> str:
    """The routing key of what need not be done at once; a backend id has no dot, so it is nobody else's."""
    return f"backfill.{backend_id}"


def parking_queue(backend_id: str) -> str:
    return f"parked.{backend_id}"


def topology(backends: Iterable[str]) -> Topology:
    """What must exist so that jobs for these backend ids find their way; the routing keys of fresh and of parked ones are the backend id."""
    exchanges = (Exchange(JOBS, "direct"), Exchange(PARKING, "direct"), Exchange(INVALIDATE, "fanout"))
    queues = tuple(queue for backend_id in sorted(set(backends)) for queue in _queues(backend_id))
    return Topology(exchanges, queues)


def _queues(backend_id: str) -> tuple[Queue, ...]:
    return (
        _work(backend_id, work_queue(backend_id), backend_id),
        _work(backend_id, backfill_queue(backend_id), backfill_key(backend_id)),
        _parked(backend_id),
    )


def _work(backend_id: str, name: str, routing_key: str) -> Queue:
    """At-least-once dead-lettering needs ``reject-publish``, which has no other effect on a queue without a length."""
    arguments: dict[str, str | int] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": PARKING,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    if routing_key != backend_id:
        arguments["x-dead-letter-routing-key"] = backend_id
    return Queue(name, JOBS, routing_key, arguments)


def _parked(backend_id: str) -> Queue:
    arguments: dict[str, str | int] = {"x-queue-type": "quorum", "x-max-length": PARKED_LENGTH, "x-overflow": "drop-head"}
    return Queue(parking_queue(backend_id), PARKING, backend_id, arguments)


def definitions(backends: Iterable[str], vhost: str = "/") -> dict[str, list[dict[str, object]]]:
    """The topology as RabbitMQ imports it (``load_definitions``, ``rabbitmqctl import_definitions`` or the management UI)."""
    wanted = topology(backends)
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.kind,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for exchange in wanted.exchanges
        ],
        "queues": [
            {"name": queue.name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": dict(queue.arguments)}
            for queue in wanted.queues
        ],
        "bindings": [
            {
                "source": queue.exchange,
                "vhost": vhost,
                "destination": queue.name,
                "destination_type": "queue",
                "routing_key": queue.routing_key,
                "arguments": {},
            }
            for queue in wanted.queues
        ],
    }
