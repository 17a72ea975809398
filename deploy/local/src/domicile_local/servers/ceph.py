"""Ceph from Debian's packages: a cluster of one monitor, one OSD and one RADOS gateway. The system's own Ceph is neither read nor disturbed."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import struct
import time
import uuid
from pathlib import Path

from domicile_local.errors import SuiteError
from domicile_local.servers import ports
from domicile_local.servers.process import private_folder, run, write_private
from domicile_local.servers.s3 import S3Server

GATEWAY = Path("/usr/bin/radosgw")
HOW_TO_INSTALL = (
    "Ceph is missing. Install Debian's packages (apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common ceph-base), "
    "or choose other BACKENDS."
)
USER = "domicile"
GIB = 1024**3
MIB = 1024**2


class Ceph(S3Server):
    """BlueStore keeps the data, in a sparse file that grows with what is stored."""

    software = "Ceph"
    patience = 3  # the gateway lingers for many seconds after TERM

    def check(self) -> None:
        if not GATEWAY.exists():
            raise SuiteError(HOW_TO_INSTALL)

    def _start(self) -> None:
        made = self._folder / "made"
        if not made.exists():
            self._make_monitor()
        self._daemon("monitor", "ceph-mon", "--id=a")
        if not made.exists():
            self._make_osd()
            made.touch()
        self._daemon("OSD", "ceph-osd", "--id=0")
        self._daemon("gateway", str(GATEWAY), "--name=client.admin")

    def wait_ready(self, seconds: float = 120) -> None:
        self.child.wait_until(lambda: ports.answers(self.backend.port), seconds)
        self._command(
            "radosgw-admin", "metadata", "put", f"user:{USER}", text=user(self.backend.access_key, self.backend.secret_key)
        )
        super().wait_ready(seconds)

    def _make_monitor(self) -> None:
        """Whatever an interrupted attempt has left goes first."""
        for part in ("mon", "osd"):
            shutil.rmtree(self._folder / part, ignore_errors=True)
        fsid = str(uuid.uuid4())
        first, monitor, *others = self.backend.ports
        write_private(self._folder / "keyring", keyring())
        write_private(self._folder / "ceph.conf", configuration(self._folder, fsid, first, monitor, others))
        map_file = str(self._folder / "monmap")
        address = f"[v2:127.0.0.1:{monitor}]"
        self._command("monmaptool", "--create", "--clobber", f"--fsid={fsid}", "--addv", "a", address, map_file)
        self._command("ceph-mon", "--mkfs", "--id=a", f"--monmap={map_file}")

    def _make_osd(self) -> None:
        private_folder(self._folder / "osd")
        number = str(uuid.uuid4())
        self._command("ceph", "--connect-timeout=60", "osd", "new", number, "0")
        self._command("ceph-osd", "--mkfs", "--id=0", f"--osd-uuid={number}")

    def _daemon(self, part: str, program: str, *arguments: str) -> None:
        self._run(f"{self.name} {part}", [program, "--foreground", *arguments, self._config])

    def _command(self, program: str, *arguments: str, text: str = "") -> None:
        what = f"{self.name}: {program}"
        run([program, self._config, *arguments], what, cwd=self._folder, text=text)

    @property
    def _config(self) -> str:
        return f"--conf={self._folder / 'ceph.conf'}"


def keyring() -> str:
    """Fresh keys for all parts of a cluster."""
    return f"""[mon.]
key = {_key()}
caps mon = "allow *"
[client.admin]
key = {_key()}
caps mon = "allow *"
caps osd = "allow *"
[osd.0]
key = {_key()}
caps mon = "allow profile osd"
caps osd = "allow *"
"""


def _key() -> str:
    """As ``ceph-authtool --gen-print-key``: type (AES), seconds, nanoseconds, length, key."""
    return base64.b64encode(struct.pack("<HIIH", 1, int(time.time()), 0, 16) + secrets.token_bytes(16)).decode()


def user(access_key: str, secret_key: str) -> str:
    """An S3 user who may have any number of buckets, as ``radosgw-admin metadata put`` reads it: so its keys are in no argument."""
    keys = [{"user": USER, "access_key": access_key, "secret_key": secret_key}]
    data = {"user_id": USER, "display_name": USER, "op_mask": "read, write, delete", "max_buckets": 0, "keys": keys}
    return json.dumps({"key": f"user:{USER}", "data": data})


def configuration(folder: Path, fsid: str, s3: int, monitor: int, others: list[int]) -> str:
    """One copy of everything, nothing outside ``folder``, no older wire protocol, no warnings about either."""
    return f"""[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{monitor}
ms_bind_msgr1 = false
ms_bind_port_min = {others[0]}
ms_bind_port_max = {others[-1]}
keyring = {folder}/keyring
mon_data = {folder}/mon
osd_data = {folder}/osd
rgw_data = {folder}/rgw
run_dir = {folder}
crash_dir = {folder}
admin_socket =
log_file =
log_to_stderr = true
mon_cluster_log_file =
mon_cluster_log_to_stderr = false
debug_mon = 0
debug_osd = 0
debug_paxos = 0
debug_rgw = 0
debug_rocksdb = 0
debug_bluestore = 0
debug_bluefs = 0
debug_bdev = 0
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
bluestore_block_size = {64 * GIB}
bluestore_cache_autotune = false
bluestore_cache_size = {64 * MIB}
rgw_frontends = beast endpoint=127.0.0.1:{s3}
rgw_enable_apis = s3
[osd]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
"""
