"""The threat model names tests: they exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CELL = re.compile(r"`((?:[\w/.]+\.py)?)::(\w+)`")


def named() -> list[tuple[str, str]]:
    """File and test; within a line, a name without a file is one of the file before."""
    found = []
    for line in (ROOT / "docs" / "security.md").read_text("utf-8").splitlines():
        file = ""
        for path, test in CELL.findall(line):
            file = path or file
            found.append((file, test))
    return found


def test_every_test_that_the_threat_model_names_exists():
    tests = named()
    assert len(tests) > 50
    missing = [(file, test) for file, test in tests if f"def {test}(" not in (ROOT / file).read_text("utf-8")]
    assert missing == []


def test_every_threat_names_a_test():
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    threats = page.partition("## Threat model")[2].partition("\n## ")[0].partition("### ")[2]
    rows = [line for line in threats.splitlines() if line.startswith("| ") and not line.startswith("| threat |")]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []
