from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_reference_is_what_the_command_says_of_itself(tmp_path):
    """``make reference`` brings it up to date."""
    made = tmp_path / "reference.md"
    subprocess.run(["make", "-s", "-C", ROOT, "reference", f"REFERENCE={made}", f"BIN={Path(sys.executable).parent}"], check=True)
    assert made.read_text("utf-8") == (ROOT / "docs/cli-reference.md").read_text("utf-8")
