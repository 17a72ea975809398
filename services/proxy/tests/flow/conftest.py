"""The whole proxy behind a real HTTP server on a Unix socket, with metadata and backends in memory that can be told to misbehave."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
import pytest
import structlog
import uvicorn
from pydantic import SecretStr

from domicile_common.backends.port import BlobInfo
from domicile_common.bucket_settings import BucketSettings
from domicile_common.copy_watch import CopyWatch, look_through
from domicile_common.errors import BackendError, BackendUnavailable, BlobNotFound, NamespaceNotFound, RequestError, Unavailable
from domicile_common.metadata_client import models
from domicile_common.metadata_client.fake.buckets import find_among
from domicile_common.metadata_client.health import DoubtCopies, NoteHealth
from domicile_common.model import Backend, Blob, Bucket, Credential, Decision, EffectivePolicy, Facts, Tenant, Version
from domicile_common.sigv4.keys import KeyRing
from domicile_common.sigv4.sign import Signer
from domicile_common.stamps import blob_key
from domicile_proxy.app import App
from domicile_proxy.context import Context
from domicile_proxy.directory import Directory
from domicile_proxy.health import Health
from domicile_proxy.protocol import S3Protocol
from domicile_proxy.settings import ProxySettings

HOST = "s3.example"
CANONICAL_IDS = {"t": "c" * 64, "other": "d" * 64}
COUNTRIES = {"fi": "FI", "de": "DE", "us": "US"}


@dataclass
class MemorySink:
    store: MemoryStore
    blob: Blob
    length: int
    headers: dict[str, str]
    content: bytearray = field(default_factory=bytearray)

    async def write(self, chunk: bytes) -> None:
        self.content += chunk
        self.store.written = max(self.store.written, len(self.content))
        limit = self.store.break_writes_at
        if limit is not None and len(self.content) >= limit:
            raise BackendUnavailable(self.store.backend.backend_id, "broke off")

    async def finish(self) -> str:
        assert len(self.content) == self.length
        self.store.step("finish")
        if self.store.finishing:
            await self.store.finishing.wait()
        if self.blob.namespace not in self.store.namespaces:
            raise NamespaceNotFound(self.store.backend.backend_id, "NoSuchBucket")
        self.store.blobs[self.blob.namespace, self.blob.blob_key] = (bytes(self.content), self.headers)
        return self.store.stored_etag or hashlib.md5(self.content, usedforsecurity=False).hexdigest()

    async def abort(self) -> None:
        self.store.aborted += 1


@dataclass
class MemorySource:
    store: MemoryStore
    info: BlobInfo
    content: bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        left = self.store.break_reads_after
        for at in range(0, len(self.content), self.store.chunk):
            await asyncio.sleep(0)  # as a network would: the loop sees to others meanwhile
            piece = self.content[at : at + self.store.chunk]
            if left is not None:
                if len(piece) > left:
                    yield piece[:left]
                    raise BackendUnavailable(self.store.backend.backend_id, "broke off")
                left -= len(piece)
            self.store.delivered += len(piece)
            yield piece

    async def close(self) -> None:
        self.store.open_sources -= 1


class MemoryStore:
    """``failing``: what a step (``open_put``, ``finish``, ``open_get``) raises, as long as it stands there. ``opened``: ranges asked for.

    ``etag``, ``stored_etag``: what GET and PUT say instead of the MD5.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.blobs: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = {}
        self.namespaces: set[str] = set()
        self.known_namespaces: set[str] = set()
        self.failing: dict[str, BackendError] = {}
        self.break_writes_at: int | None = None
        self.finishing: asyncio.Event | None = None
        self.break_reads_after: int | None = None
        self.etag = ""
        self.stored_etag = ""
        self.chunk = 65_536
        self.written = 0
        self.copied = 0
        self.delivered = 0
        self.aborted = 0
        self.open_sources = 0
        self.opened: list[tuple[int, int | None]] = []

    def step(self, name: str) -> None:
        if name in self.failing:
            raise self.failing[name]

    async def head(self, blob: Blob) -> BlobInfo:
        self.step("head")
        raise BlobNotFound(self.backend.backend_id, "NoSuchKey")

    def lone_blob(self) -> bytes:
        ((content, _),) = self.blobs.values()
        return content

    def replace(self, content: bytes) -> None:
        ((place, (_, headers)),) = self.blobs.items()
        self.blobs[place] = (content, headers)

    async def ensure_namespace(self, namespace: str) -> None:
        if namespace not in self.known_namespaces:
            self.namespaces.add(namespace)
            self.known_namespaces.add(namespace)

    def forget_namespace(self, namespace: str) -> None:
        self.known_namespaces.discard(namespace)

    async def open_put(self, blob: Blob, length: int, headers: Mapping[str, str]) -> MemorySink:
        self.step("open_put")
        return MemorySink(self, blob, length, dict(headers))

    async def open_get(self, blob: Blob, start: int = 0, end: int | None = None) -> MemorySource:
        self.step("open_get")
        self.opened.append((start, end))
        if (blob.namespace, blob.blob_key) not in self.blobs:
            raise BlobNotFound(self.backend.backend_id, "NoSuchKey")
        content, headers = self.blobs[blob.namespace, blob.blob_key]
        self.open_sources += 1
        info = BlobInfo(len(content), self.etag or hashlib.md5(content, usedforsecurity=False).hexdigest(), headers)
        return MemorySource(self, info, content[start : None if end is None else end + 1])

    async def copy(self, source: Blob, target: Blob, headers: Mapping[str, str]) -> str:
        self.step("copy")
        content, _ = self.blobs[source.namespace, source.blob_key]
        self.blobs[target.namespace, target.blob_key] = (content, dict(headers))
        self.copied += 1
        return self.stored_etag or hashlib.md5(content, usedforsecurity=False).hexdigest()

    async def close(self) -> None:
        pass


