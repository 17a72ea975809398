"""How far a long task has got: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from domicile_client.call import Json
from domicile_client.cli import show


class Following:
    """``console``: that of stderr, so that the answer on stdout stays clean."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""
        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._line: TaskID = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def show(self, task: Json) -> None:
        text = f"{task['state']}  {counts(task['progress'])}"
        done, total = share(task["progress"])
        self._bar.update(self._line, description=text, completed=done, total=total)
        if not self._console.is_terminal and text != self._last:
            self._console.print(show.plain(text), soft_wrap=True, highlight=False)
        self._last = text


def counts(progress: dict[str, int]) -> str:
    return "  ".join(f"{name} {show.written(name, count)}" for name, count in progress.items())


def share(progress: dict[str, int]) -> tuple[int, int | None]:
    """How much of how much is done. Only of copies is it known beforehand how many there will be; ``None`` otherwise."""
    kinds = [progress.get(f"copies_{kind}", 0) for kind in ("verified", "owed", "parked")]
    return (kinds[0], sum(kinds)) if sum(kinds) else (0, None)
