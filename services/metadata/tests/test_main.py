import asyncio
import os
import signal
import sys

import asyncpg
import httpx
import pytest

from domicile_common.copy_watch import CopyWatch
from domicile_common.errors import ConfigurationError
from domicile_common.settings import load
from domicile_metadata import main
from domicile_metadata.settings import Settings
from domicile_metadata.storage.migrate import LOCK

SECRET = "a-long-enough-value-0f3b9c71"
ENVIRONMENT = {
    "DATABASE_URL": "postgresql://somebody@127.0.0.1:1/nowhere",
    "RABBITMQ_URL": "amqp://somebody:hushhush@127.0.0.1:1/nowhere",
    "DOMICILE_SERVICE_TOKEN": SECRET,
    "ADMIN_API_KEY": SECRET,
    "TENANT_SECRET_PASSPHRASE": SECRET,
    "NAMESPACE_KEY": SECRET,
}
BREAK_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'domicile-migrate'"


@pytest.fixture
def environment(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_roles_are_words_between_commas(environment):
    assert set(load(Settings).metadata_roles) == {"api", *main.SIDE_TASKS}
    environment.setenv("METADATA_ROLES", " relay,sweep,")
    assert load(Settings).metadata_roles == ("relay", "sweep")
    environment.setenv("METADATA_ROLES", "api,rely")
    with pytest.raises(ConfigurationError, match="METADATA_ROLES"):
        load(Settings)


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_setting_is_named(environment, name):
    environment.delenv(name)
    with pytest.raises(ConfigurationError, match=f"{name} is not set"):
        load(Settings)


async def test_a_dead_side_task_stops_the_process(environment, monkeypatch):
    async def serve(*_args, stop, **_fields):
        await stop.wait()

    async def die(_context):
        raise OSError("the disk is full")

    async def end(_context):
        pass

    async def go_on(_context):
        await asyncio.Event().wait()

    context = type("Context", (), {"settings": load(Settings), "watch": CopyWatch(None)})()
    monkeypatch.setattr(main, "serve_http", serve)
    monkeypatch.setattr(main, "create_app", lambda _context, _stop: None)
    for side, error in ((die, OSError), (end, RuntimeError)):
        monkeypatch.setattr(main, "SIDE_TASKS", {"relay": side, "sweep": go_on})
        with pytest.raises(ExceptionGroup) as stopped:
            await asyncio.wait_for(main._run_roles(context, asyncio.Event()), 30)
        assert stopped.group_contains(error)
    monkeypatch.setattr(main, "SIDE_TASKS", {"relay": go_on})
    stop = asyncio.Event()
    stop.set()
    await asyncio.wait_for(main._run_roles(context, stop), 30)


async def start(*args: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "domicile_metadata", *args,
        env={"PATH": os.environ["PATH"], **ENVIRONMENT, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.servers
async def test_the_process_serves_until_it_is_told_to_stop(empty_database_url, unused_port):
    """From an empty database; a second process on the same port says so."""
    settings = {"DATABASE_URL": empty_database_url, "METADATA_PORT": str(unused_port), "METADATA_ROLES": "api,reconcile,sweep"}
    process = await start(**settings)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_port}") as client, asyncio.timeout(60):
        while True:
            try:
                if (await client.get("/readyz")).is_success:
                    break
            except httpx.TransportError:
                assert process.returncode is None
                await asyncio.sleep(0.05)
        answer = await client.post("/internal/list-backends", content=b"[{}]", headers={"authorization": f"Bearer {SECRET}"})
        assert answer.json() == [{"ok": {"backends": []}}]
        assert 'domicile_metadata_items_total{call="list-backends"} 1.0' in (await client.get("/metrics")).text
        assert (await client.get("/proxy/tenants")).status_code == 401
        second = await start(**settings)
        _, errors = await second.communicate()
        assert second.returncode == 2
        assert b"already in use" in errors
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        assert process.returncode == 0


@pytest.mark.servers
async def test_the_schema_is_prepared_once_and_then_for_good(empty_database_url):
    for applied in (b"0001_pre_core", b'"applied":[]'):
        process = await start("prepare", DATABASE_URL=empty_database_url)
        output, _ = await process.communicate()
        assert process.returncode == 0
        assert applied in output.splitlines()[-1].replace(b": ", b":")


@pytest.mark.servers
async def test_a_process_that_waits_for_postgresql_can_be_stopped():
    process = await start()
    async with asyncio.timeout(60):
        assert process.stdout is not None
        assert b"waiting for PostgreSQL" in await process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.servers
async def test_a_start_goes_on_when_postgresql_goes_away_in_its_midst(empty_database_url):
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)  # as another process that is at the schema
    process = await start("prepare", DATABASE_URL=empty_database_url)
    async with asyncio.timeout(60):
        while not await connection.fetchval(BREAK_OFF):  # noqa: ASYNC110 -- only PostgreSQL can tell
            await asyncio.sleep(0.05)
        await connection.close()
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert b"waiting for PostgreSQL" in output
    assert b"0001_pre_core" in output


@pytest.mark.servers
async def test_an_unknown_command_is_told_what_there_is():
    process = await start("frobnicate")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"serve|prepare|migrate" in errors