class MemoryMetadata:
    """Enough of the record for one tenant's objects. ``failing``: what a call raises, by type of request; ``asked``: all calls in order."""

    def __init__(self) -> None:
        self.credentials: dict[str, Credential] = {}
        self.tenants: dict[str, Tenant] = {}
        self.backends: list[Backend] = []
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.objects: dict[tuple[str, str], models.Located] = {}
        self.intents: dict[str, tuple[models.Intent, Facts]] = {}
        self.quorum = 1
        self.width = 1
        self.intent_seconds = 900.0
        self.failing: dict[type, Exception] = {}
        self.before: dict[type, Callable[[], None]] = {}
        self.asked: list[Any] = []

    async def call(self, request: Any) -> Any:
        self.asked.append(request)
        if type(request) in self.before:
            self.before[type(request)]()
        if type(request) in self.failing:
            raise self.failing[type(request)]
        return getattr(self, type(request).__name__)(request)

    def count(self, kind: type) -> int:
        return sum(isinstance(request, kind) for request in self.asked)

    def FindCredential(self, request: models.FindCredential) -> Credential:  # noqa: N802 - named for the call it answers, as all below
        if request.access_key not in self.credentials:
            raise RequestError("InvalidAccessKeyId")
        return self.credentials[request.access_key]

    def ListBackends(self, request: models.ListBackends) -> models.Backends:  # noqa: N802
        return models.Backends(tuple(self.backends))

    def FindBucket(self, request: models.FindBucket) -> Bucket:  # noqa: N802
        return find_among(self.buckets, self.tenants, request)

    def change_settings(self, bucket_id: str, **settings: Any) -> None:
        """Behind the proxy's back; it goes on with what it remembers until it is told."""
        ((place, bucket),) = [(place, it) for place, it in self.buckets.items() if it.bucket_id == bucket_id]
        self.buckets[place] = msgspec.structs.replace(bucket, settings=msgspec.structs.replace(bucket.settings, **settings))

    def ChangeBucket(self, request: models.ChangeBucket) -> models.Empty:  # noqa: N802
        unset = BucketSettings()
        put = {name: value for name, value in msgspec.structs.asdict(request.put).items() if value != getattr(unset, name)}
        self.change_settings(request.bucket_id, **put, **{name: getattr(unset, name) for name in request.remove})
        return models.Empty()

    def ShareObjects(self, request: models.ShareObjects) -> models.Empty:  # noqa: N802
        self.change_settings(request.bucket_id, mixed=request.mixed, object_grantees=request.grantees)
        return models.Empty()

    def FindTenants(self, request: models.FindTenants) -> models.Tenants:  # noqa: N802
        return models.Tenants(tuple(it for it in self.tenants.values() if it.canonical_id in request.canonical_ids))

    def FindCors(self, request: models.FindCors) -> models.Cors:  # noqa: N802
        return models.Cors(
            tuple(rule for (_, name), it in self.buckets.items() if name == request.name for rule in it.settings.cors)
        )

    def PutAcl(self, request: models.PutAcl) -> models.Empty:  # noqa: N802
        for place, located in self.objects.items():
            if located.version.version_id == request.version_id:
                facts = msgspec.structs.replace(located.version.facts, acl=request.acl)
                self.objects[place] = models.Located(msgspec.structs.replace(located.version, facts=facts), located.replicas)
        return models.Empty()

    def Locate(self, request: models.Locate) -> models.Located:  # noqa: N802
        if (request.bucket_id, request.key) not in self.objects:
            raise RequestError("NoSuchKey")
        return self.objects[request.bucket_id, request.key]

    def NoteHealth(self, request: NoteHealth) -> models.Empty:  # noqa: N802
        return models.Empty()

    def DoubtCopies(self, request: DoubtCopies) -> models.Empty:  # noqa: N802
        return models.Empty()

    def Begin(self, request: models.Begin) -> models.Intent:  # noqa: N802
        if request.bucket_id not in {bucket.bucket_id for bucket in self.buckets.values()}:
            raise RequestError("NoSuchBucket")
        write = [backend.backend_id for backend in self.backends if backend.backend_id not in request.avoid]
        write = write[: max(self.quorum, self.width)]
        if len(write) < self.quorum:
            raise Unavailable("too few backends are up")
        version_id = uuid4().hex
        blobs = tuple(
            Blob(backend.backend_id, f"ns-{backend.backend_id}", blob_key(request.key, version_id)) for backend in self.backends
        )
        decision = Decision(tuple(blob.backend_id for blob in blobs), tuple(write), 1, "test", self.quorum)
        deadline = datetime.now(UTC) + timedelta(seconds=self.intent_seconds)
        intent = models.Intent(request.bucket_id, request.key, version_id, decision, blobs, deadline)
        self.intents[version_id] = (intent, request.facts)
        return intent

    def Renew(self, request: models.Renew) -> models.Empty:  # noqa: N802
        return models.Empty()

    def Commit(self, request: models.Commit) -> models.Committed:  # noqa: N802
        intent, facts = self.intents.pop(request.version_id)
        if request.condition.if_none_match and (intent.bucket_id, intent.key) in self.objects:
            raise RequestError("PreconditionFailed")
        version = Version(intent.bucket_id, intent.key, intent.version_id, datetime.now(UTC), facts, request.digest)
        stored = {item.backend_id for item in request.stored}
        replicas = tuple(
            models.Replica(blob, verified=False, cost=cost) for cost, blob in enumerate(intent.blobs) if blob.backend_id in stored
        )
        self.objects[intent.bucket_id, intent.key] = models.Located(version, replicas)
        return models.Committed(version)

    def Abort(self, request: models.Abort) -> models.Empty:  # noqa: N802
        self.intents.pop(request.version_id, None)
        return models.Empty()

    def Delete(self, request: models.Delete) -> models.Deleted:  # noqa: N802
        self.objects.pop((request.bucket_id, request.key), None)
        return models.Deleted()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool

    @property
    def code(self) -> str:
        return self.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in fields}

    async def answer(self, *, bodyless: bool = False) -> Answer:
        async with asyncio.timeout(20):
            status, headers = await self.head()
            length = 0 if bodyless or status in (204, 304) else int(headers.get("content-length", "0"))
            try:
                return Answer(status, headers, await self.reader.readexactly(length), whole=True)
            except asyncio.IncompleteReadError as broken:
                return Answer(status, headers, broken.partial, whole=False)

    def close(self) -> None:
        self.writer.close()


