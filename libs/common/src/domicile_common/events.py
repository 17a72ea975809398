"""What travels over RabbitMQ: ids only, never bytes, keys or credentials. Pure."""

from __future__ import annotations

from typing import Literal

from domicile_common.model import Value


class Job(Value, frozen=True):
    """Bring this replica to what it should be. ``trace``: W3C traceparent of what owes it; the AMQP header has that of the message itself.

    ``attempt``: how often it failed before; ``since``: from when on it has been owed (RFC 3339). Both as it was when it was enqueued, for people.
    """

    bucket_id: str
    version_id: str
    backend_id: str
    trace: str = ""
    attempt: int = 0
    since: str = ""

    @property
    def identity(self) -> Job:
        """What it is about, without what is told beside it."""
        return Job(self.bucket_id, self.version_id, self.backend_id)


def job_headers(job: Job) -> dict[str, str]:
    """What a person reads of a message in RabbitMQ's management page; ``x-domicile-job`` goes behind ``/proxy/jobs/`` in the admin API."""
    headers = {
        "x-domicile-job": f"{job.bucket_id}/{job.version_id}/{job.backend_id}",
        "x-domicile-version": job.version_id,
        "x-domicile-backend": job.backend_id,
        "x-domicile-attempt": str(job.attempt),
    }
    return headers | {"x-domicile-since": job.since} if job.since else headers


class Invalidation(Value, frozen=True):
    """Forget what you cached about this. ``id``: access key, tenant id, ``<tenant id>/<bucket name>`` or backend id."""

    kind: Literal["credential", "tenant", "bucket", "backend"]
    id: str
