"""Settings that change while a service runs.

On SIGHUP, and when a file that they come from or point to has changed, all settings are read anew. Either all are good, and those that are
marked ``LIVE`` take effect; or nothing changes, and the log, ``/readyz`` and a metric say why. The object that everybody holds is changed in
place, so whoever reads a setting at the moment when he needs it has nothing to do; what was made of settings follows by ``after_change``.

Files are looked at, not subscribed to: containers replace whole folders by a symbolic link, and network file systems tell nobody.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog
from prometheus_client import Gauge

from domicile_common.errors import ConfigurationError
from domicile_common.loops import set_within
from domicile_common.settings import ServiceBlock, is_live, load, misspelt, setting_files, variable
from domicile_common.telemetry import configure_logging

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
REFUSED: Final = Gauge("domicile_settings_refused", "1 when settings were changed to something that the service could not use.")
READ_AT: Final = Gauge("domicile_settings_read_at", "When the settings in use were read, in seconds since 1970.")

S = TypeVar("S", bound=ServiceBlock)

Hook = Callable[[], Awaitable[None] | None]
_Look = tuple[tuple[Path, int, int, int], ...]


class Live(Generic[S]):
    """``settings``: those of now. ``fault``: why the last change was refused; empty when it was not."""

    def __init__(self, service: str, kind: type[S]) -> None:
        """In a running event loop. Sets up logging; from now on SIGHUP ends the process no more. Raises ``ConfigurationError``."""
        self.settings = load(kind)
        self._loaded = _look(self.settings)
        self.fault = ""
        self._hooks: list[tuple[Hook, frozenset[str]]] = []
        self._asked = asyncio.Event()
        READ_AT.set_to_current_time()
        configure_logging(service, self.settings.log_level)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        self.after_change(lambda: configure_logging(service, self.settings.log_level), "log_level")
        for name, meant in misspelt(kind).items():
            log.warning("there is no such setting", setting=name, meant=meant)

    def after_change(self, hook: Hook, *fields: str) -> None:
        """``hook`` is called when one of these has changed; without any, whenever settings were read, since files that they point to may have.

        It may raise ``ConfigurationError``, and then leaves everything as it was.
        """
        self._hooks.append((hook, frozenset(fields)))

    def faults(self) -> list[str]:
        """For ``/readyz``."""
        return ["settings"] if self.fault else []

    async def follow(self) -> None:
        """Until it is cancelled."""
        before = self._loaded
        while True:
            await set_within(self._asked, LOOK_SECONDS)
            asked = self._asked.is_set()  # a signal may have come just when the time was up
            self._asked.clear()
            now = await asyncio.to_thread(_look, self.settings)
            if asked or (now != self._loaded and now == before):  # and not in the middle of a change
                self._loaded = now
                await self.reload()
            before = now

    async def reload(self) -> None:
        kind = type(self.settings)
        try:
            fresh = await asyncio.to_thread(load, kind)
            changed = {name for name in kind.model_fields if getattr(fresh, name) != getattr(self.settings, name)}
            live = {name for name in changed if is_live(kind.model_fields[name])}
            for name in live:
                object.__setattr__(self.settings, name, getattr(fresh, name))
            for hook, fields in self._hooks:
                if (not fields or fields & live) and (more := hook()) is not None:
                    await more
        except ConfigurationError as error:
            self.fault = str(error)
            log.error("settings are refused, what was there stays", why=self.fault)  # noqa: TRY400 -- the text says it all
        else:
            self.fault = ""
            READ_AT.set_to_current_time()
            log.info("settings were read anew", changed=_variables(kind, live), need_a_restart=_variables(kind, changed - live))
        REFUSED.set(bool(self.fault))


def _variables(kind: type[ServiceBlock], fields: set[str]) -> list[str]:
    return sorted(variable(name, kind.model_fields[name]) for name in fields)


def _look(settings: ServiceBlock) -> _Look:
    """What tells whether a file has changed."""
    found = []
    for path in setting_files(settings):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((path, status.st_mtime_ns, status.st_ino, status.st_size))
    return tuple(found)
