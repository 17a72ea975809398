"""Operations by themselves: a request as the pipeline hands it over, and a metadata that answers as it is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from domicile_common import checksums
from domicile_common.backends.port import BlobInfo
from domicile_common.errors import BlobNotFound, RequestError, UploadNotFound
from domicile_common.metadata_client.models import Request
from domicile_common.model import Backend, Blob, Bucket, Credential, EffectivePolicy, Part, Tenant
from domicile_common.sigv4.claim import Claim
from domicile_common.sigv4.verify import Verified
from domicile_proxy.health import Health
from domicile_proxy.operations.table import OPERATIONS
from domicile_proxy.request import Incoming, Response, S3Request, WireBody
from domicile_proxy.s3.operation import resolve

WHEN = datetime(2009, 10, 12, 17, 50, 30, tzinfo=UTC)
OWNER = Tenant(tenant_id="t", name="Tenant", canonical_id="c" * 64)
BUCKET = Bucket(
    bucket_id="b" * 32,
    tenant_id="t",
    name="bucket",
    created_at=WHEN,
    location="FI,DE",
    policy=EffectivePolicy(replica_count=2, write_quorum=2, version=1),
    namespaces={"fi": "ns-fi", "de": "ns-de"},
    owner=OWNER,
)
CLAIM = Claim(
    access_key="AK",
    date="20091012",
    region="us-east-1",
    signed_at=WHEN,
    timestamp="20091012T175030Z",
    signature="s",
    signed_headers=("host",),
    payload="UNSIGNED-PAYLOAD",
    canonical_requests=(),
)


class ScriptedMetadata:
    """``answers``: by type of request, a value, an error, or a function of the request. Whatever is not told must not be asked."""

    def __init__(self) -> None:
        self.answers: dict[type[Request[Any]], Any] = {}
        self.asked: list[Request[Any]] = []

    async def call(self, request: Request[Any]) -> Any:
        self.asked.append(request)
        answer = self.answers[type(request)]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass
class PartSink:
    store: UploadStore
    place: tuple[str, int]
    length: int
    content: bytes = b""

    async def write(self, chunk: bytes) -> None:
        self.content += chunk

    async def finish(self) -> str:
        self.store.check("finish")
        assert len(self.content) == self.length
        self.store.parts[self.place] = self.content
        return md5(self.content)

    async def abort(self) -> None:
        self.store.aborted += 1


class UploadStore:
    """A backend that does multipart uploads in memory. ``failing``: errors to raise by step."""

    def __init__(self, backend_id: str) -> None:
        self.backend = Backend(
            backend_id=backend_id,
            provider="p",
            endpoint="http://x",
            country="FI",
            jurisdictions=("FI",),
            access_key="",
            sealed_secret="",
            quirks="seaweedfs",
        )
        self.failing: dict[str, Exception] = {}
        self.uploads: dict[str, dict[str, str]] = {}
        self.parts: dict[tuple[str, int], bytes] = {}
        self.blobs: dict[str, tuple[bytes, str]] = {}
        self.aborted = 0

    def check(self, step: str) -> None:
        if step in self.failing:
            raise self.failing[step]

    async def ensure_namespace(self, namespace: str) -> None:
        self.check("ensure_namespace")

    async def create_upload(self, blob: Blob, headers: Mapping[str, str]) -> str:
        self.check("create_upload")
        upload_id = f"{self.backend.backend_id}-{len(self.uploads)}"
        self.uploads[upload_id] = dict(headers)
        return upload_id

    async def open_part(self, blob: Blob, upload_id: str, number: int, length: int) -> PartSink:
        self.check("open_part")
        return PartSink(self, (upload_id, number), length)

    async def abort_upload(self, blob: Blob, upload_id: str) -> None:
        self.uploads.pop(upload_id, None)

    async def complete_upload(self, blob: Blob, upload_id: str, parts: tuple[Part, ...]) -> str:
        self.check("complete_upload")
        if upload_id not in self.uploads:
            raise UploadNotFound(self.backend.backend_id, "NoSuchUpload")
        del self.uploads[upload_id]
        content = b"".join(self.parts[upload_id, part.number] for part in parts)
        assert [md5(self.parts[upload_id, part.number]) for part in parts] == [part.etag for part in parts]
        etag = f"{checksums.multipart_md5(part.etag for part in parts)}-{len(parts)}"
        self.blobs[blob.blob_key] = (content, etag)
        return etag

    async def head(self, blob: Blob) -> BlobInfo:
        if blob.blob_key not in self.blobs:
            raise BlobNotFound(self.backend.backend_id, "NoSuchKey")
        content, etag = self.blobs[blob.blob_key]
        return BlobInfo(len(content), etag, {})


@dataclass
class Proxy:
    """Asks one operation, past authentication. ``bucket``: what the directory finds."""

    metadata: ScriptedMetadata = field(default_factory=ScriptedMetadata)
    stores: dict[str, UploadStore] = field(default_factory=lambda: {name: UploadStore(name) for name in ("fi", "de")})
    bucket: Bucket = BUCKET
    forgotten: list[tuple[str, str]] = field(default_factory=list)

    @property
    def context(self) -> Any:
        async def store(backend_id: str) -> UploadStore:
            return self.stores[backend_id]

        async def bucket(tenant_id: str, name: str) -> Bucket:
            return self.bucket

        directory = SimpleNamespace(store=store, bucket=bucket, forget_bucket=lambda *about: self.forgotten.append(about))
        return SimpleNamespace(metadata=self.metadata, directory=directory, health=Health(lambda: 0.0), clock=lambda: WHEN)

    async def ask(
        self,
        method: str,
        key: str | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        bucket: str | None = "bucket",
    ) -> Response:
        params = params or {}
        headers = {"host": "s3.example:9000", "content-length": str(len(body))} | dict(headers or {})

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        incoming = Incoming(
            method=method,
            raw_path=f"/{bucket or ''}/{key or ''}".encode(),
            raw_query=urlencode(params).encode(),
            raw_headers=[(name.encode(), value.encode()) for name, value in headers.items()],
            headers=headers,
            wire=WireBody(receive, headers, 5.0),
            request_id="R",
            trace="trace",
            remote="",
        )
        operation = resolve(method, bucket, key, params, headers)
        found = self.bucket if operation.in_bucket else None
        credential = Credential(access_key="AK", sealed_secret="", tenant=OWNER)
        request = S3Request(
            incoming, headers, operation, bucket or "", key or "", params, credential, Verified(CLAIM, b""), found
        )
        return await OPERATIONS[operation.name](request, self.context)

    async def refusal(self, *args: Any, **kwargs: Any) -> str:
        with pytest.raises(RequestError) as refused:
            await self.ask(*args, **kwargs)
        return refused.value.code


@pytest.fixture
def proxy() -> Proxy:
    return Proxy()
