"""Settings that change: a real file, a real signal, the loop that follows them."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from pydantic import Field
from structlog.testing import capture_logs

from domicile_common import live
from domicile_common.errors import ConfigurationError
from domicile_common.settings import LIVE, ServiceBlock, variables


class Settings(ServiceBlock):
    patience: float = Field(1, gt=0, json_schema_extra=LIVE)
    size: int = 1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in variables(Settings):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOMICILE_SETTINGS", str(tmp_path))
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(live, "configure_logging", lambda *_: None)
    return tmp_path


async def begun():
    made = live.Live("test", Settings)
    return made, asyncio.create_task(made.follow())


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - only looking tells
            await asyncio.sleep(0.005)


async def test_a_changed_file_is_read_and_who_made_something_of_it_is_told(folder):
    made, following = await begun()
    told = []
    made.after_change(lambda: told.append(made.settings.patience), "patience")
    made.after_change(lambda: told.append("level"), "log_level")
    (folder / "PATIENCE").write_text("2.5")
    await until(lambda: told)
    assert told == [made.settings.patience] == [2.5]
    following.cancel()


async def test_a_signal_asks_for_it_at_once_whatever_has_changed(folder):
    made, following = await begun()
    renewed = asyncio.Event()
    made.after_change(renewed.set)
    os.kill(os.getpid(), signal.SIGHUP)
    async with asyncio.timeout(30):
        await renewed.wait()
    following.cancel()


async def test_a_signal_that_comes_just_when_the_time_is_up_is_not_forgotten(folder, monkeypatch):
    signals = [True]

    async def time_is_up(event, seconds):
        await asyncio.sleep(seconds)
        if signals and signals.pop():
            event.set()
        return False

    monkeypatch.setattr(live, "set_within", time_is_up)
    made, following = await begun()
    renewed = asyncio.Event()
    made.after_change(renewed.set)
    async with asyncio.timeout(5):
        await renewed.wait()
    following.cancel()


async def test_a_bad_change_leaves_everything_and_says_so(folder):
    made, following = await begun()
    with capture_logs() as logs:
        (folder / "PATIENCE").write_text("-1")
        (folder / "LOG_LEVEL").write_text("debug")
        await until(lambda: made.fault)
    assert (made.settings.patience, made.settings.log_level) == (1, "info")
    assert made.faults() == ["settings"]
    assert live.REFUSED._value.get() == 1
    assert [(entry["log_level"], entry["why"]) for entry in logs] == [
        ("error", "PATIENCE is not valid: Input should be greater than 0, not '-1'")
    ]
    (folder / "PATIENCE").write_text("3")
    await until(lambda: not made.fault)
    assert (made.settings.patience, made.settings.log_level) == (3, "debug")
    assert live.REFUSED._value.get() == 0
    following.cancel()


async def test_a_refusal_of_what_is_made_of_settings_is_told(folder):
    made, following = await begun()

    async def refuse():
        raise ConfigurationError("TLS_KEY is of another certificate")

    made.after_change(refuse)
    os.kill(os.getpid(), signal.SIGHUP)
    await until(lambda: made.fault == "TLS_KEY is of another certificate")
    following.cancel()


async def test_what_needs_a_restart_stays_and_is_named(folder):
    made, following = await begun()
    with capture_logs() as logs:
        (folder / "SIZE").write_text("2")
        (folder / "PATIENCE").write_text("2")
        await until(lambda: made.settings.patience == 2)
    assert made.settings.size == 1
    assert {"changed": ["PATIENCE"], "need_a_restart": ["SIZE"]}.items() <= logs[-1].items()
    following.cancel()
