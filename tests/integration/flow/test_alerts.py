"""The alert rules: they are valid, fire when they should and only then, are explained, and speak of metrics that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

from domicile_common.testing.installation import until

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "observability" / "alerts.yaml"


@pytest.mark.parametrize("command", ["check rules alerts.yaml", "test rules alerts_test.yaml"])
def test_promtool_is_content(command):
    done = subprocess.run(["promtool", *command.split()], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_every_alert_is_explained_and_no_other():
    explained = re.findall(r"^\| `(Domicile\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert explained == [rule["alert"] for rule in rules()]


@pytest.mark.servers
def test_every_metric_is_shown_by_a_running_service(domicile):
    spoken_of = {name for rule in rules() for name in re.findall(r"domicile_\w+", rule["expr"])}

    def shown() -> set[str]:
        pages = [httpx.get(f"{it.health}/metrics", trust_env=False).text for it in domicile.suite.services.values()]
        kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", "\n".join(pages), re.MULTILINE))
        return {name + end for name, kind in kinds.items() for end in ("_bucket" if kind == "histogram" else "",)}

    until(lambda: spoken_of <= shown(), what=lambda: f"metrics {spoken_of - shown()} are shown")
