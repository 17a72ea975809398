"""Runs a service that kills itself at a chosen place.

    python -m domicile_common.testing.kill_at (before|after) [--count N] module:qualified.name -- module_to_run [arguments]

wraps the function or method ``qualified.name`` of ``module`` so that its Nth call (the first one by default) sends SIGKILL to its own
process, right before it runs or right after it has returned. Then it runs ``module_to_run`` as ``python -m`` would. Production code so
needs no hooks. ``module`` must not be ``module_to_run`` itself: that one is run afresh as ``__main__``.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import itertools
import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any, Literal

When = Literal["before", "after"]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wrap(place: str, when: When, count: int = 1, end: Callable[[], None] = die) -> None:
    """Replaces the function at ``module:qualified.name`` by one that calls ``end`` at its ``count``-th call."""
    replace(place, lambda function: _killing(function, when, count, end))


def replace(place: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Puts what ``make`` makes of it in the place of the function at ``module:qualified.name``."""
    module_name, _, qualified = place.partition(":")
    *path, name = qualified.split(".")
    owner: Any = functools.reduce(getattr, path, importlib.import_module(module_name))
    found = inspect.getattr_static(owner, name)
    if isinstance(found, staticmethod | classmethod):
        setattr(owner, name, type(found)(make(found.__func__)))
    else:
        setattr(owner, name, make(found))


def _killing(function: Callable[..., Any], when: When, count: int, end: Callable[[], None]) -> Callable[..., Any]:
    calls = itertools.count(1)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapped_async(*args: Any, **kwargs: Any) -> Any:
            last = next(calls) == count
            if last and when == "before":
                end()
            result = await function(*args, **kwargs)
            if last and when == "after":
                end()
            return result

        return wrapped_async

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        last = next(calls) == count
        if last and when == "before":
            end()
        result = function(*args, **kwargs)
        if last and when == "after":
            end()
        return result

    return wrapped


def main() -> None:
    parser = argparse.ArgumentParser(prog="kill_at", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("when", choices=["before", "after"])
    parser.add_argument("--count", type=int, default=1, metavar="N", help="kill at the Nth call")
    parser.add_argument("place", help="module:qualified.name")
    parser.add_argument("module", help="what to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    wrap(chosen.place, chosen.when, chosen.count)
    sys.argv = [chosen.module, *chosen.arguments]
    runpy.run_module(chosen.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
