"""The command line and the client, as people use them, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys

import pytest
import structlog
from starlette.applications import Starlette

from domicile_client import AsyncDomicile, NotAdmitted, Refused, backends, policies, tenants
from domicile_client.cli import shell
from domicile_client.cli.main import run as run_command
from domicile_common.telemetry import serve
from domicile_metadata.handlers.admin import admin_routes
from domicile_metadata.services import tasks
from domicile_metadata.services.tasks import Kind

pytestmark = pytest.mark.servers


@pytest.fixture
async def cli(admin, unused_port, monkeypatch):
    """Runs one command with ``--json``; answers its exit code and what it printed, JSON or an error. ``cli.text``: as a person sees it."""
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
            status = run_command(arguments)
        return status, output.getvalue(), errors.getvalue()

    async def text(*arguments, stdin=""):
        return await asyncio.to_thread(run_here, arguments, stdin)

    async def run(*arguments, stdin=""):
        status, output, errors = await text(*arguments, "--json", stdin=stdin)
        return status, json.loads(output) if output else errors

    run.text = text

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
        status, shown = await cli("backends", "add", backend_id, *place, stdin="hunter2hunter2\n")
        assert (status, shown["country"], shown["jurisdictions"]) == (0, country, [country, "SE"])
    assert (await cli("policies", "set", '{"replica_count": 2, "write_quorum": 1}'))[0] == 0
    status, tenant = await cli("tenants", "create", "acme", "--name", "Acme Oy")
    assert (status, tenant["name"]) == (0, "Acme Oy")
    status, issued = await cli("keys", "create", "acme", "--access", "read")
    assert (status, issued["credential"]["access"], len(issued["secret_key"])) == (0, "read", 40)
    status, known = await cli("keys", "create", "acme", "--access-key", "AK1", stdin="a-secret-of-my-own\n")
    assert (status, known["secret_key"]) == (0, "a-secret-of-my-own")
    assert (await cli("policies", "set", '{"region_lock": ["FI", "DE"]}', "acme"))[1]["effective"]["countries"] == [
        "FI",
        "DE",
    ]
    assert (await cli("policies", "show", "acme"))[1]["refusal"] is None


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
    assert (await cli("keys", "list", "acme"))[1]["credentials"][0]["access_key"] == "AK1"
    assert (await cli("keys", "rotate", "AK1", "--overlap", "60"))[1]["credential"]["tenant_id"] == "acme"
    assert (await cli("keys", "disable", "AK1"))[1]["state"] == "disabled"
    assert (await cli("keys", "enable", "AK1"))[1]["state"] == "active"
    assert [one["backend_id"] for one in (await cli("backends", "list"))[1]["backends"]] == ["de", "fi", "us"]
    assert (await cli("backends", "state", "us", "draining"))[1]["state"] == "draining"
    assert (await cli("backends", "show", "us"))[1]["state"] == "draining"
    assert (await cli("backends", "drain", "de"))[1]["state"] == "draining"
    assert (await cli("backends", "drain", "fi", "--dry-run"))[1]["unsatisfiable"][0]["subjects"] == ["the installation"]
    assert (await cli("backends", "drain", "fi"))[0] != 0
    assert (await cli("backends", "drain", "fi", "--force"))[1]["state"] == "draining"
    for backend in ("fi", "de"):
        assert (await cli("backends", "state", backend, "active"))[1]["state"] == "active"
    assert (await cli("policies", "set", f"@{document}", "acme/papers"))[0] == 0
    assert (await cli("policies", "show", "acme/papers"))[1]["effective"]["countries"] == ["FI", "DE"]
    assert [it["bucket"] for it in (await cli("buckets", "list", "acme"))[1]["buckets"]] == ["papers"]
    assert (await cli("buckets", "show", "acme/papers"))[1]["countries"] == ["FI", "DE"]
    name = (await cli("buckets", "explain", "acme/papers", "--backend", "fi"))[1]["namespaces"][0]
    assert (await cli("buckets", "explain", name["namespace"]))[1]["namespaces"] == [name]
    assert (await cli("buckets", "placement", "acme/papers", "a/ö"))[1]["replicas"][0]["backend_id"] == "de"
    assert (await cli("buckets", "wait", "acme/papers", "a/ö", "--copies", "1"))[1]["reached"]
    assert (await cli("buckets", "wait", "acme/papers", "a/ö", "--copies", "2", "--timeout", "1"))[0] == 1
    assert (await cli("backends", "drain", "fi", "--dry-run"))[1]["changed_objects"] == 1
    preview = await cli("policies", "dry-run", '{"region_lock": ["DE"]}', "acme/papers")
    assert preview[1]["unreadable_objects"] == 1
    assert (await cli("placement", "compare", "acme"))[1] == {"buckets": 1}
    assert (await cli("placement", "progress", "--all"))[1]["rearrangements"][0]["cause"] == "an operator's wish"
    assert (await cli("jobs", "list", "--state", "owed", "--backend", "de"))[1]["jobs"][0]["state"] == "wanted"
    assert (await cli("jobs", "replay", "--backend", "de"))[1] == {"replayed": 0}
    assert (await cli("secrets", "reseal"))[1] == {"credentials": 0, "backends": 0, "tasks": 0}


async def test_what_goes_wrong_is_one_line_and_has_a_code_of_its_own(cli, monkeypatch):
    assert await cli("tenants", "show", "nobody") == (1, "domicile: NoSuchTenant: There is no tenant nobody.\n")
    monkeypatch.setenv("ADMIN_API_KEY", "a wrong key")
    refused = "domicile: AccessDenied: The header X-Admin-Key is missing or wrong, or the session has ended.\n"
    assert await cli("tenants", "list") == (4, refused)
    monkeypatch.setenv("DOMICILE_METADATA_URL", "http://127.0.0.1:9")
    code, text = await cli("tenants", "list")
    assert (code, text.count("\n")) == (3, 1)
    assert text.startswith("domicile: no answer of http://127.0.0.1:9: ")


@pytest.mark.parametrize(
    "text, arguments",
    [
        ("Invalid value: the secret is expected as a line on standard input, or in --secret-file", ("keys", "create", "acme", "--access-key", "AK1")),
        ("Invalid value: the document is not JSON: Expecting", ("policies", "set", "{")),
        ("Invalid value: the document is not a JSON object", ("policies", "set", "[]")),
        ("Invalid value: /nowhere: No such file or directory", ("policies", "set", "@/nowhere")),
        ("Invalid value: /nowhere: No such file or directory", ("keys", "create", "acme", "--access-key", "AK1", "--secret-file", "/nowhere")),
        ("Invalid value for 'TENANT[/BUCKET]': a tenant, or tenant/bucket", ("policies", "show", "/papers")),
        ("Invalid value: a secret is no argument", ("export", "acme/papers", "mine", "--endpoint", '{"secret_key": "x"}')),
        ("No such option: --admin-key", ("--admin-key", "x", "tenants", "list")),
        ("Missing argument 'tenant'.", ("tenants", "show")),
    ],
)  # fmt: skip
async def test_a_wrong_call_is_one_line_and_code_2(cli, text, arguments):
    code, said = await cli(*arguments)
    assert (code, said.count("\n"), said.startswith(f"domicile: {text}")) == (2, 1, True)


async def test_a_subject_alone_is_asking_for_help(cli):
    code, output, errors = await cli.text("tenants")
    assert (code, "Make a tenant." in output, errors) == (2, True, "")


async def test_whoever_asks_has_to_say_so(cli, monkeypatch, tmp_path):
    key = os.environ["ADMIN_API_KEY"]
    monkeypatch.delenv("ADMIN_API_KEY")
    assert (await cli("tenants", "list"))[0] == 2
    file = tmp_path / "key"
    file.write_text(f"{key}\n")
    assert (await cli("--admin-key-file", str(file), "tenants", "list"))[0] == 0
    code, text = await cli("--ca-file", str(tmp_path / "none"), "--admin-key-file", str(file), "tenants", "list")
    assert (code, text.endswith("none: No such file or directory\n")) == (2, True)
    file.write_text("")
    assert (await cli("--admin-key-file", str(file), "tenants", "list"))[0] == 2


async def test_a_session_does_in_place_of_the_key(cli, admin, monkeypatch):
    token = (await admin.call("POST", "/sessions/operator", status=201))["token"]
    monkeypatch.delenv("ADMIN_API_KEY")
    monkeypatch.setenv("DOMICILE_TOKEN", token)
    assert (await cli("tenants", "list"))[0] == 0


async def test_a_token_is_made_used_and_seen_in_the_audit_log(cli, admin, monkeypatch, tmp_path):
    await cli("tenants", "create", "acme")
    _, made = await cli("tokens", "create", "mine", "--role", "tenant_admin", "--tenant", "acme")
    assert (await cli("tenants", "limits", "acme", "--set", '{"buckets": 3}'))[1]["limits"]["buckets"] == 3
    with monkeypatch.context() as patch:
        patch.delenv("ADMIN_API_KEY")
        patch.setenv("DOMICILE_TOKEN", made["secret"])
        assert (await cli("tenants", "limits", "acme"))[1]["usage"] == {"bytes": 0, "objects": 0, "buckets": 0}
        assert (await cli("keys", "create", "acme"))[0] == 0
        assert (await cli("tenants", "disable", "acme"))[0] == 4
    token_id = made["token"]["token_id"]
    assert [it["name"] for it in (await cli("tokens", "list"))[1]["tokens"]] == ["mine"]
    assert (await cli("tokens", "revoke", token_id))[1]["revoked_at"] is not None
    (refused,) = (await cli("audit", "list", "--actor", token_id, "--refused"))[1]["entries"]
    assert (refused["target"], refused["code"]) == ("/proxy/tenants/acme", "NotAllowed")
    (made_key,) = (await cli("audit", "list", "--actor", token_id, "--done"))[1]["entries"]
    assert made_key["action"] == "POST /proxy/credentials"
    assert "POST /proxy/credentials" in (await cli.text("audit", "list", "--about", "credentials"))[1]
    file = tmp_path / "audit.ndjson"
    assert (await cli("audit", "export", str(file)))[0] == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert (await cli("audit", "verify", "--after", "2", "--hash", lines[1]["hash"]))[1]["entries"] == len(lines) - 2
    assert (await cli("audit", "verify", "--after", "2", "--hash", lines[0]["hash"]))[0] == 1


async def test_a_file_is_written_whole_or_left_as_it_was(cli, monkeypatch, tmp_path):
    file = tmp_path / "audit.ndjson"
    file.write_text("from before", "utf-8")
    assert (await cli("audit", "export", str(tmp_path / "nowhere" / "audit.ndjson")))[0] == 2
    with monkeypatch.context() as patch:
        patch.setenv("ADMIN_API_KEY", "a wrong key")
        assert (await cli("audit", "export", str(file)))[0] == 4
    assert [(each.name, each.read_text("utf-8")) for each in tmp_path.iterdir()] == [("audit.ndjson", "from before")]
    assert (await cli("audit", "export", str(file)))[1] == {"file": str(file), "bytes": file.stat().st_size}
    assert [each.name for each in tmp_path.iterdir()] == ["audit.ndjson"]


def test_it_runs_as_a_module():
    asked = subprocess.run([sys.executable, "-m", "domicile_client", "--help"], capture_output=True, text=True, check=True)
    assert "policies" in asked.stdout


async def test_names_are_completed(cli, admin):
    for name in ("acme", "apex", "zeta"):
        await admin.call("POST", "/tenants", {"tenant_id": name}, 201)

    def complete(words):
        asking = {"_DOMICILE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
        run = [sys.executable, "-m", "domicile_client"]
        return subprocess.run(run, capture_output=True, text=True, check=False, env=os.environ | asking).stdout.split()

    assert await asyncio.to_thread(complete, "domicile tenants re") == ["rename"]
    assert await asyncio.to_thread(complete, "domicile tenants show a") == ["acme", "apex"]
    assert await asyncio.to_thread(complete, "domicile --url http://127.0.0.1:9 tenants show a") == []


async def test_lists_come_from_all_pages(cli, admin):
    for name in ("a", "b", "c"):
        await admin.call("POST", "/tenants", {"tenant_id": name}, 201)
    code, page = await cli("tenants", "list", "--limit", "2")
    assert (code, [it["tenant_id"] for it in page["tenants"]], page["truncated"]) == (0, ["a", "b"], True)
    _, output, errors = await cli.text("tenants", "list", "--limit", "2")
    assert ("a" in output, "--all" in errors) == (True, True)
    assert [it["tenant_id"] for it in (await cli("tenants", "list", "--all"))[1]["tenants"]] == ["a", "b", "c"]


async def test_a_person_gets_tables_and_nothing_that_a_terminal_would_obey(cli, admin):
    await admin.prepared()
    await admin.version(await admin.bucket("papers"), "a\x1b[31m[red]", fi="verified", de="wanted")
    code, output, _ = await cli.text("jobs", "list")
    assert (code, "a\\x1b[31m[red]" in output, "\x1b" in output) == (0, True, False)
    code, output, _ = await cli.text("status")
    assert (code, {"fi", "de", "us"} <= set(output.split())) == (0, True)
    assert "papers" in output
    code, output, _ = await cli.text("backends", "show", "fi")
    assert (code, "http://127.0.0.1:9000" in output) == (0, True)


async def test_backends_are_paused_limited_and_changed(cli, admin):
    await admin.backend("fi", "FI")
    assert (await cli("backends", "pause", "fi"))[1]["paused"] is True
    assert (await cli("backends", "resume", "fi"))[1]["paused"] is False
    limited = (await cli("backends", "limits", "fi", "--jobs", "3", "--requests-per-second", "2.5"))[1]
    assert (limited["job_limit"], limited["requests_per_second"]) == (3, 2.5)
    limited = (await cli("backends", "limits", "fi", "--jobs", "0"))[1]
    assert (limited["job_limit"], limited["requests_per_second"]) == (None, 2.5)
    assert (await cli("backends", "limits", "fi"))[1] == limited


async def test_the_same_calls_serve_asyncio(cli, admin):
    url, key = os.environ["DOMICILE_METADATA_URL"], os.environ["ADMIN_API_KEY"]
    async with AsyncDomicile(url, admin_key=key) as domicile:
        assert (await domicile.ask(tenants.create("acme", name="Acme Oy")))["name"] == "Acme Oy"
        assert [it["tenant_id"] async for it in domicile.rows(tenants.list_all())] == ["acme"]
        assert [it async for it in domicile.rows(backends.list_all())] == []
        with pytest.raises(Refused, match=r"^NoSuchTenant: ") as refused:
            await domicile.ask(policies.show("nobody"))
        assert (refused.value.status, refused.value.code) == (404, "NoSuchTenant")
    async with AsyncDomicile(url) as stranger:
        with pytest.raises(NotAdmitted):
            await stranger.ask(tenants.list_all())


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
        "domicile: Invalid value: the document is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\n",
    )


async def _anything(_context, _parameters) -> None:
    pass


async def test_a_task_is_watched_to_its_end(cli, admin, monkeypatch):
    monkeypatch.setattr(tasks, "KINDS", {"one": Kind(dict, _anything)})
    monkeypatch.setattr(shell, "FOLLOW_SECONDS", 0.01)
    _, made = await cli("tasks", "start", "one")
    watching = asyncio.create_task(cli("tasks", "watch", made["task_id"]))
    await admin.sql.execute("""UPDATE tasks SET state = 'done', progress = '{"listed": 2}'""")
    status, shown = await watching
    assert (status, shown["state"], shown["progress"]) == (0, "done", {"listed": 2})


async def test_how_far_copies_are_behind(cli, admin):
    await admin.prepared()
    await admin.version(await admin.bucket("papers"), "k", fi="verified", de="wanted")
    status, shown = await cli("jobs", "lag", "acme/papers")
    assert status == 0
    assert {each["owed"]["backend_id"]: each["owed"]["copies"] for each in shown["backends"]}["de"] == 1
    assert [each["owed"]["bucket"] for each in shown["buckets"]] == ["papers"]
