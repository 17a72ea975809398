"""What travels over RabbitMQ: ids only, never bytes, keys or credentials. Pure."""

from __future__ import annotations

from typing import Literal

from domicile_common.model import Value


class Job(Value, frozen=True):
    """Bring this replica to what it should be. ``trace``: W3C traceparent of the request that owes it (also an AMQP header)."""

    bucket_id: str
    version_id: str
    backend_id: str
    trace: str = ""


class Invalidation(Value, frozen=True):
    """Forget what you cached about this. ``id``: access key, tenant id, ``<tenant id>/<bucket name>`` or backend id."""

    kind: Literal["credential", "tenant", "bucket", "backend"]
    id: str
