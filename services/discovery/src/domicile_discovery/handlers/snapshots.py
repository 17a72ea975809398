from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.requests import Request

from domicile_common.snapshots import Diff
from domicile_common.sovereignty import MovePlan
from domicile_common.value import Value
from domicile_discovery import comparing
from domicile_discovery.context import Context
from domicile_discovery.handlers.api import Endpoint, document, sources
from domicile_discovery.places import Question


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``limit``: of the differences that are answered; all are counted."""

    before: comparing.SnapshotId
    after: comparing.SnapshotId
    limit: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 1000


class Planned(Value, frozen=True, omit_defaults=False):
    """``truncated``: there was more than the snapshot holds, of which the plan says nothing."""

    plan: MovePlan
    truncated: bool


async def diff(context: Context, request: Request) -> Diff:
    asked = await document(request, Pair)
    async with context.comparing:
        return await comparing.compare(sources(context, request), asked.before, asked.after, asked.limit)


async def plan(context: Context, request: Request) -> Planned:
    question = await document(request, Question)
    made, truncated = await comparing.plan_moves(sources(context, request), request.path_params["snapshot"], question)
    return Planned(made, truncated)


ENDPOINTS = (
    Endpoint("POST", "/api/snapshots/diff", diff, "session"),
    Endpoint("POST", "/api/snapshots/{snapshot}/plan", plan, "session"),
)
