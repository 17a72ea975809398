"""Clients at work on a few keys, and what they were told. Each write has bytes of its own, and its number in its metadata."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final

from domicile_common.testing.chaos.history import Kind, Listed, Operation
from domicile_common.testing.raw_s3 import Answer, RawS3

MIB: Final = 1024 * 1024
KEYS: Final = tuple(f"k{number}" for number in range(5))
MARK: Final = "x-amz-meta-op"
SIZES: Final = (16, 100, 5_000, 70_000, 300_000)
"""Bytes: some are read whole before anything is opened at a backend, others are streamed."""
HEAD: Final = 16
PAGE: Final = 3
NO_ANSWER: Final = Answer(0, {}, b"")
TRIES: Final = 3
PAUSE_SECONDS: Final = 0.05
"""After a refusal: nobody would otherwise be let in between the attempts."""
MIX: Final[dict[str, int]] = {
    "get": 30, "head": 7, "put": 22, "put if absent": 5, "put if the same": 6, "copy": 7, "multipart": 5, "delete": 8, "list": 6,
}  # fmt: skip
MIX_OF_VERSIONS: Final[dict[str, int]] = {
    "get": 22, "head": 5, "put": 20, "copy": 6, "multipart": 4, "delete": 6, "list": 4, "erase": 8, "get version": 10, "list versions": 6,
}  # fmt: skip


def content(number: int, size: int) -> bytes:
    """The bytes of a write. ``size``: at least 16."""
    return b"%016x" % number + random.Random(number).randbytes(size - HEAD)  # noqa: S311 -- the same bytes every time


def whose(body: bytes) -> int:
    """The number of the write whose bytes these are; -1 when they are no write's."""
    try:
        number = int(body[:HEAD], 16)
    except ValueError:
        return -1
    return number if body == content(number, len(body)) else -1


