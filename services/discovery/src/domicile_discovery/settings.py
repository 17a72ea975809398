"""What the discovery service needs to know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from domicile_common.catalogue import origin
from domicile_common.settings import LIVE, BackendsBlock, MetadataUrlBlock, Port, ServiceBlock


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not value.startswith(("http://", "https://")) or origin(value) != value.lower().rstrip("/"):
            raise ValueError("must be origins, such as https://discovery.example.com, separated by commas")
    return tuple(origin(value) for value in values)


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_origins)]


class Settings(ServiceBlock, MetadataUrlBlock, BackendsBlock):
    port: Port = Field(9030, validation_alias="DISCOVERY_PORT", description="Port of the page, its API and its health checks.")
    discovery_origins: Origins = Field(
        (),
        description="Where people's browsers reach the page, such as https://discovery.example.com; requests to its API for anything else are"
        " refused. None: this machine.",
        json_schema_extra=LIVE,
    )
    relay_for: Literal["session", "page"] = Field(
        "session",
        description="Whose requests are relayed: those of people who have signed in, or of everybody who reaches the page.",
        json_schema_extra=LIVE,
    )
    relay_endpoints: Origins = Field(
        (), description="Origins that are relayed to although they are not public, not https or on another port."
    )
    relay_seconds: float = Field(30, gt=0, description="How long one relayed request may take.", json_schema_extra=LIVE)
    relay_bytes: int = Field(16 << 20, ge=1, description="The most bytes of one relayed answer.", json_schema_extra=LIVE)
    relay_concurrency: int = Field(64, ge=1, le=10_000, description="How many requests are relayed at once.")
    relay_share: int = Field(
        16,
        ge=1,
        description="How many of RELAY_CONCURRENCY one tenant, one operator's session or, where nobody has to sign in, one address may take."
        " Raise it where everybody comes from the address of one front end.",
    )

    @property
    def origins(self) -> tuple[str, ...]:
        """Without a setting, only a browser on the same machine reaches it."""
        return self.discovery_origins or (f"http://127.0.0.1:{self.port}", f"http://localhost:{self.port}")
