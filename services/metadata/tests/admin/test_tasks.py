from __future__ import annotations

import msgspec
import pytest

from domicile_common.errors import RequestError
from domicile_metadata.services import tasks
from domicile_metadata.services.tasks import Kind

pytestmark = pytest.mark.servers


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    async def check(_context, parameters) -> None:
        if parameters.name == "nobody":
            raise RequestError("NoSuchTenant", "There is no tenant nobody.")

    monkeypatch.setattr(tasks, "KINDS", {"one": Kind(Shape, check)})


async def begin(admin, name: str) -> str:
    made = await admin.call("POST", "/tasks", {"kind": "one", "parameters": {"name": name}}, 201)
    assert (made["kind"], made["state"], made["parameters"], made["progress"]) == ("one", "waiting", {"name": name}, {})
    return made["task_id"]


async def test_tasks_are_begun_listed_and_steered(admin):
    first, second = await begin(admin, "a"), await begin(admin, "b")
    listed = await admin.call("GET", "/tasks", limit=1)
    assert listed["truncated"]
    newest = listed["tasks"][0]["task_id"]
    older = await admin.call("GET", "/tasks", after=newest)
    assert {newest, older["tasks"][0]["task_id"]} == {first, second}
    assert not older["truncated"]
    assert (await admin.call("PATCH", f"/tasks/{first}", {"action": "pause"}))["state"] == "paused"
    paused = await admin.call("GET", "/tasks", state="paused", kind="one")
    assert [task["task_id"] for task in paused["tasks"]] == [first]
    assert (await admin.call("PATCH", f"/tasks/{first}", {"action": "cancel"}))["state"] == "cancelled"
    assert (await admin.call("GET", f"/tasks/{first}"))["state"] == "cancelled"
    await admin.refused(409, "TaskFinished", "PATCH", f"/tasks/{first}", {"action": "pause"})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "none"},
        {"kind": "one"},
        {"kind": "one", "parameters": []},
        {"kind": "one", "parameters": {"name": 1}},
        {"kind": "one", "parameters": {"name": "a", "more": 1}},
    ],
)
async def test_what_is_malformed_is_refused(admin, body):
    await admin.refused(400, "InvalidArgument", "POST", "/tasks", body)
    assert (await admin.call("GET", "/tasks"))["tasks"] == []


async def test_what_is_not_there(admin):
    await admin.refused(404, "NoSuchTenant", "POST", "/tasks", {"kind": "one", "parameters": {"name": "nobody"}})
    for unknown in ("0" * 32, "nonsense"):
        await admin.refused(404, "NoSuchTask", "GET", f"/tasks/{unknown}")
        await admin.refused(404, "NoSuchTask", "PATCH", f"/tasks/{unknown}", {"action": "pause"})
    await admin.refused(400, "InvalidArgument", "GET", "/tasks", state="nonsense")
    await admin.refused(400, "InvalidArgument", "GET", "/tasks", after="nonsense")
