"""The Helm chart against the kustomize base: two ways to the same objects."""

from __future__ import annotations

import copy
import re

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


def test_the_chart_opens_the_door_that_the_component_opens(chart, rendered):
    objects = by_name(manifests.helm(chart, "--set", "ingress.enabled=true"))
    production = by_name(rendered["production"])
    assert objects["Ingress", "s3"] == production["Ingress", "s3"]
    assert objects["ConfigMap", "domicile"]["data"]["S3_BASE_DOMAIN"] == "s3.example.com"


def test_the_chart_speaks_tls_as_the_component_does(chart, rendered):
    objects = by_name(manifests.helm(chart, "--set", "tls.enabled=true", "--set", "ingress.enabled=true"))
    production = by_name(rendered["production-tls"])
    assert objects["Ingress", "s3"] == production["Ingress", "s3"]
    config = production["ConfigMap", "domicile"]["data"]
    told = {name for name in config if name.startswith("TLS_")} | {"DOMICILE_METADATA_URL", "METADATA_HEALTH_PORT"}
    assert {name: objects["ConfigMap", "domicile"]["data"][name] for name in told} == {name: config[name] for name in told}
    for service in ("metadata", "proxy", "replicator", "discovery"):
        pods = [each["Deployment", service]["spec"]["template"]["spec"] for each in (objects, production)]
        for part in (
            lambda pod: [each for each in pod["volumes"] if each["name"] == "tls"],
            lambda pod: [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "tls"],
            lambda pod: sorted(pod["containers"][0]["ports"], key=lambda port: port["name"]),
            lambda pod: [pod["containers"][0][probe] for probe in ("startupProbe", "readinessProbe", "livenessProbe")],
        ):
            assert part(pods[0]) == part(pods[1])


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
    ],
)
def test_bad_values_are_refused_by_name(chart, option, fault):
    with pytest.raises(SuiteError, match=fault):
        manifests.helm(chart, "--set", option)
