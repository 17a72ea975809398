"""Which software our own S3 backends may be: by the setting BACKENDS, which is the name of their quirks as well."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from domicile_local.servers.ceph import Ceph
from domicile_local.servers.rclone import Rclone
from domicile_local.servers.reach import S3Backend
from domicile_local.servers.s3 import S3Server
from domicile_local.servers.seaweedfs import SeaweedFS

_SERVERS: Mapping[str, type[S3Server]] = {"seaweedfs": SeaweedFS, "ceph": Ceph, "rclone": Rclone}


def own_backend(folder: Path, backend: S3Backend) -> S3Server:
    """A server for a backend of ours, not yet started."""
    return _SERVERS[backend.quirks](folder, backend)
