"""What the discovery service needs to know."""

from __future__ import annotations

from pydantic import Field

from domicile_common.settings import Port, ServiceBlock


class Settings(ServiceBlock):
    port: Port = Field(9030, validation_alias="DISCOVERY_PORT", description="Port of the page, its API and its health checks.")
