"""``python -m domicile_local run|ready|demo``: what ``make run``, ``make ready`` and ``make demo`` call."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from domicile_local import demo, ready, texts
from domicile_local.errors import SuiteError
from domicile_local.launcher import running, watch
from domicile_local.settings import Settings, load
from domicile_local.status import Status

USAGE = "usage: python -m domicile_local run|ready|demo"


class Stopped(KeyboardInterrupt):
    """Ctrl-C, TERM or a closed terminal. As a kind of KeyboardInterrupt it passes through everything that runs at that moment."""


def stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what follows ends by itself, and in order
    raise Stopped


def say(text: str) -> None:
    print(text, flush=True)


def run(settings: Settings) -> int:
    with running(settings, say, samples=True) as launcher:
        say(texts.welcome(launcher.run_env, settings.state / "run.env"))
        watch(launcher, Status(sys.stdout))
    return 0


def main() -> int:
    commands = {"run": run, "ready": ready.ready, "demo": demo.demo}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:  # noqa: PLR2004 -- the program and one word
        print(USAGE, file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        return commands[sys.argv[1]](load(os.environ, Path.cwd()))
    except Stopped:
        return 0
    except SuiteError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:  # no folder where one should be, no right to write, no room left
        print(f"\n{error.filename or 'Something'}: {error.strerror}. DOMICILE_STATE names the folder.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
