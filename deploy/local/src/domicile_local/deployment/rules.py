"""``python -m domicile_local.deployment.rules``: wraps the alert rules as Prometheus Operator wants them, after a change of alerts.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

DEPLOY: Final = Path(__file__).parents[4]
ALERTS: Final = DEPLOY / "observability" / "alerts.yaml"
RULE: Final = DEPLOY / "k8s" / "components" / "monitoring" / "prometheusrule.yaml"


def prometheus_rule() -> str:
    rules = yaml.safe_load(ALERTS.read_text())
    document = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "domicile"},
        "spec": rules,
    }
    words = yaml.safe_dump(document, sort_keys=False, width=120)
    return f"# Made of deploy/observability/alerts.yaml by `python -m domicile_local.deployment.rules`.\n{words}"


if __name__ == "__main__":
    RULE.write_text(prometheus_rule())
