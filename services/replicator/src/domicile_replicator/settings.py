"""What the replicator is told by its environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from domicile_common.settings import LIVE, BackendsBlock, MetadataBlock, Port, RabbitmqBlock, SealingBlock, ServiceBlock
from domicile_replicator.plan import SMALLEST_PART


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


class Settings(ServiceBlock, MetadataBlock, SealingBlock, RabbitmqBlock, BackendsBlock):
    replicator_port: Port = Field(9020, description="Port of the health checks and metrics.")
    replicator_backends: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        (), description="Backend ids whose jobs this process takes, separated by commas; all of them when empty."
    )
    # A job waits for more answers than the write that owes it, so as many jobs as there are usually writers could not keep up.
    replicator_concurrency: int = Field(
        32, ge=1, le=1000, description="The most jobs in hand at a time, for each backend.", json_schema_extra=LIVE
    )
    replicator_bytes_in_flight: int = Field(
        512 * 2**20,
        ge=1,
        description="The most bytes of copies under way, for each backend; one copy counts REPLICATOR_MULTIPART_BYTES at most.",
        json_schema_extra=LIVE,
    )
    replicator_multipart_bytes: int = Field(
        64 * 2**20, ge=SMALLEST_PART, le=5 * 2**30, description="Larger blobs are uploaded in parts of about this size."
    )
    replicator_tasks: int = Field(
        2, ge=0, le=100, description="The most long tasks (scrubs and others) that this process works at together; 0 for none."
    )
    replicator_task_seconds: float = Field(
        5, gt=0, description="How often a process that could take another task looks for one.", json_schema_extra=LIVE
    )
    replicator_drain_seconds: float = Field(
        25,
        ge=0,
        description="How long a stopping process may finish what it has in hand before it hands it back.",
        json_schema_extra=LIVE,
    )