class Ledger:
    """What all clients have done so far. ``versions``: (bucket, key) → the ids that were acknowledged, with whether it is a marker."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.history: list[Operation] = []
        self.etags: dict[tuple[str, str], str] = {}
        self.versions: dict[tuple[str, str], list[tuple[str, bool]]] = defaultdict(list)

    def number(self) -> int:
        return next(self._numbers)

    def add(self, operation: Operation) -> None:
        with self._lock:
            self.history.append(operation)
            if operation.etag:
                self.etags[operation.bucket, operation.key] = operation.etag
            if operation.acknowledged and operation.version and operation.kind in {"put", "multipart", "copy", "delete"}:
                self.versions[operation.bucket, operation.key].append((operation.version, operation.kind == "delete"))


class Client:
    """``endpoints``: of the proxies; each request goes to one of them. ``buckets``: name → whether it keeps versions."""

    def __init__(self, number: int, endpoints: Sequence[RawS3], buckets: dict[str, bool], ledger: Ledger, seed: int) -> None:
        self._number = number
        self._endpoints = endpoints
        self._buckets = buckets
        self._ledger = ledger
        self._chance = random.Random(seed)  # noqa: S311 -- the same load for the same seed

    def step(self) -> bool:
        """One operation; whether it was answered other than by a refusal to serve."""
        bucket, keeps = self._chance.choice(sorted(self._buckets.items()))
        key = self._chance.choice(KEYS)
        mix = MIX_OF_VERSIONS if keeps else MIX
        [kind] = self._chance.choices(list(mix), list(mix.values()))
        actions: dict[str, Callable[[str, str], Operation | None]] = {
            "get": self.get, "head": self.head, "put": self.put, "put if absent": self.put_if_absent, "put if the same": self.put_if_same,
            "copy": self.copy, "multipart": self.multipart, "delete": self.delete, "erase": self.erase, "get version": self.get_some_version,
            "list": self.list_all, "list versions": self.list_versions,
        }  # fmt: skip
        operation = actions[kind](bucket, key)
        return operation is None or operation.acknowledged or operation.refused

    # --- reads ---

    def get(self, bucket: str, key: str) -> Operation:
        return self._read("get", "GET", bucket, key)

    def head(self, bucket: str, key: str) -> Operation:
        return self._read("head", "HEAD", bucket, key)

    def get_some_version(self, bucket: str, key: str) -> Operation | None:
        versions = [version for version, is_marker in self._ledger.versions[bucket, key] if not is_marker]
        return self.get_version(bucket, key, self._chance.choice(versions)) if versions else None

    def get_version(self, bucket: str, key: str, version: str) -> Operation:
        return self._read("get version", "GET", bucket, key, version)

    def _read(self, kind: Kind, method: str, bucket: str, key: str, version: str = "") -> Operation:
        invoked = time.monotonic_ns()
        answer = self._send(method, f"/{bucket}/{key}" + (f"?versionId={version}" if version else ""))
        headers = answer.headers if answer.status == HTTPStatus.OK else {}
        return self._note(
            kind, bucket, key, invoked, answer,
            etag=headers.get("etag", "").strip('"'),
            version=version or headers.get("x-amz-version-id", ""),
            seen=int(headers.get(MARK, "0")),
            content=whose(answer.body) if headers and method == "GET" else 0,
        )  # fmt: skip

    def list_all(self, bucket: str, _: str = "") -> Operation:
        """Page by page, each an operation of its own; the last one that was answered."""
        after = ""
        while True:
            invoked = time.monotonic_ns()
            answer = self._send("GET", f"/{bucket}?list-type=2&max-keys={PAGE}" + (f"&start-after={after}" if after else ""))
            is_last = answer.texts("IsTruncated") != ["true"]
            entries = zip(answer.texts("Key"), answer.texts("ETag"), strict=True)
            listed = tuple(Listed(key, _bare(etag)) for key, etag in entries)
            to = "" if is_last else listed[-1].key
            operation = self._note("list", bucket, "", invoked, answer, after=after, to=to, listed=listed)
            if is_last:
                return operation
            after = to

    def list_versions(self, bucket: str, key: str) -> Operation:
        """All of a key."""
        invoked = time.monotonic_ns()
        answer = self._send("GET", f"/{bucket}?versions&prefix={key}")
        listed = tuple(
            Listed(key, _bare(_text(entry, "ETag")), _text(entry, "VersionId"), is_marker=element == b"DeleteMarker")
            for element, entry in re.findall(rb"<(Version|DeleteMarker)>(.*?)</\1>", answer.body, re.DOTALL)
        )
        return self._note("list versions", bucket, key, invoked, answer, listed=listed)

    # --- writes ---

    def put(self, bucket: str, key: str, condition: str = "", size: int = 0) -> Operation:
        """``size`` in bytes; any when not given."""
        number = self._ledger.number()
        body = content(number, size or self._chance.choice(SIZES))
        headers = {MARK: str(number)}
        if condition:
            headers |= {"if-none-match": "*"} if condition == "absent" else {"if-match": f'"{condition}"'}
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        invoked = time.monotonic_ns()
        answer = self._send("PUT", f"/{bucket}/{key}", body, headers)
        return self._note("put", bucket, key, invoked, answer, number=number, etag=md5, md5=md5, condition=condition)

    def put_if_absent(self, bucket: str, key: str) -> Operation:
        return self.put(bucket, key, "absent")

    def put_if_same(self, bucket: str, key: str) -> Operation | None:
        etag = self._ledger.etags.get((bucket, key), "")
        return self.put(bucket, key, etag) if etag else None

    def copy(self, bucket: str, key: str, source: str = "") -> Operation:
        """``source``: a key of the same bucket; any when not given."""
        number, source = self._ledger.number(), source or self._chance.choice(KEYS)
        headers = {"x-amz-copy-source": f"/{bucket}/{source}", "x-amz-metadata-directive": "REPLACE", MARK: str(number)}
        invoked = time.monotonic_ns()
        answer = self._send("PUT", f"/{bucket}/{key}", headers=headers)
        etag = _bare(_text(answer.body, "ETag"))
        return self._note("copy", bucket, key, invoked, answer, number=number, etag=etag, md5=etag, source=source)

    def multipart(self, bucket: str, key: str, *, ends: bool = False) -> Operation | None:
        """Unless it ``ends``, some uploads are aborted and some are left alone; of these nothing may ever be seen."""
        number = self._ledger.number()
        size = self._chance.choice([*SIZES, 5 * MIB + 99])
        body = content(number, size)
        begun = self._send("POST", f"/{bucket}/{key}?uploads", headers={MARK: str(number)})
        target = f"/{bucket}/{key}?uploadId=" + "".join(begun.texts("UploadId"))
        parts = [body[start : start + 5 * MIB] for start in range(0, size, 5 * MIB)]
        md5s = [hashlib.md5(part, usedforsecurity=False) for part in parts]
        for place, part in enumerate(parts, 1):
            if begun.status != HTTPStatus.OK or self._send("PUT", f"{target}&partNumber={place}", part).status != HTTPStatus.OK:
                return None
        end = 1.0 if ends else self._chance.random()
        if end < 0.2:  # noqa: PLR2004 -- a tenth each
            if end < 0.1:  # noqa: PLR2004
                self._send("DELETE", target)
            return None
        document = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{md5.hexdigest()}</ETag></Part>" for n, md5 in enumerate(md5s, 1)
        )
        invoked = time.monotonic_ns()
        answer = self._complete(target, f"<CompleteMultipartUpload>{document}</CompleteMultipartUpload>".encode())
        etag = hashlib.md5(b"".join(md5.digest() for md5 in md5s), usedforsecurity=False).hexdigest() + f"-{len(parts)}"
        whole = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return self._note("multipart", bucket, key, invoked, answer, number=number, etag=etag, md5=whole)

    def _complete(self, target: str, document: bytes) -> Answer:
        """Repeated without an answer, as clients do. When an upload is gone then, it may as well have been completed."""
        answer = self._send("POST", target, document)
        for _ in range(TRIES):
            if answer.status not in {0, HTTPStatus.SERVICE_UNAVAILABLE}:
                return answer
            again = self._send("POST", target, document)
            answer = NO_ANSWER if again.status == HTTPStatus.NOT_FOUND else again
        return answer

    def delete(self, bucket: str, key: str) -> Operation:
        invoked = time.monotonic_ns()
        return self._note("delete", bucket, key, invoked, self._send("DELETE", f"/{bucket}/{key}"))

    def erase(self, bucket: str, key: str) -> Operation | None:
        """A version that was acknowledged; it may be gone already."""
        versions = self._ledger.versions[bucket, key]
        if not versions:
            return None
        version, _ = self._chance.choice(versions)
        invoked = time.monotonic_ns()
        return self._note(
            "erase", bucket, key, invoked, self._send("DELETE", f"/{bucket}/{key}?versionId={version}"), version=version
        )

    # --- requests ---

    def _send(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """To any proxy that lets us in: a connection that was refused has changed nothing."""
        for proxy in self._chance.sample(self._endpoints, len(self._endpoints)):
            try:
                return proxy.send(method, target, body, headers)
            except ConnectionRefusedError:
                continue
            except (OSError, HTTPException):
                break
        return NO_ANSWER

    def _note(
        self, kind: Kind, bucket: str, key: str, invoked: int, answer: Answer, *, number: int = 0, **told: Any
    ) -> Operation:
        told.setdefault("version", answer.headers.get("x-amz-version-id", ""))
        told.setdefault("rule", "".join(answer.texts("Rule")))
        operation = Operation(
            number or self._ledger.number(), self._number, kind, bucket, key, invoked, time.monotonic_ns(), answer.status, answer.code, **told
        )  # fmt: skip
        self._ledger.add(operation)
        return operation


@contextmanager
def at_work(clients: Sequence[Client]) -> Iterator[None]:
    """Each in a thread of its own; what goes wrong in one of them is raised at the end."""
    stopped = threading.Event()

    def work(client: Client) -> None:
        while not stopped.is_set():
            if not client.step():
                stopped.wait(PAUSE_SECONDS)

    with ThreadPoolExecutor(len(clients)) as pool:
        work_of_all = [pool.submit(work, client) for client in clients]
        try:
            yield
        finally:
            stopped.set()
    for each in work_of_all:
        each.result()


def _text(document: bytes, element: str) -> str:
    found = re.search(f"<{element}>([^<]*)</{element}>".encode(), document)
    return found[1].decode() if found else ""


def _bare(etag: str) -> str:
    return etag.replace("&quot;", "").strip('"')
