"""`make run` itself: a whole suite from nothing, twice, and what it says when it cannot go on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from domicile_local.layout import BACKENDS, Layout
from domicile_local.servers import ports
from domicile_local.settings import backends_in
from domicile_local.state import read_run_env

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
NAMES = [
    "DOMICILE_S3_ENDPOINT", "DOMICILE_ACCESS_KEY", "DOMICILE_SECRET_KEY", "DOMICILE_ALT_ACCESS_KEY", "DOMICILE_ALT_SECRET_KEY",
    "DOMICILE_METADATA_URL", "ADMIN_API_KEY", "DOMICILE_DISCOVERY_URL", "RABBITMQ_MANAGEMENT_URL", "DATABASE_URL",
    *(f"DOMICILE_BACKEND_{name}_{part}" for name in ("FI", "DE", "US") for part in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "COUNTRY")),
]  # fmt: skip


def free_first_port():
    for first in random.sample(range(20000, 28000, 100), 80):
        if all(ports.is_free(port) for port in range(first, first + 80)) and not sockets(first):
            return first
    raise AssertionError("no 80 free ports in a row")


def sockets(first):
    """What SeaweedFS has left in /tmp of the ports of a suite."""
    return [file for port in range(first, first + 80) for file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]  # noqa: S108


class Launcher:
    """`make run` and `make ready` on a state folder and ports of their own."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.first = free_first_port()
        self.env = {"PATH": os.environ["PATH"], "DOMICILE_STATE": str(folder / "state"), "DOMICILE_PORT": str(self.first)}
        self.env["BACKENDS"] = os.environ.get("BACKENDS", "")

    def command(self, word):
        return subprocess.Popen(
            [sys.executable, "-m", "domicile_local", word],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def says(self, word):
        with self.command(word) as process:
            said = process.communicate(timeout=120)[0]
        return process.returncode, said

    @contextlib.contextmanager
    def running(self):
        with self.command("run") as process:
            try:
                deadline = time.monotonic() + 300
                # The file says when to ask: a process that asks takes as much of the processor as one that starts.
                while not self.announced.exists() or self.says("ready")[0] != 0:
                    assert process.poll() is None, process.communicate()[0]
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
                yield process
            finally:
                process.terminate()
                process.communicate(timeout=120)

    @property
    def announced(self):
        return self.folder / "state" / "run.env"

    @property
    def run_env(self):
        return read_run_env(self.announced)

    def listening(self):
        """Its ports that answer, and what it has left of them in /tmp."""
        return [port for port in range(self.first, self.first + 80) if ports.answers(port)] + sockets(self.first)


def client(env):
    session = boto3.Session(env["DOMICILE_ACCESS_KEY"], env["DOMICILE_SECRET_KEY"], region_name="us-east-1")
    return session.client("s3", endpoint_url=env["DOMICILE_S3_ENDPOINT"])


def test_a_suite_starts_serves_stops_in_order_and_keeps_its_data(tmp_path):
    launcher = Launcher(tmp_path)
    assert launcher.says("ready")[0] == 1
    with launcher.running() as process:
        first = launcher.run_env
        assert [name for name in NAMES if not first.get(name)] == []
        assert {backend.country for backend in backends_in(first)} == {"FI", "DE", "US"}
        s3 = client(first)
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="a", Body=b"bytes")
        code, said = launcher.says("run")
        assert code == 1
        assert "already runs" in said
        assert "Traceback" not in said
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    assert first["DOMICILE_ACCESS_KEY"] in said
    assert "Traceback" not in said
    assert launcher.listening() == []

    with launcher.running() as process:
        assert launcher.run_env == first
        assert client(first).get_object(Bucket="kept", Key="a")["Body"].read() == b"bytes"
        killed = listener(launcher.first + 10)
        os.kill(killed, signal.SIGKILL)
        said = process.communicate(timeout=120)[0]
    assert process.returncode == 1
    assert "metadata was killed by SIGKILL" in said
    assert "Traceback" not in said
    assert launcher.listening() == []


def listener(port):
    """The process that listens on a port of 127.0.0.1, by its socket's inode."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = {row[9] for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A"}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and any(str(file.readlink()) == f"socket:[{inode}]" for file in (entry / "fd").iterdir()):
                return int(entry.name)
    raise AssertionError(f"nothing listens on {port}")


@pytest.mark.parametrize("purpose", ["the S3 endpoint", "metadata", "PostgreSQL", "RabbitMQ's port mapper"])
def test_a_port_in_use_is_a_clear_message_and_nothing_starts(tmp_path, purpose):
    launcher = Launcher(tmp_path)
    port = Layout(launcher.first).port(purpose)
    with socket.create_server(("127.0.0.1", port)):
        code, said = launcher.says("run")
    assert code == 1
    assert f"Port {port} (for {purpose}) is in use" in said
    assert "Traceback" not in said
    assert "Starting" not in said


def test_a_state_folder_that_is_none_is_a_clear_message(tmp_path):
    launcher = Launcher(tmp_path)
    (tmp_path / "state").write_text("a file")
    code, said = launcher.says("run")
    assert code == 1
    assert f"{tmp_path / 'state'}: File exists" in said
    assert "Traceback" not in said


def test_existing_servers_are_used_instead_and_outlive_the_suite(
    tmp_path, empty_database_url, rabbitmq_url, rabbitmq_management, backends
):
    launcher = Launcher(tmp_path)
    (fi,) = [backend for backend in backends if backend.backend_id == "fi"]
    launcher.env |= {"DATABASE_URL": empty_database_url, "RABBITMQ_URL": rabbitmq_url}
    (tmp_path / ".env").write_text(
        f"RABBITMQ_MANAGEMENT_URL={rabbitmq_management}\nDOMICILE_BACKEND_FI_ENDPOINT={fi.endpoint}\nDOMICILE_BACKEND_FI_COUNTRY=FI\n"
        f"DOMICILE_BACKEND_FI_ACCESS_KEY={fi.access_key}\nDOMICILE_BACKEND_FI_SECRET_KEY={fi.secret_key}\n"
    )
    with launcher.running():
        layout = Layout(launcher.first)
        assert {layout.port("PostgreSQL"), layout.port("RabbitMQ"), layout.first + BACKENDS["fi"]}.isdisjoint(
            launcher.listening()
        )
        assert launcher.run_env["DATABASE_URL"] == empty_database_url
        s3 = client(launcher.run_env)
        s3.create_bucket(Bucket="there", CreateBucketConfiguration={"LocationConstraint": "fi,de"})
        s3.put_object(Bucket="there", Key="a", Body=b"bytes")
        assert s3.get_object(Bucket="there", Key="a")["Body"].read() == b"bytes"
    assert launcher.listening() == []
    assert ports.answers(fi.port)


def test_an_existing_database_that_does_not_answer_is_a_clear_message(tmp_path, unused_port):
    launcher = Launcher(tmp_path)
    launcher.env["DATABASE_URL"] = f"postgresql://domicile:hidden-word@127.0.0.1:{unused_port}/domicile"
    code, said = launcher.says("run")
    assert code == 1
    assert f"PostgreSQL at postgresql://127.0.0.1:{unused_port}/domicile" in said
    assert "Traceback" not in said
    assert "hidden-word" not in said
    assert "Starting" not in said
