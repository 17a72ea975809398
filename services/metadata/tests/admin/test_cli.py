"""The command line as an operator runs it, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import subprocess
import sys

import pytest
import structlog
from starlette.applications import Starlette

from domicile_common.telemetry import serve
from domicile_metadata import cli as command_line
from domicile_metadata.cli import main
from domicile_metadata.handlers.admin import admin_routes
from domicile_metadata.services import tasks
from domicile_metadata.services.tasks import Kind

pytestmark = pytest.mark.servers


@pytest.fixture
async def cli(admin, unused_port, monkeypatch):
    """Runs one command; answers its exit status and what it printed, JSON or an error."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the server's log is not the command's output
    stop = asyncio.Event()
    app = Starlette(routes=admin_routes(admin.context))
    server = asyncio.create_task(serve(app, "127.0.0.1", unused_port, stop=stop))
    monkeypatch.setenv("DOMICILE_METADATA_URL", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("ADMIN_API_KEY", admin.client.headers["X-Admin-Key"])

    def run_here(arguments, stdin):
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            try:
                status = main(arguments)
            except SystemExit as exited:  # argparse's own way out
                status = exited.code
        return status, json.loads(output.getvalue()) if output.getvalue() else errors.getvalue()

    async def run(*arguments, stdin=""):
        return await asyncio.to_thread(run_here, arguments, stdin)

    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", unused_port)
                writer.close()
                await writer.wait_closed()
                break
            await asyncio.sleep(0.02)
    yield run
    stop.set()
    await server
    structlog.reset_defaults()


async def test_an_installation_is_set_up_from_the_command_line(cli, admin):
    for backend_id, country in (("fi", "FI"), ("de", "DE")):
        place = ("--country", country, "--jurisdiction", country, "--jurisdiction", "SE")
        place = (*place, "--provider", "acme", "--endpoint", "http://127.0.0.1:9000", "--access-key", "AK")
        status, shown = await cli("backends", "put", backend_id, *place, stdin="hunter2hunter2\n")
        assert (status, shown["country"], shown["jurisdictions"]) == (0, country, [country, "SE"])
    assert (await cli("policies", "set", '{"replica_count": 2, "write_quorum": 1}'))[0] == 0
    status, tenant = await cli("tenants", "create", "acme", "--name", "Acme Oy")
    assert (status, tenant["name"]) == (0, "Acme Oy")
    status, issued = await cli("credentials", "create", "acme", "--access", "read")
    assert (status, issued["credential"]["access"], len(issued["secret_key"])) == (0, "read", 40)
    status, known = await cli("credentials", "create", "acme", "--access-key", "AK1", stdin="a-secret-of-my-own\n")
    assert (status, known["secret_key"]) == (0, "a-secret-of-my-own")
    assert (await cli("policies", "set", "--tenant", "acme", '{"region_lock": ["FI", "DE"]}'))[1]["effective"]["countries"] == [
        "FI",
        "DE",
    ]
    assert (await cli("policies", "show", "--tenant", "acme"))[1]["refusal"] is None


async def test_everything_can_be_looked_at_and_changed(cli, admin, tmp_path):
    await admin.prepared()
    bucket_id = await admin.bucket("papers")
    await admin.version(bucket_id, "a/ö", fi="verified", de="wanted")
    await admin.call("POST", "/credentials", {"tenant_id": "acme", "access_key": "AK1", "secret_key": "a-secret-of-my-own"}, 201)
    document = tmp_path / "policy.json"
    document.write_text('{"region_lock": ["FI", "DE"]}', "utf-8")
    assert (await cli("tenants", "list", "--limit", "1"))[1]["tenants"][0]["tenant_id"] == "acme"
    assert (await cli("tenants", "disable", "acme"))[1]["state"] == "disabled"
    assert (await cli("tenants", "enable", "acme"))[1]["state"] == "active"
    assert (await cli("tenants", "show", "acme"))[1]["tenant_id"] == "acme"
    assert (await cli("credentials", "list", "--tenant", "acme"))[1]["credentials"][0]["access_key"] == "AK1"
    assert (await cli("credentials", "rotate", "AK1", "--overlap", "60"))[1]["credential"]["tenant_id"] == "acme"
    assert (await cli("credentials", "disable", "AK1"))[1]["state"] == "disabled"
    assert (await cli("credentials", "enable", "AK1"))[1]["state"] == "active"
    assert [one["backend_id"] for one in (await cli("backends", "list"))[1]["backends"]] == ["de", "fi", "us"]
    assert (await cli("backends", "state", "us", "draining"))[1]["state"] == "draining"
    assert (await cli("backends", "show", "us"))[1]["state"] == "draining"
    assert (await cli("policies", "set", "--tenant", "acme", "--bucket", "papers", f"@{document}"))[0] == 0
    assert (await cli("policies", "show", "--tenant", "acme", "--bucket", "papers"))[1]["effective"]["countries"] == ["FI", "DE"]
    name = (await cli("namespaces", "explain", "--tenant", "acme", "--bucket", "papers", "--backend", "fi"))[1]["namespaces"][0]
    assert (await cli("namespaces", "explain", "--namespace", name["namespace"]))[1]["namespaces"] == [name]
    assert (await cli("placement", "show", "acme", "papers", "a/ö"))[1]["replicas"][0]["backend_id"] == "de"
    assert (await cli("placement", "preview", "--backend", "fi", "--state", "draining"))[1]["changed_objects"] == 1
    preview = await cli("placement", "preview", "--tenant", "acme", "--bucket", "papers", "--policy", '{"region_lock": ["DE"]}')
    assert preview[1]["unreadable_objects"] == 1
    assert (await cli("placement", "compare", "--tenant", "acme"))[1] == {"buckets": 1}
    assert (await cli("placement", "progress", "--all"))[1]["rearrangements"][0]["cause"] == "an operator's wish"
    assert (await cli("jobs", "list", "--state", "owed", "--backend", "de"))[1]["jobs"][0]["state"] == "wanted"
    assert (await cli("jobs", "replay", "--backend", "de"))[1] == {"replayed": 0}
    assert (await cli("secrets", "reseal"))[1] == {"credentials": 0, "backends": 0, "tasks": 0}


async def test_a_refusal_is_one_line_and_status_1(cli, monkeypatch):
    assert await cli("tenants", "show", "nobody") == (1, "NoSuchTenant: There is no tenant nobody.\n")
    monkeypatch.setenv("ADMIN_API_KEY", "a wrong key")
    assert await cli("tenants", "list") == (
        1,
        "AccessDenied: The header X-Admin-Key is missing or wrong, or the session has ended.\n",
    )


async def test_a_server_that_is_away_is_one_line_and_status_1(cli, monkeypatch):
    monkeypatch.setenv("DOMICILE_METADATA_URL", "http://127.0.0.1:9")
    status, text = await cli("tenants", "list")
    assert (status, text.count("\n")) == (1, 1)
    assert text.startswith("cli: no answer of the admin API from http://127.0.0.1:9")


async def test_a_wrong_call_is_told_and_status_2(cli, monkeypatch):
    create = await cli("credentials", "create", "acme", "--access-key", "AK1")
    assert create == (2, "cli: the secret is expected as a line on standard input\n")
    assert await cli("policies", "show", "--bucket", "papers") == (2, "cli: --bucket needs --tenant\n")
    assert await cli("policies", "set", "@/nowhere") == (2, "cli: /nowhere: No such file or directory\n")
    status, text = await cli("policies", "set", "{")
    assert (status, text[:31]) == (2, "cli: the document is not JSON: ")
    assert (await cli("tenants"))[0] == 2
    monkeypatch.delenv("ADMIN_API_KEY")
    assert await cli("tenants", "list") == (2, "cli: ADMIN_API_KEY is not set\n")


def test_it_runs_as_a_module():
    asked = subprocess.run([sys.executable, "-m", "domicile_metadata.cli", "--help"], capture_output=True, text=True, check=True)
    assert "policies" in asked.stdout


async def test_tasks(cli, monkeypatch):
    monkeypatch.setattr(tasks, "KINDS", {"one": Kind(dict, _anything)})
    status, made = await cli("tasks", "start", "one", '{"a": 1}')
    assert (status, made["parameters"]) == (0, {"a": 1})
    for action, state in (("pause", "paused"), ("resume", "waiting"), ("cancel", "cancelled")):
        assert (await cli("tasks", action, made["task_id"]))[1]["state"] == state
    assert (await cli("tasks", "show", made["task_id"]))[1]["state"] == "cancelled"
    status, shown = await cli("tasks", "watch", made["task_id"])
    assert (status, shown["state"]) == (1, "cancelled")
    assert await cli("tasks", "findings", made["task_id"]) == (0, {"findings": [], "truncated": False})
    assert (await cli("tasks", "watch", "nothing"))[0] == 1
    assert [task["state"] for task in (await cli("tasks", "list", "--kind", "one"))[1]["tasks"]] == ["cancelled"]
    assert await cli("tasks", "start", "one", "{") == (
        2,
        "cli: the document is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\n",
    )


async def _anything(_context, _parameters) -> None:
    pass


async def test_a_task_is_watched_to_its_end(cli, admin, monkeypatch):
    monkeypatch.setattr(tasks, "KINDS", {"one": Kind(dict, _anything)})
    monkeypatch.setattr(command_line, "FOLLOW_SECONDS", 0.01)
    _, made = await cli("tasks", "start", "one")
    watching = asyncio.create_task(cli("tasks", "watch", made["task_id"]))
    await admin.sql.execute("""UPDATE tasks SET state = 'done', progress = '{"listed": 2}'""")
    status, shown = await watching
    assert (status, shown["state"], shown["progress"]) == (0, "done", {"listed": 2})


async def test_how_far_copies_are_behind(cli, admin):
    await admin.prepared()
    await admin.version(await admin.bucket("papers"), "k", fi="verified", de="wanted")
    status, shown = await cli("jobs", "lag", "--tenant", "acme", "--bucket", "papers")
    assert status == 0
    assert {each["owed"]["backend_id"]: each["owed"]["copies"] for each in shown["backends"]}["de"] == 1
    assert [each["owed"]["bucket"] for each in shown["buckets"]] == ["papers"]
