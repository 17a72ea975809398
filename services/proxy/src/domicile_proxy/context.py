"""The process context: everything a request may use, made once in ``main`` and frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from domicile_common.copy_watch import CopyWatch
from domicile_common.metadata_client.client import Metadata
from domicile_common.sigv4.keys import KeyRing
from domicile_proxy.directory import Directory
from domicile_proxy.health import Health
from domicile_proxy.limits import Limiter
from domicile_proxy.settings import ProxySettings


@dataclass(frozen=True, slots=True)
class Context:
    """``directory``: cached credentials, buckets and backends with their stores. ``keys``: derived signing keys.

    ``watch``: those that wait for copies. ``clock``: the time in UTC. ``limiter``: what tenants may ask of this process.
    """

    settings: ProxySettings
    metadata: Metadata
    directory: Directory
    health: Health
    keys: KeyRing
    watch: CopyWatch
    clock: Callable[[], datetime]
    limiter: Limiter = field(default_factory=Limiter)
