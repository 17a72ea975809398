"""Making load: wrk with presigned requests, a paced writer, and one large body in either direction."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.config
import msgspec
from benchmarks.processes import children_seconds

Method = Literal["GET", "PUT"]
SCRIPT = Path(__file__).with_name("requests.lua")
PIECE = bytes(1024 * 1024)


@dataclass(frozen=True)
class Target:
    """An S3 endpoint under load. ``bucket`` is there and empty at the start."""

    name: str
    endpoint: str
    access_key: str
    secret_key: str
    bucket: str = "bench"

    def client(self) -> Any:
        settings = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"})
        session = boto3.Session(self.access_key, self.secret_key, region_name="us-east-1")
        return session.client("s3", endpoint_url=self.endpoint, config=settings)

    def presigned(self, method: Method, keys: Sequence[str]) -> list[str]:
        """Path and query of one presigned request a key."""
        client, operation = self.client(), {"GET": "get_object", "PUT": "put_object"}[method]
        urls = [
            client.generate_presigned_url(operation, Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=86_400) for key in keys
        ]
        return [f"{parts.path}?{parts.query}" for parts in map(urlsplit, urls)]

    @property
    def address(self) -> str:
        return self.endpoint.removeprefix("http://")


class Load(msgspec.Struct, frozen=True):
    """What wrk saw. ``p50`` and ``p99``: latency in seconds. ``cost``: seconds of its own processor time."""

    requests: int
    seconds: float
    failures: int
    p50: float
    p99: float
    cost: float = 0.0

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def wrk(target: Target, method: Method, keys: Sequence[str], *, size: int, clients: int, seconds: float, folder: Path) -> Load:
    """``size``: of each body in bytes, for PUT."""
    paths = folder / "paths.txt"
    paths.write_text("\n".join(target.presigned(method, keys)))
    options = ["--threads=1", f"--connections={clients}", f"--duration={seconds:.0f}s", "--timeout=60s", f"--script={SCRIPT}"]
    arguments = [method, str(paths), str(size if method == "PUT" else 0)]
    before = children_seconds()
    done = subprocess.run(["wrk", *options, target.endpoint, "--", *arguments], capture_output=True, text=True, check=True)
    load = msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=Load)
    return msgspec.structs.replace(load, cost=children_seconds() - before)


def paced_puts(target: Target, keys: Sequence[str], *, size: int, rate: float) -> int:
    """PUTs at a steady rate (requests/s); returns how many failed."""
    began, paths = time.monotonic(), target.presigned("PUT", keys)

    def put(item: tuple[int, str]) -> bool:
        number, path = item
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        connection = http.client.HTTPConnection(target.address, timeout=60)
        connection.request("PUT", path, body=bytes(size))
        return connection.getresponse().status == http.client.OK

    with ThreadPoolExecutor(16) as pool:
        return sum(not stored for stored in pool.map(put, enumerate(paths)))


def put_stream(target: Target, key: str, size: int) -> float:
    """One PUT of ``size`` zero bytes, made up on the way; returns seconds."""
    connection = http.client.HTTPConnection(target.address, timeout=600)
    began = time.monotonic()
    (path,) = target.presigned("PUT", [key])
    connection.request("PUT", path, body=_zeros(size), headers={"Content-Length": str(size)})
    response = connection.getresponse()
    if response.status != http.client.OK:
        raise RuntimeError(f"PUT of {size} bytes: {response.status} {response.read()!r}")
    return time.monotonic() - began


def _zeros(size: int) -> Iterator[bytes]:
    while size > 0:
        yield PIECE[:size]
        size -= len(PIECE)


def get_stream(target: Target, key: str, size: int) -> float:
    """One GET read to its end; returns seconds."""
    connection = http.client.HTTPConnection(target.address, timeout=600)
    began = time.monotonic()
    (path,) = target.presigned("GET", [key])
    connection.request("GET", path)
    response = connection.getresponse()
    received = 0
    while piece := response.read(len(PIECE)):
        received += len(piece)
    if received != size:
        raise RuntimeError(f"GET of {size} bytes: {response.status}, {received} bytes")
    return time.monotonic() - began
