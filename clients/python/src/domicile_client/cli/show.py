"""Answers as a person reads them: tables and lists of facts. How a field is written follows from its name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domicile_client.call import Json

NOTHING: Final = "-"
_GOOD: Final = frozenset({"active", "verified", "done", "kept", "yes"})
_BAD: Final = frozenset({"failed", "lost", "parked", "missing", "corrupt", "unreadable"})
_BETWEEN: Final = frozenset({"draining", "readonly", "disabled", "paused", "wanted", "waiting", "running", "cancelled", "owed"})
_BYTES: Final = ("bytes", "size", "stored")
_INSTANTS: Final = frozenset({"since", "not_before", "at"})
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_KIB: Final = 1024


def plain(text: str) -> Text:
    """Without markup, and with nothing in it that a terminal obeys: keys come from anybody."""
    return Text("".join(char if char.isprintable() else repr(char)[1:-1] for char in text))


def table(rows: Iterable[Json], columns: Sequence[str]) -> RenderableType:
    """``columns``: fields of a row; ``owed.copies`` is a field of a field, and ``owed.copies=owed`` has a name of its own."""
    shown = list(rows)
    if not shown:
        return plain("Nothing.")
    made = Table(box=None, pad_edge=False, header_style="bold")
    fields = [column.partition("=")[0] for column in columns]
    for column, field in zip(columns, fields, strict=True):
        label = column.partition("=")[2] or _label(field)
        made.add_column(plain(label), overflow="fold", justify="right" if _is_number(shown, field) else "left")
    for row in shown:
        made.add_row(*(cell(field.rpartition(".")[2], _field(row, field)) for field in fields))
    return made


def facts(answer: Json) -> RenderableType:
    """Field by field; lists of objects become tables below."""
    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    below: list[RenderableType] = []
    for name, value in _flat(answer):
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            title = plain(_label(name))
            title.stylize("bold underline")
            below += [plain(""), title, table(value, tuple(_columns(value)))]
        else:
            grid.add_row(plain(_label(name)), cell(name.rpartition(".")[2], value))
    return Group(grid, *below)


def _flat(answer: Json, before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in answer.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _columns(rows: list[Json]) -> Iterable[str]:
    """Those that at least one of the rows has something in."""
    names = dict.fromkeys(name for row in rows for name, _ in _flat(row))
    return (name for name in names if any(_field(row, name) not in (None, "", [], {}) for row in rows))


def _field(row: Json, path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _label(path: str) -> str:
    return path.replace("_", " ").replace(".", " ")


def _is_number(rows: list[Json], column: str) -> bool:
    values = [_field(row, column) for row in rows]
    return any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def cell(name: str, value: Any) -> Text:
    text = written(name, value)
    style = "green" if text in _GOOD else "red" if text in _BAD else "yellow" if text in _BETWEEN else ""
    made = plain(text)
    made.stylize(style)
    return made


def written(name: str, value: Any) -> str:
    """``name``: of the field; it tells the unit."""
    match value:
        case None | "" | []:
            text = NOTHING
        case bool():
            text = "yes" if value else "no"
        case int() | float():
            text = _number(name, value)
        case str():
            text = instant(value) if name.endswith("_at") or name in _INSTANTS else value
        case list():
            text = ", ".join(written("", each) for each in value)
        case dict():
            text = ", ".join(f"{key}: {written(key, each)}" for key, each in value.items()) or NOTHING
        case _:
            text = str(value)
    return text


def _number(name: str, value: float) -> str:
    if name.endswith(_BYTES):
        return size(value)
    if name.endswith("_seconds"):
        return duration(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def size(count: float) -> str:
    """Bytes, with the unit that leaves one to four digits."""
    if count < _KIB:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= _KIB
        if count < _KIB:
            return f"{count:.1f} {unit}"
    return f"{count / _KIB:,.1f} TiB"


def duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.3g} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds / _DAY:,.1f} days"


def instant(text: str) -> str:
    """To the second, in UTC: what is compared with logs."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
