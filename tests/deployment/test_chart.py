"""The Helm chart against the kustomize base: two ways to the same objects."""

from __future__ import annotations

import copy
import re
import shutil

import pytest

from domicile_local.deployment import manifests
from domicile_local.errors import SuiteError

pytestmark = pytest.mark.skipif(not manifests.helm_is_there(), reason="no helm binary could be had")


@pytest.fixture(scope="module")
def chart(deploy):
    return deploy / "helm" / "domicile"


def essence(each):
    """What an object does, without what only one of the two tools needs: labels and annotations of their own, hashed names, defaults."""
    each = copy.deepcopy(each)
    name = re.sub(r"^domicile-[a-z0-9]{10}$", "domicile", each["metadata"]["name"])
    each["metadata"] = {"name": name}
    template = each.get("spec", {}).get("template")
    if template:
        template["metadata"].pop("annotations", None)
        for container in template["spec"]["containers"]:
            container.pop("imagePullPolicy", None)
            for source in container.get("envFrom", ()):
                source["configMapRef"]["name"] = "domicile"
    return each


def by_name(objects):
    return {
        (each["kind"], re.sub(r"^domicile-[a-z0-9]{10}$", "domicile", each["metadata"]["name"])): essence(each)
        for each in objects
    }


def test_the_chart_renders_the_objects_of_the_base(chart, rendered):
    base = by_name(each for each in rendered["base"] if each["kind"] != "Namespace")  # the release has one already
    assert by_name(manifests.helm(chart)) == base


COMPONENTS = ("components.proxyHpa=true", "components.replicatorKeda=true", "components.monitoring=true", "ingress.enabled=true")


@pytest.mark.parametrize("tls", [False, True])
def test_the_chart_adds_what_the_components_add(chart, rendered, tls):
    options = [word for option in (*COMPONENTS, f"tls.enabled={str(tls).lower()}") for word in ("--set", option)]
    objects, production = by_name(manifests.helm(chart, *options)), by_name(rendered["production-tls" if tls else "production"])
    # Pods of an overlay have its images and its PostgreSQL; the one ConfigMap is compared below.
    here = {name for name in objects if name[0] not in {"Deployment", "Job", "ConfigMap"}}
    assert {name: objects[name] for name in here} == {name: production.get(name) for name in here}
    config, expected = (each["ConfigMap", "domicile"]["data"] for each in (objects, production))
    assert config == {name: value for name, value in expected.items() if not name.startswith("OTEL_")}
    for service in ("metadata", "proxy", "replicator", "discovery"):
        mine, theirs = (each["Deployment", service]["spec"] for each in (objects, production))
        assert mine.get("replicas") == theirs.get("replicas")
        for part in (
            lambda pod: [each for each in pod["volumes"] if each["name"] == "tls"],
            lambda pod: [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "tls"],
            lambda pod: sorted(pod["containers"][0]["ports"], key=lambda port: port["name"]),
            lambda pod: [pod["containers"][0][probe] for probe in ("startupProbe", "readinessProbe", "livenessProbe")],
        ):
            assert part(mine["template"]["spec"]) == part(theirs["template"]["spec"])


def test_the_chart_leads_to_servers_outside(chart, rendered):
    objects = by_name(manifests.helm(chart, "--set", "external.enabled=true"))
    production = by_name(rendered["production-external"])
    for name in ("to-external-postgresql", "to-external-rabbitmq"):
        assert objects["NetworkPolicy", name] == production["NetworkPolicy", name]
    moved = by_name(manifests.helm(chart, "--set", "external.enabled=true", "--set", "external.rabbitmq=198.51.100.7/32"))
    assert "198.51.100.7/32" in str(moved["NetworkPolicy", "to-external-rabbitmq"])


def test_the_chart_knows_other_doors(chart):
    options = ("--set", "ingress.enabled=true", "--set", "ingress.host=objects.test", "--set", "ingress.pages.host=look.test")
    objects = by_name(manifests.helm(chart, *options, "--set", "ingress.className=other", "--set", "ingress.tlsSecret=mine"))
    door = objects["Ingress", "s3"]["spec"]
    assert [rule["host"] for rule in door["rules"]] == ["objects.test", "*.objects.test"]
    assert (door["ingressClassName"], door["tls"][0]["secretName"]) == ("other", "mine")
    assert objects["Ingress", "discovery"]["spec"]["rules"][0]["host"] == "look.test"
    config = objects["ConfigMap", "domicile"]["data"]
    assert (config["S3_BASE_DOMAIN"], config["DISCOVERY_ORIGINS"]) == ("objects.test", "https://look.test")


def test_a_chart_that_has_lost_its_links_says_so(chart, tmp_path):
    torn = shutil.copytree(chart, tmp_path / "domicile", ignore=lambda _path, names: {"components"} & set(names))
    with pytest.raises(SuiteError, match=r"ingress-nginx/ingress\.yaml is not there"):
        manifests.helm(torn, "--set", "ingress.enabled=true")


def test_images_may_be_named_by_digest(chart):
    digest = f"sha256:{'0123456789abcdef' * 4}"
    options = ("--set", f"image.digests.metadata={digest}", "--set", "image.pullSecrets[0].name=registry")
    objects = by_name(manifests.helm(chart, *options))
    pods = {name: each["spec"]["template"]["spec"] for name, each in objects.items() if name[0] in {"Deployment", "Job"}}
    images = {name[1]: pod["containers"][0]["image"] for name, pod in pods.items()}
    assert images["metadata"] == images["migrate"] == f"domicile/metadata@{digest}"
    assert images["proxy"] == "domicile/proxy:latest"
    assert all(pod["imagePullSecrets"] == [{"name": "registry"}] for pod in pods.values())


def test_an_autoscaler_may_decide_how_many_there_are(chart):
    objects = by_name(manifests.helm(chart, "--set", "services.proxy.replicas=null"))
    assert "replicas" not in objects["Deployment", "proxy"]["spec"]


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        ("config.ADMIN_API_KEY=0123", "ADMIN_API_KEY"),
        ("services.proxi.replicas=2", "proxi"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("secrets.proxy=Not A Name", "secrets/proxy"),
        ("image.digests.proxy=latest", "digests/proxy"),
        ("external.postgresql=db.example.com", "external/postgresql"),
    ],
)
def test_bad_values_are_refused_by_name(chart, option, fault):
    with pytest.raises(SuiteError, match=fault):
        manifests.helm(chart, "--set", option)
