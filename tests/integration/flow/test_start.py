"""A start with a missing, default or weak secret stops, names the setting, and does not show its value."""

from __future__ import annotations

import subprocess
import sys

import pytest

from domicile_local.services import NEEDS

pytestmark = pytest.mark.servers

GOOD = {
    "DATABASE_URL": "postgresql://user:Kq7wZ1bN5xRt@127.0.0.1:9/db",
    "RABBITMQ_URL": "amqp://user:Kq7wZ1bN5xRt@127.0.0.1:9/vhost",
    "DOMICILE_METADATA_URL": "http://127.0.0.1:9",
    "ADMIN_API_KEY": "p3Xv9Lq2Wm8Zr4Ty",
    "DOMICILE_SERVICE_TOKEN": "h7Bn2Kd5Fs9Gj1Lc",
    "TENANT_SECRET_PASSPHRASE": "q8Ew4Rt6Yu1Io3Pa",
    "NAMESPACE_KEY": "z5Xc7Vb9Nm2As4Df",
}


def start(service: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", f"domicile_{service}"]
    return subprocess.run(
        argv, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("service", NEEDS)
def test_every_secret_that_is_missing_is_named(service):
    done = start(service, {})
    assert done.returncode == 2
    for setting in set(NEEDS[service]) & GOOD.keys():
        assert f"{setting} is not set" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("service", "setting", "value"),
    [
        ("metadata", "ADMIN_API_KEY", "changeme"),
        ("metadata", "NAMESPACE_KEY", "secretsecretsecret"),
        ("proxy", "TENANT_SECRET_PASSPHRASE", "password-password-password"),
        ("replicator", "DOMICILE_SERVICE_TOKEN", "short-but-random"[:9]),
    ],
)
def test_a_default_or_weak_secret_is_refused(service, setting, value):
    done = start(service, {**GOOD, setting: value})
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert setting in said
    assert "Traceback" not in said
    for secret in (value, *GOOD.values()):
        assert secret not in said
