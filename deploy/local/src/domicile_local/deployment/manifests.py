"""``python -m domicile_local.deployment.manifests``: renders every kustomization and the Helm chart and checks every object in them.

What Kubernetes itself knows is held against its schemas, strictly, for the last three minor versions that ``kubernetes-validate`` brings. Of
objects that operators bring (KEDA, CloudNativePG, …) there are no schemas at hand: for them ``REQUIRED`` says which fields must be there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import yaml
from kubernetes_validate.utils import all_versions

from domicile_local.deployment import secrets
from domicile_local.errors import SuiteError

DEPLOY: Final = Path(__file__).parents[4]
VERSIONS: Final = 3

# Everything that the chart may add.
OPTIONS: Final = (
    "ingress.enabled=true",
    "external.enabled=true",
    "components.proxyHpa=true",
    "components.replicatorKeda=true",
    "components.monitoring=true",
)

Object = dict[str, Any]

# (apiVersion, kind) → fields without which its operator refuses it.
REQUIRED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("keda.sh/v1alpha1", "ScaledObject"): ("spec.scaleTargetRef.name", "spec.triggers"),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): ("spec.secretTargetRef",),
    ("gateway.networking.k8s.io/v1", "Gateway"): ("spec.gatewayClassName", "spec.listeners"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): ("spec.parentRefs", "spec.rules"),
    ("gateway.envoyproxy.io/v1alpha1", "ClientTrafficPolicy"): ("spec.targetRefs",),
    ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy"): ("spec.targetRefs",),
    ("postgresql.cnpg.io/v1", "Cluster"): ("spec.instances", "spec.storage.size"),
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): ("spec.replicas", "spec.persistence.storage"),
    ("external-secrets.io/v1", "ExternalSecret"): ("spec.secretStoreRef.name", "spec.target.name", "spec.dataFrom"),
    ("cert-manager.io/v1", "Issuer"): ("spec",),
    ("cert-manager.io/v1", "Certificate"): ("spec.secretName", "spec.issuerRef.name"),
    ("monitoring.coreos.com/v1", "PodMonitor"): ("spec.selector", "spec.podMetricsEndpoints"),
    ("monitoring.coreos.com/v1", "PrometheusRule"): ("spec.groups",),
}


def workspace(folder: Path) -> Path:
    """A copy of ``deploy/`` with secrets of its own, so that rendering needs nothing of this machine's and leaves nothing behind."""
    copy = folder / "deploy"
    shutil.copytree(DEPLOY, copy, ignore=lambda path, _names: ["secrets"] if Path(path) == DEPLOY else [])
    secrets.make(copy / "secrets")
    shutil.copy(DEPLOY / "secrets" / "kustomization.yaml", copy / "secrets")
    return copy


def kustomizations(copy: Path) -> list[Path]:
    return [copy / "k8s" / "base", *sorted((copy / "k8s" / "overlays").iterdir())]


def kustomize(folder: Path) -> list[Object]:
    """The objects. Raises SuiteError with kubectl's own words."""
    return _objects("kubectl", "kustomize", str(folder))


def helm_is_there() -> bool:
    return _tool("helm").exists()


def helm(chart: Path, *options: str) -> list[Object]:
    """The objects of a release with these options. Raises SuiteError with helm's own words."""
    return _objects("helm", "template", "domicile", str(chart), *options)


def _tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _objects(tool: str, *arguments: str) -> list[Object]:
    done = subprocess.run([_tool(tool), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SuiteError(f"{tool} {' '.join(arguments)}: {done.stderr.strip()}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def faults(objects: Iterable[Object], versions: Iterable[str]) -> Iterator[str]:
    versions = list(versions)
    for each in objects:
        kind = (each["apiVersion"], each["kind"])
        if kind in REQUIRED:
            yield from (f"{kind[1]} {each['metadata']['name']} lacks {path}" for path in REQUIRED[kind] if not _has(each, path))
        else:
            yield from (fault for version in versions if (fault := _schema_fault(each, version)))


def _has(each: Object, path: str) -> bool:
    found: Any = each
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return bool(found)


def _schema_fault(each: Object, version: str) -> str:
    where = f"{each['kind']} {each['metadata']['name']} for Kubernetes {version}"
    try:
        kubernetes_validate.validate(each, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{where}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"{where}: there is no such kind, and REQUIRED does not know it"
    return ""


def main() -> int:
    versions = list(dict.fromkeys(all_versions()))[-VERSIONS:]
    unique: dict[str, Object] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = workspace(Path(folder))
        rendered = [kustomize(each) for each in kustomizations(copy)]
        if helm_is_there():
            rendered.append(helm(copy / "helm" / "domicile", *(word for option in OPTIONS for word in ("--set", option))))
    for each in (each for objects in rendered for each in objects):
        unique[yaml.safe_dump(each)] = each
    found = list(faults(unique.values(), versions))
    print(
        "\n".join(found) or f"{len(unique)} objects of {len(rendered)} renderings are good for Kubernetes {', '.join(versions)}."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
