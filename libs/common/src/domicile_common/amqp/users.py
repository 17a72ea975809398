"""Who may do what at RabbitMQ, as data: one user a service with the least rights that it works with. Pure.

RabbitMQ asks for ``configure`` to declare (even what exists already), ``write`` to publish to an exchange, to bind a queue and to name a
dead-letter exchange, and ``read`` to consume, to bind to an exchange and to declare a queue with a dead-letter exchange.

Sources: https://www.rabbitmq.com/docs/access-control, https://www.rabbitmq.com/docs/passwords, https://www.rabbitmq.com/docs/definitions.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from domicile_common.amqp.topology import INVALIDATE, JOBS, PARKING, definitions
from domicile_common.model import Value

NOTHING: Final = "^$"
SALT_BYTES: Final = 4  # what RabbitMQ's rabbit_password_hashing_sha256 takes

# A runaway client must not take the broker's memory; far more than a large installation needs.
MOST_CONNECTIONS: Final = 1000
MOST_QUEUES: Final = 5000


class Rights(Value, frozen=True):
    """Regular expressions over names of exchanges and queues. ``tags``: what of the management UI is open to the user."""

    configure: str = NOTHING
    write: str = NOTHING
    read: str = NOTHING
    tags: tuple[str, ...] = ()


def _any_of(*patterns: str) -> str:
    return f"^({'|'.join(pattern.replace('.', chr(92) + '.') for pattern in patterns)})$"


_EXCHANGES: Final = (JOBS, PARKING, INVALIDATE)
_WORK: Final = ("replicate.[^/]+", "backfill.[^/]+")
_PARKED: Final = "parked.[^/]+"
_OWN: Final = "amq.gen-[^/]+"  # a queue that its own connection made and nobody else can use

USERS: Final[Mapping[str, Rights]] = {
    # Declares everything, publishes jobs and invalidations, takes away what is not parked any more; binding and dead-lettering want the rest.
    "metadata": Rights(
        _any_of(*_EXCHANGES, *_WORK, _PARKED), _any_of(*_EXCHANGES, *_WORK, _PARKED), _any_of(JOBS, PARKING, *_WORK, _PARKED)
    ),
    # Hears what to forget. It declares the exchanges, publishes to none, and reads no job.
    "proxy": Rights(_any_of(*_EXCHANGES, _OWN), _any_of(_OWN), _any_of(INVALIDATE, _OWN)),
    # Takes jobs, parks what it gives up, hears what to forget. It makes no job and reads nothing that was parked.
    "replicator": Rights(
        _any_of(*_EXCHANGES, *_WORK, _PARKED, _OWN), _any_of(PARKING, *_WORK, _PARKED, _OWN), _any_of(*_EXCHANGES, *_WORK, _OWN)
    ),
    # Counts messages, so that there are as many replicators as there is work.
    "keda": Rights(tags=("monitoring",)),
    # A person at the management UI.
    "operator": Rights(".*", ".*", ".*", tags=("administrator",)),
}


def password_hash(password: str, salt: bytes) -> str:
    """As RabbitMQ stores it. ``salt``: ``SALT_BYTES`` random bytes."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def whole_definitions(backends: Iterable[str], vhost: str, hashes: Mapping[str, str]) -> dict[str, object]:
    """All that a new RabbitMQ has to know: virtual host with its limits, users, exchanges, queues. ``hashes``: user → ``password_hash``."""
    limits = {"max-connections": MOST_CONNECTIONS, "max-queues": MOST_QUEUES}
    balanced = {  # with several nodes, not all queues are led by the one that a client happened to declare them at
        "name": "balanced-leaders",
        "vhost": vhost,
        "pattern": _any_of(*_WORK, _PARKED),
        "apply-to": "queues",
        "definition": {"queue-leader-locator": "balanced"},
        "priority": 0,
    }
    return {
        "vhosts": [{"name": vhost}],
        "parameters": [{"vhost": vhost, "component": "vhost-limits", "name": "limits", "value": limits}],
        "policies": [balanced],
        "users": [
            {
                "name": user,
                "password_hash": hashes[user],
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ",".join(rights.tags),
                "limits": {},
            }
            for user, rights in USERS.items()
        ],
        "permissions": [
            {"user": user, "vhost": vhost, "configure": rights.configure, "write": rights.write, "read": rights.read}
            for user, rights in USERS.items()
        ],
        **definitions(backends, vhost),
    }
