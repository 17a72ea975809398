"""Compose's files and the images against the services' own settings."""

from __future__ import annotations

import re

import pytest
import yaml

from domicile_local.deployment.compose import PORTS as PUBLISHED
from domicile_local.deployment.truth import (
    HEALTH,
    PROCESSES,
    ROOT,
    SERVICES,
    knows,
    opens_backends,
    ports,
    required,
    secret,
    variables,
)
from domicile_local.servers.seaweedfs import COMMON_OPTIONS, arguments

COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
DEMO = yaml.safe_load((ROOT / "deploy/compose.demo.yaml").read_text())["services"]
DOCKERFILES = {service: (ROOT / "services" / service / "Dockerfile").read_text() for service in SERVICES}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside its container
HEALTH_CALL = re.compile(r"http://127\.0\.0\.1:(\d+)(/\w+)")


@pytest.mark.parametrize("process", PROCESSES)
def test_compose_gives_every_process_the_settings_it_needs_and_no_others(process, deploy):
    service = COMPOSE[process]
    given = set(service["environment"])
    folders = [volume.split(":")[0] for volume in service.get("volumes", ())]
    files = {file.name for folder in folders for file in (deploy / folder).iterdir()}
    everybody = set().union(*(variables(each) for each in SERVICES))
    assert given <= everybody
    assert not given & secret(process), "a secret stands in the file"
    assert required(process) <= given | files
    assert folders == ([f"./secrets/{'metadata' if process == 'migrate' else process}"] if secret(process) else [])


@pytest.mark.parametrize("service", SERVICES)
def test_compose_asks_for_readiness_where_it_is_told(service):
    number, path = HEALTH_CALL.search(COMPOSE[service]["healthcheck"]["test"][-1]).groups()
    assert (int(number), path) == (ports(service)[HEALTH[service]], "/readyz")


def test_compose_publishes_three_doors_on_this_machine_only():
    doors = {name: service["ports"] for name, service in COMPOSE.items() if "ports" in service}
    inner = {"balancer": ports("proxy")["s3"], "discovery": ports("discovery")["http"], "rabbitmq": 15672}
    assert set(doors) == set(inner)
    for name, (mapping,) in doors.items():
        setting, default, target = re.fullmatch(r"127\.0\.0\.1:\$\{(\w+):-(\d+)\}:(\d+)", mapping).groups()
        assert int(target) == inner[name]
        assert PUBLISHED[setting] == default


def test_the_demo_finds_what_its_file_publishes():
    for service in DEMO.values():
        (mapping,) = service["ports"]
        setting, default, _ = re.fullmatch(r"127\.0\.0\.1:\$\{(\w+):-(\d+)\}:(\d+)", mapping).groups()
        assert PUBLISHED[setting] == default


def test_only_who_calls_backends_has_a_way_out():
    ways_out = {name for name, service in COMPOSE.items() if "outside" in service["networks"]}
    published = {name for name, service in COMPOSE.items() if "ports" in service}
    assert ways_out == opens_backends() | published | {"proxy-2"}
    assert yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize(("door", "service", "port"), [("s3", "proxy", "s3"), ("metadata", "metadata", "http")])
def test_the_balancer_leads_to_both_and_asks_them_for_readiness(door, service, port):
    told = (ROOT / "deploy/balancer/haproxy.cfg").read_text()
    number, health = ports(service)[port], ports(service)[HEALTH[service]]
    section = told.partition(f"\nlisten {door}\n")[2].partition("\nlisten ")[0]
    assert re.findall(r"^    bind :(\d+)$", section, re.MULTILINE) == [str(number)]
    assert re.findall(r"^    server (\S+) (\S+?):(\d+)(?: port (\d+))?$", section, re.MULTILINE) == [
        (name, name, str(number), "" if health == number else str(health)) for name in (service, f"{service}-2")
    ]
    assert "option httpchk GET /readyz" in told
    assert COMPOSE[f"{service}-2"] == COMPOSE[service]
    assert {"metadata", "metadata-2"} == set(COMPOSE["balancer"]["depends_on"])


def test_services_know_metadata_as_the_balancer():
    assert {COMPOSE[caller]["environment"]["DOMICILE_METADATA_URL"] for caller in knows("DOMICILE_METADATA_URL")} == {
        f"http://balancer:{ports('metadata')['http']}"
    }


def test_nobody_starts_before_those_it_calls():
    for setting, server in (("DATABASE_URL", "migrate"), ("RABBITMQ_URL", "rabbitmq"), ("DOMICILE_METADATA_URL", "balancer")):
        for caller in knows(setting) - {"migrate"}:
            assert server in COMPOSE[caller]["depends_on"]


@pytest.mark.parametrize("process", PROCESSES)
def test_containers_of_ours_may_do_as_little_as_possible(process):
    service = COMPOSE[process]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])


def test_backends_run_as_those_of_the_local_suite():
    inside = {"ip": "127.0.0.1", "ip.bind": EVERYWHERE, "dir": "/data", "s3.port": 8333, "s3.config": "/run/secrets/backend.json"}
    for name in ("fi", "de", "us"):
        assert COMPOSE[f"backend-{name}"]["command"] == arguments({**COMMON_OPTIONS, **inside})


@pytest.mark.parametrize("service", SERVICES)
def test_images_say_the_services_ports_and_ask_for_its_health(service):
    exposed = re.search(r"^EXPOSE (.+)$", DOCKERFILES[service], re.MULTILINE)[1].split()
    assert set(map(int, exposed)) == set(ports(service).values())
    number, path = HEALTH_CALL.search(DOCKERFILES[service]).groups()
    assert (int(number), path) == (ports(service)[HEALTH[service]], "/healthz")


@pytest.mark.parametrize("service", SERVICES)
def test_images_run_as_nobody(service):
    last = DOCKERFILES[service].split("\nFROM ")[-1]
    assert re.search(r"^USER 65534:65534$", last, re.MULTILINE)


def test_images_differ_only_in_what_they_are_of():
    """One recipe, four images: a change to one of them belongs into all."""
    recipes = set()
    for service, text in DOCKERFILES.items():
        recipe = re.sub(r"\A#.*|^EXPOSE.*|127\.0\.0\.1:\d+|image\.description=.*", "", text, flags=re.MULTILINE)
        recipe = re.sub(r"^FROM \S+ AS web\n.*?\n(?=FROM)", "", recipe, flags=re.MULTILINE | re.DOTALL)  # the page is built apart
        recipe = re.sub(r"(^COPY .*(services|clients)/.*\n)+", "COPY it\n", recipe, flags=re.MULTILINE).replace(
            "./clients/python ", ""
        )
        recipes.add(recipe.replace(service, "<service>"))
    assert len(recipes) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_the_time_that_its_service_takes_to_stop(service):
    told = variables(service)
    assert (
        int(COMPOSE[service]["stop_grace_period"].removesuffix("s"))
        >= told["STOP_NOTICE_SECONDS"] + told["STOP_GRACE_SECONDS"] + 10
    )
