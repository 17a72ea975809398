"""What the proxy is told by its environment."""

from __future__ import annotations

from pydantic import Field

from domicile_common.settings import LIVE, BackendsBlock, MetadataBlock, Port, RabbitmqBlock, SealingBlock, ServiceBlock


class ProxySettings(ServiceBlock, MetadataBlock, SealingBlock, RabbitmqBlock, BackendsBlock):
    proxy_port: Port = Field(9000, description="Port of the S3 endpoint.")
    proxy_admin_port: Port = Field(
        9001, description="Port of /healthz, /readyz, /metrics and /version: bucket names own the S3 port."
    )
    s3_base_domain: str | None = Field(
        None,
        description="With it, bucket.domain addresses a bucket by host name, beside the path form.",
        json_schema_extra=LIVE,
    )
    cache_seconds: float = Field(
        30, gt=0, description="How old a cached key, bucket or backend may be without an invalidation.", json_schema_extra=LIVE
    )
    backend_connections: int = Field(256, ge=1, description="Most connections to one backend.", json_schema_extra=LIVE)
    client_idle_seconds: float = Field(
        60, gt=0, description="How long a client may neither send nor take a byte.", json_schema_extra=LIVE
    )
    read_hedge_seconds: float = Field(
        0,
        ge=0,
        description="After how long without an answer a read asks the next copy as well; 0: never.",
        json_schema_extra=LIVE,
    )
    backend_idle_seconds: float = Field(
        20, gt=0, description="How long a backend may pause before a read goes to another copy.", json_schema_extra=LIVE
    )
