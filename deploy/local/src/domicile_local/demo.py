"""``make demo``: the main job on real input.

Real files go in through the proxy with a stock client, come out again, and are read from every backend directly; every byte is compared.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import boto3
import botocore.exceptions

from domicile_local.admin import Admin
from domicile_local.errors import SuiteError
from domicile_local.launcher import running
from domicile_local.servers import s3
from domicile_local.settings import Settings, backends_in
from domicile_local.state import is_running, read_run_env

TENANT = "demo"
AT_LEAST_FILES = 400
BIG_BYTES = 200 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
THREADS = 4
REPLICATION_SECONDS = 300.0
LEFT_OUT = {
    ".git",
    ".env",
    ".venv*",
    ".domicile*",
    ".hypothesis",
    "*_cache",
    "__pycache__",
    "node_modules",
    "secrets",
    "build",
    "dist",
}

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class File:
    key: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Replica:
    """``copied``: made by a replicator, not written by the proxy. ``lag``: seconds from the commit of its version until it came into its state."""

    key: str
    backend_id: str
    country: str
    state: str
    namespace: str
    blob_key: str
    copied: bool
    lag: float


def demo(settings: Settings) -> int:
    """0 when everything matched. Starts a suite when none runs, and stops it again."""
    with _suite(settings) as env, tempfile.TemporaryDirectory(prefix="domicile-demo-") as folder:
        try:
            return Demo(env, Path(folder)).run()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, boto3.exceptions.Boto3Error) as error:
            raise SuiteError(f"The demo failed: {error}") from error


@contextmanager
def _suite(settings: Settings) -> Iterator[Mapping[str, str]]:
    if is_running(settings.state):
        yield read_run_env(settings.state / "run.env")
    else:
        with running(settings, _say) as launcher:
            yield launcher.run_env


def _say(text: str) -> None:
    print(text, flush=True)


class Demo:
    """``env``: as in run.env. ``folder``: for what is made on the spot."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self._env = env
        self._folder = folder
        self._bucket = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
        self._backends = {backend.backend_id: s3.client(backend) for backend in backends_in(env)}
        # A stock client with its default settings: multipart for what is large, checksums as it likes.
        session = boto3.Session(env["DOMICILE_ACCESS_KEY"], env["DOMICILE_SECRET_KEY"], region_name="us-east-1")
        self._s3 = session.client("s3", endpoint_url=env["DOMICILE_S3_ENDPOINT"])

    def run(self) -> int:
        files = {file.key: file for file in make_input(Path.cwd(), self._folder / "input")}
        largest, total = max(file.size for file in files.values()), sum(file.size for file in files.values())
        self._s3.create_bucket(Bucket=self._bucket)
        _say(f"Uploading {len(files)} files, {total / 1e6:.0f} MB, the largest {largest / 1e6:.0f} MB, to s3://{self._bucket}")
        began = time.monotonic()
        in_parallel(self._upload, files.values())
        _say(f"Took {time.monotonic() - began:.1f} s. Waiting for the copies")
        replicas = self._wait_for_replicas(list(files))
        _say("Downloading everything and comparing")
        faults = in_parallel(self._compare_download, files.values())
        _say("Reading every copy at its backend and comparing")
        faults += in_parallel(lambda replica: self._compare_replica(replica, files[replica.key]), replicas)
        _say(table(list(files.values()), replicas))
        mismatches = [fault for fault in faults if fault]
        _say("\n".join(mismatches) if mismatches else "Every byte matched.")
        return 1 if mismatches else 0

    def _upload(self, file: File) -> None:
        self._s3.upload_file(str(file.path), self._bucket, file.key)

    def _compare_download(self, file: File) -> str:
        target = self._folder / hashlib.sha256(file.key.encode()).hexdigest()
        self._s3.download_file(self._bucket, file.key, str(target))
        equal = digest(target) == file.sha256
        target.unlink()
        return "" if equal else f"MISMATCH: what came back for {file.key}"

    def _compare_replica(self, replica: Replica, file: File) -> str:
        body = self._backends[replica.backend_id].get_object(Bucket=replica.namespace, Key=replica.blob_key)["Body"]
        found = hashlib.sha256()
        for chunk in body.iter_chunks(CHUNK_BYTES):
            found.update(chunk)
        return "" if found.hexdigest() == file.sha256 else f"MISMATCH: {replica.key} at {replica.backend_id}"

    def _wait_for_replicas(self, keys: Sequence[str]) -> list[Replica]:
        """All copies, once every one is verified. Raises SuiteError when that takes too long."""
        deadline = time.monotonic() + REPLICATION_SECONDS
        settled: dict[str, list[Replica]] = {}
        with Admin(self._env["DOMICILE_METADATA_URL"], self._env["ADMIN_API_KEY"]) as admin:
            while left := [key for key in keys if key not in settled]:
                for key in left:
                    found = placement(admin, self._bucket, key)
                    if all(replica.state == "verified" for replica in found):
                        settled[key] = found
                if time.monotonic() > deadline:
                    backlogs = admin.call("GET", "/jobs")["backlogs"]
                    raise SuiteError(
                        f"Copies of {len(left)} objects are not verified after {REPLICATION_SECONDS:.0f} s. Backlogs: {backlogs}"
                    )
        return [replica for replicas in settled.values() for replica in replicas]


def placement(admin: Admin, bucket: str, key: str) -> list[Replica]:
    answer = admin.call("GET", "/placement", params={"tenant": TENANT, "bucket": bucket, "key": key})
    committed = datetime.fromisoformat(answer["version"]["committed_at"])
    return [
        Replica(
            key=key,
            backend_id=each["backend_id"],
            country=each["country"],
            state=each["state"],
            namespace=each["namespace"],
            blob_key=each["blob_key"],
            copied=each["backend_id"] not in answer["version"]["decision"]["write"],
            lag=(datetime.fromisoformat(each["since"]) - committed).total_seconds(),
        )
        for each in answer["replicas"]
    ]


def make_input(tree: Path, folder: Path) -> Iterator[File]:
    """A snapshot of a folder's files, made-up ones when they are few, and a big one."""
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(tree, folder, ignore=ignore, symlinks=True, ignore_dangling_symlinks=True)
    for number in range(AT_LEAST_FILES - sum(path.is_file() for path in folder.rglob("*"))):
        path = folder / "made up" / str(number % 7) / f"{number:04}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number * 97))
    with (folder / "big.bin").open("wb") as file:
        for _ in range(BIG_BYTES // CHUNK_BYTES):
            file.write(os.urandom(CHUNK_BYTES))
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield File(str(path.relative_to(folder)), path, path.stat().st_size, digest(path))


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, items))


def table(files: Sequence[File], replicas: Sequence[Replica]) -> str:
    states = Counter(replica.state for replica in replicas)
    countries = Counter(replica.country for replica in replicas)
    lags = sorted(replica.lag for replica in replicas if replica.copied)
    rows = {
        "objects": f"{len(files)}",
        "bytes": f"{sum(file.size for file in files):,}",
        "countries": ", ".join(f"{country} {count}" for country, count in sorted(countries.items())),
        "replicas wanted": f"{len(replicas)}",
        "replicas stored": f"{states['stored'] + states['verified']}",
        "replicas verified": f"{states['verified']}",
        "lag p50": f"{percentile(lags, 50):.2f} s",
        "lag p99": f"{percentile(lags, 99):.2f} s",
    }
    return "\n" + "\n".join(f"  {name:<18} {value}" for name, value in rows.items()) + "\n"


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Nearest rank, of values in ascending order; 0 when there are none."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0.0
