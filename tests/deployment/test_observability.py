"""What watches the suite, in Compose and on Kubernetes, against what there is to be watched."""

from __future__ import annotations

import re

import yaml

from domicile_local.deployment.rules import RULE, prometheus_rule
from domicile_local.deployment.truth import HEALTH, ROOT, SERVICES, ports

FOLDER = ROOT / "deploy/observability"
SUITE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
ADDED = yaml.safe_load((ROOT / "deploy/compose.observability.yaml").read_text())["services"]
WATCHERS = {name: service for name, service in ADDED.items() if name not in SUITE}


def test_prometheus_looks_where_each_service_shows_its_metrics():
    jobs = {job["job_name"]: job for job in yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]}
    for service in SERVICES:
        (found,) = jobs[service]["dns_sd_configs"]
        assert found["port"] == ports(service)[HEALTH[service]]
        assert set(found["names"]) == {name for name in SUITE if re.fullmatch(rf"{service}(-\d)?", name)}


def test_every_process_of_ours_is_told_where_the_collector_listens():
    collector = yaml.safe_load((FOLDER / "collector.yaml").read_text())
    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    told = {name for name, service in ADDED.items() if "OTEL_EXPORTER_OTLP_ENDPOINT" in service.get("environment", {})}
    assert told == {name for name, service in SUITE.items() if "/domicile/" in f"/{service['image']}"} - {"migrate"}
    assert {ADDED[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] for name in told} == {f"http://collector:{port}"}


def test_watchers_are_pinned_and_reached_from_this_machine_only():
    for service in WATCHERS.values():
        assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", service["image"])
        assert all(mapping.startswith("127.0.0.1:") for mapping in service.get("ports", ()))
        assert all((ROOT / "deploy" / volume.split(":")[0]).exists() for volume in service.get("volumes", ()) if volume[0] == ".")


def test_kubernetes_gets_the_same_alerts():
    assert RULE.read_text() == prometheus_rule(), "python -m domicile_local.deployment.rules makes it anew"
