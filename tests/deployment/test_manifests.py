"""Manifests against the services' own settings, and against each other."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from domicile_common.amqp.topology import parking_queue, topology, work_queue
from domicile_common.settings import FOLDERS, load
from domicile_common.telemetry import health_routes
from domicile_local.deployment import manifests
from domicile_local.deployment.secrets import contents
from domicile_local.deployment.truth import HEALTH, ROOT, SERVICES, knows, opens_backends, ports, required, secret, variables
from domicile_local.servers.seaweedfs import COMMON_OPTIONS, arguments

RENDERINGS = ("base", "dev", "production", "production-external")
NAME = "app.kubernetes.io/name"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside its pod


def of_kind(objects, *kinds):
    return [each for each in objects if each["kind"] in kinds]


def one(objects, kind, name):
    (found,) = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pod(workload):
    return workload["spec"]["template"]["spec"]


def process(workload):
    return workload["spec"]["template"]["metadata"]["labels"][NAME]


def ours(objects):
    """Deployments and Jobs: everything that runs an image of ours."""
    return of_kind(objects, "Deployment", "Job")


@pytest.mark.parametrize("service", SERVICES)
def test_ports_and_probes_are_the_services(rendered, service):
    deployment = one(rendered["base"], "Deployment", service)
    (container,) = pod(deployment)["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == ports(service)
    paths = {route.path for route in health_routes({})}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        http = container[probe]["httpGet"]
        assert http["port"] == HEALTH[service]
        assert http["path"] in paths
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_services_lead_to_the_ports(rendered):
    for service in of_kind(rendered["base"], "Service"):
        name = service["spec"]["selector"][NAME]
        assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]}.items() <= ports(name).items()


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_every_process_gets_the_settings_it_needs_and_no_others(rendered, rendering):
    objects = rendered[rendering]
    (config,) = [each["data"] for each in of_kind(objects, "ConfigMap") if "DOMICILE_METADATA_URL" in each["data"]]
    for workload in ours(objects):
        name = process(workload)
        (container,) = pod(workload)["containers"]
        own = {each["name"] for each in container.get("env", ())}
        shared = set(config) if container.get("envFrom") else set()
        files = secret_files(workload)
        assert own <= set(variables(name))
        assert not (own | shared) & secret(name), "a secret stands in a manifest"
        assert files <= set(variables(name))
        assert required(name) <= own | shared | files
    everybody = set().union(*(variables(name) for name in SERVICES))
    assert {name for name in config if not name.startswith("OTEL_")} <= everybody  # those are OpenTelemetry's own


def secret_files(workload):
    """What stands in /run/secrets: named keys, or all that the Secret of a service holds (deploy/secrets says what)."""
    made = contents()
    files = set()
    for volume in pod(workload).get("volumes", ()):
        for source in volume["projected"]["sources"]:
            if "secret" not in source:
                continue
            of_service = source["secret"]["name"].removeprefix("domicile-")
            everything = {path.partition("/")[2] for path in made if path.startswith(f"{of_service}/")}
            files |= {item["path"] for item in source["secret"].get("items", ())} or everything
    return files


@pytest.mark.parametrize("service", ["metadata", "proxy", "replicator"])
def test_made_secrets_are_all_that_a_service_needs_and_are_strong_enough(deploy, rendered, service, monkeypatch):
    monkeypatch.setenv("DOMICILE_METADATA_URL", "http://metadata:9010")
    load(SERVICES[service], deploy / "secrets" / service)
    made = {file.name for file in (deploy / "secrets" / service).iterdir()}
    assert required(service) - {"DOMICILE_METADATA_URL"} <= made <= secret(service)
    assert set(one(rendered["dev"], "Secret", f"domicile-{service}")["data"]) == made


def test_made_secrets_are_values_and_nothing_else(deploy):
    made = [file for file in (deploy / "secrets").rglob("*") if file.is_file() and file.name != "kustomization.yaml"]
    assert [file for file in made if file.read_text() != file.read_text().strip()] == []


def test_a_pod_has_the_time_that_its_service_takes_to_stop(rendered):
    stopping = variables("proxy")
    drain = variables("replicator")["REPLICATOR_DRAIN_SECONDS"]
    for deployment in of_kind(rendered["base"], "Deployment"):
        least = stopping["STOP_NOTICE_SECONDS"] + max(stopping["STOP_GRACE_SECONDS"], drain) + 10
        assert pod(deployment)["terminationGracePeriodSeconds"] >= least


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_no_pod_of_ours_has_more_than_the_restricted_standard_allows(rendered, rendering):
    for workload in ours(rendered[rendering]):
        spec = pod(workload)
        assert not spec["automountServiceAccountToken"]
        assert not spec["enableServiceLinks"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
    accounts = {account["metadata"]["name"] for account in of_kind(rendered[rendering], "ServiceAccount")}
    assert {pod(each)["serviceAccountName"] for each in of_kind(rendered[rendering], "Deployment")} == accounts


# --- network policies against the calls that the code can make ---


def chosen(selector):
    """The names of processes that a pod selector means."""
    if "matchExpressions" in selector:
        (expression,) = selector["matchExpressions"]
        assert (expression["key"], expression["operator"]) == (NAME, "In")
        return set(expression["values"])
    return {selector["matchLabels"][NAME]}


@pytest.mark.parametrize(
    ("policy", "callers"),
    [
        ("to-postgresql", knows("DATABASE_URL")),
        ("to-rabbitmq", knows("RABBITMQ_URL")),
        ("to-metadata", knows("DOMICILE_METADATA_URL")),
        ("to-backends", opens_backends()),
    ],
)
def test_who_may_call_is_who_does_call(rendered, policy, callers):
    assert chosen(one(rendered["base"], "NetworkPolicy", policy)["spec"]["podSelector"]) == callers


def test_metadata_answers_to_its_callers_only(rendered):
    spec = one(rendered["base"], "NetworkPolicy", "from-services-to-metadata")["spec"]
    ((peer,), (port,)) = spec["ingress"][0]["from"], spec["ingress"][0]["ports"]
    assert chosen(spec["podSelector"]) == {"metadata"}
    assert chosen(peer["podSelector"]) == knows("DOMICILE_METADATA_URL")
    assert port["port"] in ports("metadata")


def test_everything_else_is_closed(rendered):
    deny = one(rendered["base"], "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    opened = {each["metadata"]["name"] for each in of_kind(rendered["base"], "NetworkPolicy")}
    calls = {"to-postgresql", "to-rabbitmq", "to-metadata", "to-backends", "from-services-to-metadata"}
    assert opened - calls == {"default-deny", "to-dns", "clients-to-proxy", "clients-to-discovery"}
    for door, port in (("clients-to-proxy", "s3"), ("clients-to-discovery", "http")):
        assert one(rendered["base"], "NetworkPolicy", door)["spec"]["ingress"] == [{"ports": [{"port": port}]}]


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_servers_are_open_to_their_callers_only(rendered, rendering):
    callers = {"postgresql": knows("DATABASE_URL"), "rabbitmq": knows("RABBITMQ_URL")}
    numbers = {5432: "postgresql", "postgresql": "postgresql", 5672: "rabbitmq", 5671: "rabbitmq", "amqp": "rabbitmq"}
    for policy in of_kind(rendered[rendering], "NetworkPolicy"):
        serves = policy["spec"]["podSelector"].get("matchLabels", {}).get("domicile/serves")
        for rule in policy["spec"].get("ingress", ()) if serves else ():
            named = [peer["podSelector"] for peer in rule.get("from", ()) if NAME in str(peer.get("podSelector"))]
            assert all(chosen(selector) == callers[serves] for selector in named)
        if policy["metadata"]["name"].startswith("to-external"):
            (port,) = policy["spec"]["egress"][0]["ports"]
            assert chosen(policy["spec"]["podSelector"]) == callers[numbers[port["port"]]]


# --- the parts of overlays that name the same thing twice ---


@pytest.mark.parametrize("rendering", ["production", "production-external"])
def test_doors_have_the_names_that_the_proxy_takes_for_its_own(rendered, rendering):
    objects = rendered[rendering]
    (domain,) = [each["data"]["S3_BASE_DOMAIN"] for each in of_kind(objects, "ConfigMap")]
    if rendering == "production":
        hosts = {rule["host"] for rule in one(objects, "Ingress", "s3")["spec"]["rules"]}
        assert hosts == set(one(objects, "Ingress", "s3")["spec"]["tls"][0]["hosts"])
    else:
        hosts = set(one(objects, "HTTPRoute", "s3")["spec"]["hostnames"])
        assert hosts <= {listener["hostname"] for listener in one(objects, "Gateway", "domicile")["spec"]["listeners"]}
    assert hosts == {domain, f"*.{domain}"}


def test_replicators_are_scaled_by_the_queues_that_they_empty(rendered):
    scaled = one(rendered["production"], "ScaledObject", "replicator")["spec"]["triggers"][0]["metadata"]["queueName"]
    for queue in topology(["fi", "de"]).queues:
        assert bool(re.search(scaled, queue.name)) == (queue.name not in {parking_queue("fi"), parking_queue("de")})


def test_keda_finds_rabbitmq_from_its_own_namespace(deploy, rendered):
    cluster = one(rendered["production"], "RabbitmqCluster", "rabbitmq")["metadata"]
    assert urlsplit((deploy / "secrets/keda/host").read_text()).hostname == f"{cluster['name']}.{cluster['namespace']}"


def test_a_group_of_replicators_takes_the_queue_that_scales_it(rendered):
    group = one(rendered["production"], "Deployment", "replicator-fi")
    scaled = one(rendered["production"], "ScaledObject", "replicator-fi")
    assert {"name": "REPLICATOR_BACKENDS", "value": "fi"} in pod(group)["containers"][0]["env"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == "replicator-fi"
    assert scaled["spec"]["triggers"][0]["metadata"]["queueName"] == work_queue("fi")
    budgets = [each["spec"]["selector"]["matchLabels"] for each in of_kind(rendered["production"], "PodDisruptionBudget")]
    labels = group["spec"]["template"]["metadata"]["labels"]
    assert len([budget for budget in budgets if budget.items() <= labels.items()]) == 1  # with two, no pod can be evicted


def test_backends_for_development_run_as_those_of_the_local_suite(rendered):
    for name in ("fi", "de", "us"):
        (container,) = pod(one(rendered["dev"], "StatefulSet", f"backend-{name}"))["containers"]
        inside = {
            "ip": "127.0.0.1",
            "ip.bind": EVERYWHERE,
            "dir": "/data",
            "s3.port": 8333,
            "s3.config": "/run/secrets/$(BACKEND).json",
        }
        assert container["args"] == arguments({**COMMON_OPTIONS, **inside})
        assert one(rendered["dev"], "Service", f"backend-{name}")["spec"]["ports"][0]["port"] == 8333


def test_every_component_is_tried_by_an_overlay():
    used = set(
        re.findall(
            r"components/([\w-]+)", "".join(file.read_text() for file in (ROOT / "deploy/k8s").rglob("kustomization.yaml"))
        )
    )
    assert {folder.name for folder in (ROOT / "deploy/k8s/components").iterdir()} == used


def test_what_lacks_a_field_is_found():
    bare = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "x"}, "spec": {"triggers": [{}]}}
    misspelt = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"portz": []}}
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    found = list(manifests.faults([bare, misspelt, unknown], ["1.37.0"]))
    assert found[0] == "ScaledObject x lacks spec.scaleTargetRef.name"
    assert "'portz' was unexpected" in found[1]
    assert "no such kind" in found[2]


@pytest.mark.parametrize("service", SERVICES)
def test_with_tls_every_service_shows_what_it_was_given_and_is_asked_for_its_health_over_it(rendered, service):
    objects = rendered["production-tls"]
    (config,) = [each["data"] for each in of_kind(objects, "ConfigMap") if "DOMICILE_METADATA_URL" in each["data"]]
    assert {name for name in variables("metadata") if name.startswith("TLS_")} | {"METADATA_HEALTH_PORT"} <= set(config)
    assert {file.rpartition("/")[0] for name, file in config.items() if name.startswith("TLS_")} == {"/run/tls"}
    identity = one(objects, "Certificate", service)["spec"]["secretName"]
    spec = pod(one(objects, "Deployment", service))
    (container,) = spec["containers"]
    (mounted,) = [each["name"] for each in container["volumeMounts"] if each["mountPath"] == "/run/tls"]
    (volume,) = [each for each in spec["volumes"] if each["name"] == mounted]
    assert volume["projected"]["sources"] == [{"secret": {"name": identity}}]
    numbers = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        http = container[probe]["httpGet"]
        assert http["scheme"] == "HTTPS"
        expected = int(config["METADATA_HEALTH_PORT"]) if service == "metadata" else ports(service)[HEALTH[service]]
        assert numbers[http["port"]] == expected


def test_with_tls_servers_inside_are_taken_by_tls_alone(rendered):
    objects = rendered["production-tls"]
    assert one(objects, "NetworkPolicy", "rabbitmq")["spec"]["ingress"][0]["ports"] == [{"port": 5671}]
    shown = one(objects, "RabbitmqCluster", "rabbitmq")["spec"]["tls"]["secretName"]
    assert shown == one(objects, "Certificate", "rabbitmq")["spec"]["secretName"]
    for workload in (one(objects, "Deployment", "metadata"), one(objects, "Job", "migrate")):
        (container,) = pod(workload)["containers"]
        told = {each["name"]: each["value"] for each in container["env"]}
        (folder,) = [each["mountPath"] for each in container["volumeMounts"] if each["name"] == "postgresql"]
        assert told == {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": f"{folder}/ca.crt"}


def test_every_secret_that_production_names_comes_from_its_store(rendered):
    objects = rendered["production"]
    named = {secret for each in objects for secret in re.findall(r"'(domicile-[a-z]+)'", str(each)) if secret != "domicile-live"}
    assert named == {each["spec"]["target"]["name"] for each in of_kind(objects, "ExternalSecret")}


@pytest.mark.parametrize("service", SERVICES)
def test_settings_that_change_without_a_restart_have_a_place(rendered, service):
    spec = pod(one(rendered["base"], "Deployment", service))
    (volume,) = [each for each in spec["volumes"] if each["name"] == "settings"]
    assert volume["projected"]["sources"] == [{"configMap": {"name": "domicile-live", "optional": True}}]
    mounted = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    assert mounted["settings"] in FOLDERS.split(":")
