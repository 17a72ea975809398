from __future__ import annotations

import pytest

from domicile_local.deployment.manifests import kustomize, workspace


@pytest.fixture(scope="session")
def deploy(tmp_path_factory):
    """A copy of deploy/, with secrets."""
    return workspace(tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="session")
def rendered(deploy):
    """Name of an overlay, or `base` → its objects."""
    folders = [deploy / "k8s" / "base", *(deploy / "k8s" / "overlays").iterdir()]
    return {folder.name: kustomize(folder) for folder in folders}
