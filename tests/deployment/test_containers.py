"""Compose's files and the images against the services' own settings."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from urllib.parse import urlsplit

import pytest
import yaml

from domicile_local.deployment import certificates, secrets
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
TLS = yaml.safe_load((ROOT / "deploy/compose.tls.yaml").read_text())["services"]
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
    asked = str(health) if health != number else f'"${{METADATA_HEALTH_PORT-{health}}}"'
    assert re.findall(r"^    server (.+)$", section, re.MULTILINE) == [
        f"{name} {name}:{number} port {asked}" for name in (service, f"{service}-2")
    ]
    assert "option httpchk GET /readyz" in told
    assert COMPOSE[f"{service}-2"] == COMPOSE[service]
    assert {"metadata", "metadata-2"} == set(COMPOSE["balancer"]["depends_on"])


def test_with_tls_every_process_shows_and_trusts_what_was_made_for_it(tmp_path):
    secrets.make(tmp_path)
    certificates.make(tmp_path)
    assert TLS["proxy-2"] == TLS["proxy"]
    assert TLS["metadata-2"] == TLS["metadata"]
    for service in SERVICES:
        told = TLS[service]["environment"]
        assert {name for name in variables(service) if name.startswith("TLS_")} == {
            name for name in told if name.startswith("TLS_")
        }
        assert TLS[service]["volumes"] == [f"./secrets/tls/{service}:/run/tls:ro"]
        made = {f"/run/tls/{file.name}" for file in (tmp_path / "tls" / service).iterdir()}
        assert {value for name, value in told.items() if name.startswith("TLS_")} <= made
        number = TLS[service]["environment"].get("METADATA_HEALTH_PORT") or str(ports(service)[HEALTH[service]])
        assert f"'https://127.0.0.1:{number}/readyz'" in TLS[service]["healthcheck"]["test"][-1]
    assert TLS["balancer"]["environment"]["METADATA_HEALTH_PORT"] == TLS["metadata"]["environment"]["METADATA_HEALTH_PORT"]
    host = urlsplit(TLS["proxy"]["environment"]["DOMICILE_METADATA_URL"]).hostname
    assert host in certificates.NAMES["metadata"]
    for service in required_of("RABBITMQ_URL"):
        url = urlsplit((tmp_path / "tls" / service / "RABBITMQ_URL").read_text())
        assert (url.scheme, url.hostname in certificates.NAMES["rabbitmq"], url.port) == ("amqps", True, 5671)


def required_of(setting):
    return {service for service in SERVICES if setting in required(service)}


def test_certificates_are_renewed_by_the_same_authority(tmp_path):
    secrets.make(tmp_path)
    shown = []
    for _ in range(2):
        certificates.make(tmp_path)
        context = ssl.create_default_context(cafile=tmp_path / "tls/authority/ca.crt")
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / "tls/metadata/tls.crt", tmp_path / "tls/metadata/tls.key")
        shown.append(handshake(context, server, "balancer")["serialNumber"])
    assert shown[0] != shown[1]
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, server, "elsewhere")
    certificates.make(tmp_path, ["s3.test", "*.s3.test", "3.test", "fd00::1"])
    server.load_cert_chain(tmp_path / "tls/proxy/tls.crt", tmp_path / "tls/proxy/tls.key")
    for name in ("bucket.s3.test", "3.test", "fd00::1"):
        assert handshake(context, server, name)


def test_users_of_other_numbers_reach_their_certificates_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        secrets.make(tmp_path)
        certificates.make(tmp_path)
    finally:
        os.umask(before)
    assert {folder.stat().st_mode & 0o005 for folder in (tmp_path / "tls").iterdir() if folder.name != "authority"} == {0o005}


def handshake(client, server, name):
    """What a client that looks for ``name`` is shown, in memory."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking, answering = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(3):
        for side in (asking, answering):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return asking.getpeercert()


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