class Proxy:
    """``metadata``, ``stores``: what it depends on. ``wait``: a condition on these, with a deadline."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)
        self.metadata = MemoryMetadata()
        self.stores: dict[str, MemoryStore] = {}
        self.logs: list[Any] = []
        self.now = 0.0
        settings = ProxySettings(
            metadata_url="http://metadata",
            service_token=SecretStr("q8ZrTn5vLk2WmXc7"),
            tenant_secret_passphrase=SecretStr("q8ZrTn5vLk2WmXc7"),
            rabbitmq_url=SecretStr("amqp://rabbitmq"),
            s3_base_domain=HOST,
            client_idle_seconds=5,
        )
        directory = Directory(self.metadata, lambda known: known.sealed_secret, self._open_store, lambda: self.now, 30)
        watch = CopyWatch(look_through(self.metadata))
        health = Health(lambda: self.now)
        self.context = Context(settings, self.metadata, directory, health, KeyRing(), watch, lambda: datetime.now(UTC))

    def _open_store(self, backend: Backend) -> Any:
        return self.stores.setdefault(backend.backend_id, MemoryStore(backend))

    def add_backend(self, backend_id: str, *, countries: tuple[str, ...] | None = None) -> MemoryStore:
        country = COUNTRIES[backend_id]
        backend = Backend(backend_id, "p", "http://x", country, (country,), "", "", quirks="seaweedfs")
        self.metadata.backends.append(backend)
        store: MemoryStore = self._open_store(backend)
        return store

    def add_bucket(self, name: str, tenant_id: str = "t", *, countries: tuple[str, ...] | None = None, **settings: Any) -> Bucket:
        policy = EffectivePolicy(replica_count=2, write_quorum=1, version=1, countries=countries)
        owner = Tenant(tenant_id, tenant_id, CANONICAL_IDS.get(tenant_id, "c" * 64))
        bucket = Bucket(
            uuid4().hex, tenant_id, name, datetime.now(UTC), "", policy, {}, owner=owner, settings=BucketSettings(**settings)
        )
        self.metadata.buckets[tenant_id, name] = bucket
        return bucket

    def add_key(self, access_key: str, tenant_id: str = "t", **changes: Any) -> None:
        tenant = Tenant(tenant_id, tenant_id, CANONICAL_IDS.get(tenant_id, "c" * 64), changes.pop("tenant_state", "active"))
        self.metadata.tenants[tenant_id] = tenant
        self.metadata.credentials[access_key] = Credential(access_key, "SECRET", tenant, **changes)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_unix_connection(self._socket, limit=16 * 1024 * 1024)
        connection = Connection(reader, writer)
        try:
            yield connection
        finally:
            connection.close()

    def head(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        length: int | None = None,
        access_key: str = "AK",
        secret: str = "SECRET",
        now: datetime | None = None,
    ) -> bytes:
        """The signed head of a request. ``path``: not encoded, with the query after ``?``."""
        raw_path, _, query = path.partition("?")
        raw_path = quote(raw_path, safe="/-._~")
        payload = (headers or {}).get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        sent = {"host": HOST} | {name: value for name, value in (headers or {}).items() if name != "x-amz-content-sha256"}
        signed = {name: value for name, value in sent.items() if name == "host" or name.startswith("x-amz-")}
        sent |= Signer(access_key, secret, "us-east-1").sign(
            method, raw_path, query, signed, payload=payload, now=now or datetime.now(UTC)
        )
        if length is not None:
            sent["content-length"] = str(length)
        lines = [f"{method} {raw_path}{'?' + query if query else ''} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def ask_anonymously(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        sent = {"host": HOST} | dict(headers or {}) | ({} if body is None else {"content-length": str(len(body))})
        lines = [f"{method} {quote(path, safe='/?=&-._~')} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        async with self.connection() as connection:
            connection.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b""))
            return await connection.answer(bodyless=method == "HEAD")

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None, **signing: Any
    ) -> Answer:
        async with self.connection() as connection:
            connection.send(self.head(method, path, headers, length=None if body is None else len(body), **signing))
            connection.send(body or b"")
            return await connection.answer(bodyless=method == "HEAD")

    async def wait(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - conditions are on what others change
                await asyncio.sleep(0.01)


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    """One tenant ``t`` with the key ``AK``, the bucket ``bucket``, and the backends ``fi`` and ``de``."""
    socket = tmp_path / "s"
    proxy = Proxy(socket)
    proxy.add_backend("fi")
    proxy.add_backend("de")
    proxy.add_bucket("bucket")
    proxy.add_key("AK")
    config = uvicorn.Config(
        App(proxy.context), uds=str(socket), http=S3Protocol, ws="none", lifespan="off", log_config=None, server_header=False
    )
    server = Server(config)
    serving = asyncio.ensure_future(server.serve())
    await proxy.wait(lambda: server.started)
    with structlog.testing.capture_logs() as proxy.logs:
        yield proxy
    server.should_exit = True
    await serving
