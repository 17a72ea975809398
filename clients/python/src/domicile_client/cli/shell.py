"""What every command works with: the client, the terminal, and the ways to carry a call out and show its answer."""

from __future__ import annotations

import inspect
import json as json_format
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_type_hints

import typer
from rich.console import Console, RenderableType

from domicile_client import tasks
from domicile_client.call import Call, Json
from domicile_client.cli import show
from domicile_client.cli.options import LIMIT, Limit
from domicile_client.cli.progress import Following
from domicile_client.cli.settings import Settings
from domicile_client.client import Domicile

DONE, REFUSED, WRONG_CALL, NO_ANSWER, NOT_ADMITTED, INTERRUPTED = 0, 1, 2, 3, 4, 130
FOLLOW_SECONDS = 2.0
WIDE: Final = 10_000  # columns: what is no terminal gets whole lines

View = Callable[[Json], RenderableType]


@dataclass
class Shell:
    settings: Settings
    json: bool = False
    output: Console = field(default_factory=lambda: _console(sys.stdout))
    errors: Console = field(default_factory=lambda: _console(sys.stderr))

    @cached_property
    def client(self) -> Domicile:
        return Domicile(**self.settings.connection())

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    def show(self, answer: Json, view: View = show.facts) -> None:
        if self.json:
            self.output.file.write(json_format.dumps(answer, indent=2, ensure_ascii=False) + "\n")
            self.output.file.flush()
        else:
            self.output.print(view(answer), highlight=False)

    def tell(self, text: str) -> None:
        """A line for the person, on stderr."""
        self.errors.print(show.plain(text), highlight=False, soft_wrap=True)


def _console(file: Any) -> Console:
    return Console(file=file, markup=False, emoji=False, width=None if file.isatty() else WIDE)


Action = Callable[[Shell], None]


def ask(call: Call, view: View = show.facts) -> Action:
    return lambda shell: shell.show(shell.client.ask(call), view)


def listing(call: Call, columns: tuple[str, ...], limit: int | None) -> Action:
    """Up to ``limit`` rows of all pages; in JSON the first answer, with the rows of all of them."""

    def run(shell: Shell) -> None:
        assert call.pages is not None
        first, *others = shell.client.pages(call, limit)
        rows = [row for answer in (first, *others) for row in answer[call.pages.rows]]
        last = others[-1] if others else first
        more: Json = {name: last[name] for name in ("truncated", "next") if name in last}
        shell.show({**first, **more, call.pages.rows: rows}, lambda _: show.table(rows, columns))
        if any(more.values()) and not shell.json:
            shell.tell(f"There are more than these {len(rows)}: --limit says how many to show, --all shows them all.")

    return run


def written(call: Call, file: Path) -> Action:
    """The answer goes to a file as it arrives; the file is there when it is whole. What is no file, such as /dev/stdout, takes it as it comes."""
    target = file.resolve()
    as_it_comes = target.exists() and not target.is_file()
    arriving = target if as_it_comes else target.with_name(f"{target.name}.part")

    def run(shell: Shell) -> None:
        try:
            with arriving.open("wb") as opened:
                size = shell.client.download(call, opened)
            if not as_it_comes:
                arriving.replace(target)
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}") from None
        finally:
            if not as_it_comes:
                arriving.unlink(missing_ok=True)
        shell.show({"file": str(file), "bytes": size})

    return run


def follow(task: Call, *, to_the_end: bool = True) -> Action:
    """Shows a task: as it is, or how far it gets, until it has ended or rests."""

    def run(shell: Shell) -> None:
        now = shell.client.ask(task)
        again = tasks.show(now["task_id"])
        if to_the_end:
            with Following(shell.errors) as following:
                while now["state"] in tasks.UNDER_WAY:
                    following.show(now)
                    time.sleep(FOLLOW_SECONDS)
                    now = shell.client.ask(again)
        shell.show(now)
        if to_the_end and now["state"] != "done":
            raise typer.Exit(REFUSED)

    return run


_CONTEXT = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
_JSON = inspect.Parameter(
    "json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")],
)
_PAGES = (
    inspect.Parameter("limit", inspect.Parameter.KEYWORD_ONLY, default=LIMIT, annotation=Limit),
    inspect.Parameter(
        "everything",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, typer.Option("--all", help="Show them all.")],
    ),
)


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., Action]], Callable[..., Action]]:
    """Makes a command of a function; ``--json`` comes with every one of them."""

    def register(function: Callable[..., Action]) -> Callable[..., Action]:
        _add(app, name, function.__doc__, function, *_parameters(function))
        return function

    return register


def listed(app: typer.Typer, name: str, columns: tuple[str, ...]) -> Callable[[Callable[..., Call]], Callable[..., Call]]:
    """Makes a command of a function to a call whose answer comes in pages; ``--limit`` and ``--all`` come with it."""

    def register(function: Callable[..., Call]) -> Callable[..., Call]:
        def action(*, limit: int, everything: bool, **said: Any) -> Action:
            return listing(function(**said), columns, None if everything else limit)

        _add(app, name, function.__doc__, action, *_parameters(function), *_PAGES)
        return function

    return register


def _parameters(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    """``**name: Unpack[…]`` stands for the fields of that ``TypedDict``, as options that need not be said."""
    hints = get_type_hints(function, include_extras=True)
    for it in inspect.signature(function).parameters.values():
        if it.kind is not inspect.Parameter.VAR_KEYWORD:
            yield it.replace(annotation=hints[it.name])
            continue
        (fields,) = get_args(hints[it.name])
        for name, hint in get_type_hints(fields, include_extras=True).items():
            yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)


def _add(app: typer.Typer, name: str, text: str | None, action: Callable[..., Action], *parameters: inspect.Parameter) -> None:
    def run(context: typer.Context, *, json: bool = False, **said: Any) -> None:
        shell: Shell = context.obj
        shell.json = json
        try:
            action(**said)(shell)
        finally:
            shell.close()

    # What typer reads instead of the signature above.
    run.__signature__ = inspect.Signature([_CONTEXT, *parameters, _JSON])  # type: ignore[attr-defined]
    run.__annotations__ = {it.name: it.annotation for it in (_CONTEXT, *parameters, _JSON)}
    run.__doc__ = text
    app.command(name)(run)
