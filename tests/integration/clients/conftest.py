"""Stock clients at work, as people use them: with an endpoint and keys, and no flags beside."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MIB = 1024 * 1024
REPOSITORY = Path(__file__).parents[3]
CLIENTS = REPOSITORY / ".venv-clients/bin"


@pytest.fixture(scope="session")
def tree(tmp_path_factory) -> Path:
    """More than a hundred real files in folders of folders, with some names that only real life comes up with."""
    folder = tmp_path_factory.mktemp("tree")
    for part in ("docs", "deploy/k8s"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", ".*"))
    odd = folder / "odd names"
    odd.mkdir()
    for name in ("ä ö ü.txt", "100% + more & less.txt", "日本語", "it's (a) [file] {1}", "empty", "~tilde$#,;=@!"):
        (odd / name).write_text(f"the file {name}" if name != "empty" else "")
    return folder


@pytest.fixture(scope="session")
def large(tmp_path_factory) -> Iterator[Path]:
    """200 MB that do not compress."""
    path = tmp_path_factory.mktemp("large") / "large.bin"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(MIB))
    yield path
    path.unlink()  # pytest keeps the folders of its last runs


@pytest.fixture
def bucket(domicile):
    """Emptied again, so that copies of what one client has put do not go on while the next one is at work."""
    name = domicile.new_bucket()
    yield name
    s3 = domicile.client()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if objects := [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]:
            s3.delete_objects(Bucket=name, Delete={"Objects": objects})
    domicile.idle(120)
    assert domicile.leftovers(name) == {}


@pytest.fixture
def run(domicile, tmp_path) -> Callable[..., str]:
    """Runs a program with the keys of tenant ``one`` and nothing else of ours in its environment, and answers what it prints."""
    key = domicile.keys["one"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": domicile.suite.s3_endpoint,
        "S3_ENDPOINT_URL": domicile.suite.s3_endpoint,  # s5cmd's
        "RESTIC_PASSWORD": "correct horse battery staple",
        "RCLONE_CONFIG_DOMICILE_TYPE": "s3",
        "RCLONE_CONFIG_DOMICILE_PROVIDER": "Other",
        "RCLONE_CONFIG_DOMICILE_ENDPOINT": domicile.suite.s3_endpoint,
        "RCLONE_CONFIG_DOMICILE_ACCESS_KEY_ID": key.access_key,
        "RCLONE_CONFIG_DOMICILE_SECRET_ACCESS_KEY": key.secret_key,
    }

    def start(program: str, *arguments: str | Path) -> str:
        path = shutil.which(program, path=f"{CLIENTS}:{os.environ['PATH']}")
        assert path, f"{program} is missing: `make clients` installs it"
        done = subprocess.run([path, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{program} {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    return start
