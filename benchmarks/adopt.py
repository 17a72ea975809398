"""``make bench-adopt``: a bucket that was filled without Domicile is adopted, read through the proxy at once, and replicated by policy."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import signal
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bench import free_layout, machine, say
from benchmarks.load import Target

from domicile_common.backends.stores import open_store
from domicile_common.model import Backend, Blob
from domicile_local.launcher import Launcher, running
from domicile_local.servers.reach import S3Backend
from domicile_local.settings import Settings

SOURCE, BUCKET, SIZE = "filled-without-domicile", "adopted", 1024
WRITERS, SAMPLE, LOOK_SECONDS = 64, 2_000, 5.0


class Taken(NamedTuple):
    what: str
    objects: int
    seconds: float


def body_of(key: str) -> bytes:
    return (f"{key}\n".encode() * SIZE)[:SIZE]


async def fill(backend: S3Backend, keys: Sequence[str]) -> None:
    """Straight at the backend."""
    registered = Backend(
        backend.backend_id,
        "bench",
        backend.endpoint,
        "FI",
        ("FI",),
        backend.access_key,
        "",
        backend.region,
        quirks=backend.quirks,
    )
    store = open_store(registered, backend.secret_key)
    await store.ensure_namespace(SOURCE)
    left = iter(keys)

    async def write() -> None:
        for key in left:
            sink = await store.open_put(Blob(backend.backend_id, SOURCE, key), SIZE, {"x-amz-meta-number": key})
            await sink.write(body_of(key))
            await sink.finish()

    await asyncio.gather(*(write() for _ in range(WRITERS)))
    await store.close()


class Adoption:
    def __init__(self, launcher: Launcher, target: Target) -> None:
        self._suite = launcher.suite
        self._s3 = target.client()
        self._began = time.monotonic()
        wanted = {"tenant": "demo", "bucket": BUCKET, "backend": "fi", "source": SOURCE}
        with self._suite.admin() as admin:
            self._task_id = admin.call("POST", "/tasks", {"kind": "adopt", "parameters": wanted})["task_id"]

    def wait(self, key: str, value: int | str) -> float:
        """Shows progress until the task, or one of its counts, is so: seconds since the beginning."""
        with self._suite.admin() as admin:
            while True:
                task = admin.call("GET", f"/tasks/{self._task_id}")
                seconds = time.monotonic() - self._began
                done = (task[key] if key in task else task["progress"].get(key)) == value
                say(f"{seconds:6.1f} s  {task['state']:8}{task['progress']}")
                if done:
                    return seconds
                if task["state"] == "failed":
                    raise RuntimeError(str(task))
                time.sleep(LOOK_SECONDS)

    def check(self, keys: Sequence[str]) -> None:
        """A listing of everything, and a sample byte by byte, through the proxy."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        listed = {entry["Key"]: entry["ETag"].strip('"') for page in pages for entry in page["Contents"]}
        expected = {key: hashlib.md5(body_of(key), usedforsecurity=False).hexdigest() for key in keys}
        if listed != expected:
            raise RuntimeError(f"the listing differs: {len(listed)} keys")
        sample = keys[:: max(1, len(keys) // SAMPLE)]
        with ThreadPoolExecutor(8) as pool:
            wrong = [key for key, right in zip(sample, pool.map(self._is_right, sample), strict=True) if not right]
        if wrong:
            raise RuntimeError(f"other bytes: {wrong[:10]}")

    def _is_right(self, key: str) -> bool:
        answer: Any = self._s3.get_object(Bucket=BUCKET, Key=key)
        return bool(answer["Body"].read() == body_of(key) and answer["Metadata"] == {"number": key})


def measure(launcher: Launcher, backend: S3Backend, count: int) -> list[Taken]:
    env = launcher.run_env
    target = Target("proxy", env["DOMICILE_S3_ENDPOINT"], env["DOMICILE_ACCESS_KEY"], env["DOMICILE_SECRET_KEY"])
    keys = [f"d{number % 1000:03}/{number:07}" for number in range(count)]
    say(f"filling a bucket with {count:,} objects")
    began = time.monotonic()
    asyncio.run(fill(backend, keys))
    taken = [Taken("filled without Domicile", count, time.monotonic() - began)]
    adoption = Adoption(launcher, target)
    indexed = adoption.wait("state", "done")
    taken.append(Taken("indexed", count, indexed))
    began = time.monotonic()
    adoption.check(keys)
    taken.append(
        Taken("listed, and a sample read through the proxy, byte-identical", min(SAMPLE, count), time.monotonic() - began)
    )
    taken.append(Taken("every second copy verified, from the beginning", count, adoption.wait("copies_verified", count)))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--objects", type=int, default=100_000)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="domicile-bench-") as folder:
        settings = Settings(state=Path(folder) / "state", layout=free_layout())
        with running(settings, say) as launcher:
            backends = {backend.backend_id: backend for backend in launcher.suite.infrastructure.backends}
            taken = measure(launcher, backends["fi"], arguments.objects)
    print(f"\n{machine(1)}\n\n| | objects | seconds | a second |\n|---|---|---|---|")
    for it in taken:
        print(f"| {it.what} | {it.objects:,} | {it.seconds:.0f} | {it.objects / it.seconds:,.0f} |")


if __name__ == "__main__":
    main()
