"""What the metadata service is told by its environment."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, FilePath
from pydantic_settings import NoDecode

from domicile_common.settings import (
    LIVE,
    AdminKeyBlock,
    DatabaseBlock,
    Port,
    RabbitmqBlock,
    SealingBlock,
    ServiceBlock,
    ServiceTokenBlock,
    StrongSecret,
)

Role = Literal["api", "relay", "reconcile", "rearrange", "sweep", "lifecycle", "measure", "count", "schedule"]


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


class MigrateSettings(ServiceBlock, DatabaseBlock):
    """What ``migrate`` alone needs."""


class Settings(MigrateSettings, RabbitmqBlock, ServiceTokenBlock, AdminKeyBlock, SealingBlock):
    metadata_port: Port = Field(9010, description="Port of the internal API, the admin API and the health checks.")
    metadata_health_port: Port | None = Field(
        None,
        description="A further port for the health checks, /metrics and /version alone, at which no client certificate is asked for.",
    )
    tls_client_ca: FilePath | None = Field(
        None, description="CAs (PEM) of whom METADATA_PORT lets in: with it, nobody without a certificate of one of them."
    )
    metadata_roles: Annotated[tuple[Role, ...], NoDecode, BeforeValidator(_words)] = Field(
        get_args(Role), min_length=1, description="Which parts this process runs, separated by commas."
    )
    database_connections: int = Field(
        10, ge=4, le=1000, description="The most connections that this process keeps to PostgreSQL."
    )
    namespace_key: StrongSecret = Field(description="Key of the hash in physical bucket names. Never change it.")
    erasure_signing_key: StrongSecret | None = Field(
        None, description="What certificates of erasure are signed with. Without it none is given.", json_schema_extra=LIVE
    )
    namespace_prefix: str = Field(
        "s3gw", pattern=r"^[a-z0-9][a-z0-9-]{0,15}$", description="What physical bucket names begin with."
    )
    intent_seconds: int = Field(
        900, ge=3, description="How long an unrenewed write lives before its bytes are removed.", json_schema_extra=LIVE
    )
    upload_seconds: int = Field(
        7 * 86_400, ge=3, description="How long a multipart upload lives after its last part.", json_schema_extra=LIVE
    )
    removal_grace_seconds: float = Field(
        60, ge=0, description="How long replaced bytes stay, so that reads in flight finish.", json_schema_extra=LIVE
    )
    removal_second_look_seconds: float = Field(
        900,
        ge=0,
        description="When a removal that somebody may have been writing against is done and confirmed once more; not less than INTENT_SECONDS.",
        json_schema_extra=LIVE,
    )
    reconcile_seconds: float = Field(5, gt=0, description="How often owed work is looked for.", json_schema_extra=LIVE)
    rearrange_seconds: float = Field(
        5, gt=0, description="How often versions that a change of policy concerns are looked for.", json_schema_extra=LIVE
    )
    sweep_seconds: float = Field(5, gt=0, description="How often expired writes are looked for.", json_schema_extra=LIVE)
    overdue_seconds: float = Field(
        30, gt=0, description="How long a job may go unreported before it is sent again.", json_schema_extra=LIVE
    )
    measure_seconds: float = Field(
        15, gt=0, description="How often what is owed is measured, and at most how often what is kept.", json_schema_extra=LIVE
    )
    lag_history_days: int = Field(
        30, ge=1, le=400, description="How long it is kept, by the minute, what was owed.", json_schema_extra=LIVE
    )
    lifecycle_seconds: float = Field(
        3600, gt=0, description="How often buckets are searched for what their lifecycle rules expire.", json_schema_extra=LIVE
    )
    schedule_seconds: float = Field(
        60, gt=0, description="How often it is seen to what is due: scrubs, and findings that are over.", json_schema_extra=LIVE
    )
    scrub_light_seconds: float = Field(
        86_400,
        ge=0,
        description="How often what each backend lists is compared with the record; 0 for never.",
        json_schema_extra=LIVE,
    )
    scrub_deep_seconds: float = Field(
        90 * 86_400,
        ge=0,
        description="How often all bytes at each backend are read and compared, which a provider may charge for; 0 for never.",
        json_schema_extra=LIVE,
    )
    probe_seconds: float = Field(
        7 * 86_400,
        ge=0,
        description="How often each backend is probed for what it can do, and when it is registered; 0 for only when you ask for it.",
        json_schema_extra=LIVE,
    )
    bucket_names: Literal["tenant", "global"] = Field(
        "tenant",
        description="Whether each tenant has bucket names of its own, or all share one name space as in S3; the same on all metadata processes.",
    )
    buckets_per_tenant: int = Field(
        1000, ge=1, le=10_000, description="The most buckets that one tenant may own.", json_schema_extra=LIVE
    )
    session_seconds: int = Field(
        3600,
        ge=1800,
        le=86_400,
        description="How long somebody who has signed in at the discovery service stays so.",
        json_schema_extra=LIVE,
    )
    snapshot_objects: int = Field(
        1_000_000,
        ge=1,
        description="The most objects that one snapshot keeps; more are left out visibly.",
        json_schema_extra=LIVE,
    )
    snapshot_bytes: int = Field(
        64 << 20, ge=1, description="The most bytes that one snapshot takes, compressed.", json_schema_extra=LIVE
    )
    snapshot_pieces: int = Field(2000, ge=1, description="The most pieces that one snapshot is made of.", json_schema_extra=LIVE)
    snapshots_per_owner: int = Field(
        100, ge=1, description="The most snapshots that a tenant, or the operators together, may have.", json_schema_extra=LIVE
    )
