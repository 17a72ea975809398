"""Every call of the command that a document shows is one that the command takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from domicile_client.cli.main import app

ROOT = Path(__file__).parents[3]
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if page.name != "cli-reference.md"]
IN_A_LINE, A_LINE = re.compile(r"`domicile ([a-z]+ [^`\n]+)`"), re.compile(r"^ *(?:.*\| )?domicile ([^`\n]+)$", re.MULTILINE)
COMMAND = typer.main.get_command(app)
SHELL = {"<", ">", "|", ";"}


def calls(page: Path) -> list[str]:
    """Without those that leave something out. What is no command of ours within a line of prose, is something else of that name."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    said = [call for call in IN_A_LINE.findall(text) if call.split()[0] in COMMAND.commands]
    return [call for call in (*said, *A_LINE.findall(text)) if "…" not in call]


def words(call: str) -> list[str]:
    """What the shell hands to the command; ``<task>`` and ``$(key fi)`` stand for a word."""
    split = shlex.split(re.sub(r"<(\w+)>|\$\([^)]*\)", "word", call), comments=True)
    end = next((number for number, word in enumerate(split) if word in SHELL), len(split))
    return split[:end]


def parse(arguments: list[str]) -> None:
    """Raises what the command would, before it does anything."""
    command, context = COMMAND, COMMAND.make_context("domicile", arguments)
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


def test_documents_show_calls():
    assert sum(len(calls(page)) for page in PAGES) > 35


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shown_calls_are_understood(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    wrong = []
    for call in calls(page):
        try:
            parse(words(call))
        except (typer.TyperException, typer.Exit) as error:
            wrong.append(f"{call}: {error}")
    assert wrong == []
