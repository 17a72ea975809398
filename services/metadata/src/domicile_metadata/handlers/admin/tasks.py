from __future__ import annotations

from typing import get_args

from starlette.requests import Request

from domicile_common.errors import RequestError
from domicile_metadata.context import Context
from domicile_metadata.domain.tasks import TaskState
from domicile_metadata.handlers.admin.api import Endpoint, document, page
from domicile_metadata.services import findings, tasks
from domicile_metadata.services.findings import Findings
from domicile_metadata.services.tasks import NewTask, TaskChange, TaskPage
from domicile_metadata.storage.tasks import ShownTask

_STATES: tuple[TaskState, ...] = get_args(TaskState)


async def create(context: Context, request: Request) -> ShownTask:
    return await tasks.create(context, await document(request, NewTask))


async def list_page(context: Context, request: Request) -> TaskPage:
    after, limit = page(request)
    return await tasks.list_page(context, after, request.query_params.get("kind"), _state(request), limit)


def _state(request: Request) -> TaskState | None:
    asked = request.query_params.get("state")
    if asked is not None and asked not in _STATES:
        raise RequestError("InvalidArgument", f"state is one of {', '.join(_STATES)}.")
    return next((state for state in _STATES if state == asked), None)


async def show(context: Context, request: Request) -> ShownTask:
    return await tasks.show(context, request.path_params["task"])


async def findings_of(context: Context, request: Request) -> Findings:
    after, limit = page(request)
    return await findings.list_page(context, request.path_params["task"], after, limit)


async def change(context: Context, request: Request) -> ShownTask:
    return await tasks.change(context, request.path_params["task"], await document(request, TaskChange))


ENDPOINTS = (
    Endpoint("POST", "/proxy/tasks", create, 201),
    Endpoint("GET", "/proxy/tasks", list_page),
    Endpoint("GET", "/proxy/tasks/{task}", show),
    Endpoint("GET", "/proxy/tasks/{task}/findings", findings_of),
    Endpoint("PATCH", "/proxy/tasks/{task}", change),
)
