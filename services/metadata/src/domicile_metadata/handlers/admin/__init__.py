"""The admin API: what an operator sees and changes, as JSON under ``/proxy/``, with the admin key in ``X-Admin-Key``."""

from __future__ import annotations

from starlette.routing import BaseRoute

from domicile_metadata.context import Context
from domicile_metadata.handlers.admin import (
    audit,
    backends,
    credentials,
    erasures,
    findings,
    health,
    jobs,
    lag,
    limits,
    placement,
    policies,
    probes,
    sealing,
    sessions,
    snapshots,
    summary,
    tasks,
    tenants,
    tokens,
    waiting,
)
from domicile_metadata.handlers.admin.api import Endpoint, make_routes

ENDPOINTS: tuple[Endpoint, ...] = (
    *tenants.ENDPOINTS,
    *limits.ENDPOINTS,
    *credentials.ENDPOINTS,
    *backends.ENDPOINTS,
    *probes.ENDPOINTS,
    *policies.ENDPOINTS,
    *placement.ENDPOINTS,
    *jobs.ENDPOINTS,
    *erasures.ENDPOINTS,
    *waiting.ENDPOINTS,
    *tasks.ENDPOINTS,
    *lag.ENDPOINTS,
    *summary.ENDPOINTS,
    *findings.ENDPOINTS,
    *health.ENDPOINTS,
    *sealing.ENDPOINTS,
    *sessions.ENDPOINTS,
    *snapshots.ENDPOINTS,
    *tokens.ENDPOINTS,
    *audit.ENDPOINTS,
)


def admin_routes(context: Context) -> list[BaseRoute]:
    return make_routes(context, ENDPOINTS)
