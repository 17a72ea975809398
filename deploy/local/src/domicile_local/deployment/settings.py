"""``python -m domicile_local.deployment.settings FILE``: writes the table of all settings, from the services' own classes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domicile_common.settings import is_live, is_secret, variables
from domicile_local.deployment.truth import ROOT, SERVICES

PAGE = ROOT / "docs" / "settings.md"

HEAD = """# Settings

Written by `make settings` from the services' own code; a test keeps it true. How settings are given, and how they change while services run, is in
[operations](operations.md#settings).

*live*: a change takes effect without a restart. Times are in seconds, sizes in bytes.

| setting | services | type | default | live | meaning |
|---|---|---|---|---|---|
"""


def page() -> str:
    rows: dict[str, list[str]] = {}
    for service, settings in SERVICES.items():
        shapes = settings.model_json_schema(by_alias=False)["properties"]
        for name, field in variables(settings).items():
            info, shape = settings.model_fields[field], shapes[field]
            what = [
                "secret" if is_secret(info) else kind(shape),
                "needed" if info.is_required() else default(shape.get("default")),
                "yes" if is_live(info) else "",
                info.description or "",
            ]
            _, *known = rows.setdefault(name, ["", *what])
            if known != what:
                raise ValueError(f"{name} is not the same setting for all services")
            rows[name][0] = ", ".join(filter(None, (rows[name][0], service)))
    return HEAD + "".join(line(name, *rows[name]) for name in sorted(rows))


def line(name: str, *cells: str) -> str:
    literal = [cell.replace("|", "\\|").replace("<", "\\<") for cell in cells]
    return f"| `{name}` | {' | '.join(literal)} |\n"


def kind(shape: Mapping[str, Any]) -> str:
    """A JSON Schema in words."""
    if "anyOf" in shape:
        return kind(next(each for each in shape["anyOf"] if each["type"] != "null"))
    if "enum" in shape:
        return " or ".join(f"`{value}`" for value in shape["enum"])
    match shape["type"]:
        case "array" if "enum" in shape["items"]:
            return f"any of {', '.join(f'`{value}`' for value in shape['items']['enum'])}, separated by commas"
        case "array":
            return "words, separated by commas"
        case "integer" | "number" as name:
            limits = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
            return " ".join([name, *(f"{word} {shape[limit]}" for limit, word in limits.items() if limit in shape)])
        case _:
            return "file" if shape.get("format") == "file-path" else "text"


def default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return f"`{','.join(map(str, value))}`" if value else "none"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
