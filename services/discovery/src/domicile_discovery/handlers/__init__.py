"""The API of the page: JSON under ``/api/``."""

from __future__ import annotations

from starlette.routing import BaseRoute

from domicile_discovery.context import Context
from domicile_discovery.handlers import catalogue, forward, relay, session, snapshots, sovereignty
from domicile_discovery.handlers.api import Endpoint, make_routes

ENDPOINTS: tuple[Endpoint, ...] = (
    *session.ENDPOINTS,
    *catalogue.ENDPOINTS,
    *sovereignty.ENDPOINTS,
    *relay.ENDPOINTS,
    *snapshots.ENDPOINTS,
    *forward.ENDPOINTS,
)


def api_routes(context: Context) -> list[BaseRoute]:
    return make_routes(context, ENDPOINTS)
