"""Alert rules are valid, fire when they should and only then, and are explained; they, the dashboards and the documentation speak of metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

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


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((RULES.parent / "dashboards").glob("*.json"))]


def shown(domicile) -> dict[str, set[str]]:
    """Name of a metric as queries have it → the services that show it."""
    found: dict[str, set[str]] = {}
    for service in domicile.suite.services.values():
        page = httpx.get(f"{service.health}/metrics", trust_env=False).text
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE):
            found.setdefault(name + ("_bucket" if kind == "histogram" else ""), set()).add(service.name)
    return found


@pytest.mark.servers
def test_alerts_and_dashboards_speak_of_metrics_that_are_shown(domicile):
    expressions = [rule["expr"] for rule in rules()]
    for dashboard in dashboards():
        expressions += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        expressions += [variable["query"]["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    spoken_of = {name for each in expressions for name in re.findall(r"(?:domicile|process)_\w+", each)}
    until(lambda: spoken_of <= shown(domicile).keys(), what=lambda: f"metrics {spoken_of - shown(domicile).keys()} are shown")


@pytest.mark.servers
def test_the_table_of_metrics_is_true(domicile):
    table = re.findall(r"^\| `(domicile_\w+)` \| ([\w, ]+) \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    written = dict(table)

    def true() -> dict[str, str]:
        own = {
            name.removesuffix("_bucket"): services for name, services in shown(domicile).items() if name.startswith("domicile_")
        }
        order = list(domicile.suite.services)
        return {
            name: ", ".join(sorted(services, key=order.index)) if len(services) < len(order) else "all"
            for name, services in own.items()
            if not name.endswith("_created")
        }

    until(lambda: "domicile_owed_copies" in true(), what="what is owed was measured")
    assert written == true()


def test_dashboards_are_what_grafana_can_tell_apart():
    assert len({dashboard["uid"] for dashboard in dashboards()}) == len(dashboards()) == 4
    for dashboard in dashboards():
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        assert all(panel["datasource"]["uid"] == "${datasource}" for panel in dashboard["panels"])
