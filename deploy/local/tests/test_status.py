from __future__ import annotations

import io

from domicile_local.parts import Part
from domicile_local.status import Status


class Terminal(io.StringIO):
    def isatty(self):
        return True


def part(name, fault=""):
    return Part(name, "http://127.0.0.1:1", None, lambda: fault)


def test_away_from_a_terminal_only_changes_are_written():
    out = io.StringIO()
    status = Status(out)
    status.show([part("proxy"), part("metadata", "waits for database")])
    status.show([part("proxy"), part("metadata", "waits for database")])
    status.show([part("proxy"), part("metadata")])
    lines = out.getvalue().splitlines()
    assert [line.split()[:2] for line in lines] == [["proxy", "ready"], ["metadata", "not"], ["metadata", "ready"]]


def test_on_a_terminal_lines_are_rewritten_in_place():
    out = Terminal()
    status = Status(out)
    status.show([part("proxy"), part("metadata")])
    status.show([part("proxy"), part("metadata")])
    assert out.getvalue().count("\n") == 4
    assert out.getvalue().count("\x1b[2F") == 1
