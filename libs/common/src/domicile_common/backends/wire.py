"""Signed requests to one backend, and what its answers mean.

Answers become errors in one place, ``Wire.problem``, by the rule that an error is never an answer: only S3's own code says that
something is absent, a bare 404 does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from domicile_common.backends import documents
from domicile_common.backends.http1 import Client, EarlyAnswer, HttpError, Limits, Response, Tls
from domicile_common.backends.observed import Call, show_connections
from domicile_common.errors import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    BlobMismatch,
    BlobNotFound,
    NamespaceNotFound,
    UploadNotFound,
)
from domicile_common.model import Backend
from domicile_common.sigv4.canonical import EMPTY_SHA256, encode, encode_query
from domicile_common.sigv4.sign import Signer

MAX_DOCUMENT = 8 * 1024 * 1024  # bytes; a page of 1,000 keys of 1,024 bytes, each byte percent-encoded, needs 3 MiB

_ABSENT: dict[str, type[BackendError]] = {
    "NoSuchKey": BlobNotFound,
    "NoSuchUpload": UploadNotFound,
    "NoSuchBucket": NamespaceNotFound,
}
_MISMATCH = frozenset({"BadDigest", "InvalidDigest", "InvalidPart", "InvalidPartOrder", "InvalidRange"})
_TRANSIENT = frozenset(
    # The last one: our clock or the backend's is wrong, which says nothing about the blob nor about the registration.
    {
        "RequestTimeout",
        "SlowDown",
        "OperationAborted",
        "TooManyRequests",
        "Throttling",
        "ConditionalRequestConflict",
        "RequestTimeTooSkewed",
    }
)
_TRANSIENT_STATUS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

T = TypeVar("T")


class Reply(NamedTuple):
    """A whole small answer."""

    method: str
    status: int
    document: bytes

    @property
    def code(self) -> str:
        """S3's error code, ``""`` when there is none."""
        return documents.error_code(self.document)


class Wire:
    """Everything it raises is of the ``BackendError`` family; texts carry the method, the status and S3's code, nothing else."""

    def __init__(self, backend: Backend, secret: str, limits: Limits | None, tls: Tls | None = None) -> None:
        self._backend = backend
        self._signer = Signer(backend.access_key, secret, backend.region)
        self._limits = limits
        self._endpoint = urlsplit(backend.endpoint)
        self._tls = tls
        self._clients: dict[str, Client] = {}  # by host: one, or one for each namespace with virtual addressing
        show_connections(backend.backend_id, self)

    def clients(self) -> list[Client]:
        return [*self._clients.values()]

    async def open(
        self,
        method: str,
        namespace: str,
        key: str = "",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        payload: str = EMPTY_SHA256,
        length: int = 0,
    ) -> Call:
        """Begins a request. ``payload``: hex SHA-256 of the body, or ``UNSIGNED-PAYLOAD``; ``length``: its bytes."""
        client, path = self._address(namespace, key)
        sent = headers or {}
        asked = encode_query(query.items()) if query else ""
        signed = {"host": client.authority, **{name: value for name, value in sent.items() if name.startswith("x-amz-")}}
        signature = self._signer.sign(method, path, asked, signed, payload=payload, now=datetime.now(UTC))
        target = f"{path}?{asked}" if asked else path
        call = Call(self._backend.backend_id, method)
        with self.watching(call):
            call.exchange = await client.open(method, target, (*sent.items(), *signature.items()), length)
        return call

    async def response(self, call: Call, patience: float | None = None) -> Response:
        with self.watching(call):
            response = await call.exchange.response(patience)
        call.answered(response.status)
        return response

    @contextmanager
    def watching(self, call: Call) -> Iterator[None]:
        """What fails inside ends the call, but for ``EarlyAnswer``."""
        try:
            yield
        except EarlyAnswer:
            raise
        except HttpError as error:
            call.failed(error)
            raise self.unavailable(call.method, error) from error
        except BaseException as error:
            call.failed(error)
            raise

    async def reply(self, method: str, response: Response) -> Reply:
        """Reads the rest of an answer."""
        try:
            return Reply(method, response.status, await response.read(MAX_DOCUMENT))
        except HttpError as error:
            raise self.unavailable(method, error) from error

    async def ask(
        self,
        method: str,
        namespace: str,
        key: str = "",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        patience: float | None = None,
    ) -> Reply:
        """A whole small request, and its answer. ``patience``: seconds to wait for the answer's head."""
        payload = sha256(body).hexdigest() if body else EMPTY_SHA256
        call = await self.open(method, namespace, key, query, headers, payload=payload, length=len(body))
        if body:
            with self.watching(call), suppress(EarlyAnswer):  # then that is the answer
                await call.exchange.write(body)
        return await self.reply(method, await self.response(call, patience))

    def parsed(self, reply: Reply, parse: Callable[[bytes], T]) -> T:
        """What a good answer says. An ``<Error>`` is an error with any status: CompleteMultipartUpload sends it after a 200."""
        if reply.status != HTTPStatus.OK:
            raise self.problem(reply)
        try:
            return parse(reply.document)
        except ValueError:
            raise self.problem(reply) from None

    def problem(self, reply: Reply) -> BackendError:
        """The error that an answer is."""
        status, code = reply.status, reply.code
        text = f"{reply.method}: HTTP {status} {code}".rstrip()
        if code in _ABSENT and status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            return _ABSENT[code](self._backend.backend_id, text)
        if code in _MISMATCH:
            return BlobMismatch(self._backend.backend_id, text)
        transient = code in _TRANSIENT or status in _TRANSIENT_STATUS or (status == HTTPStatus.NOT_FOUND and not code)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR and not transient:
            return BackendRefused(self._backend.backend_id, text)
        return BackendUnavailable(self._backend.backend_id, text)

    def unavailable(self, method: str, error: HttpError) -> BackendUnavailable:
        return BackendUnavailable(self._backend.backend_id, f"{method}: {type(error).__name__}: {error}")

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()

    def _address(self, namespace: str, key: str) -> tuple[Client, str]:
        """The connections to use and the percent-encoded path."""
        path = self._endpoint.path.rstrip("/")
        host = self._endpoint.netloc
        if self._backend.addressing == "virtual":
            host = f"{namespace}.{host}"
            path += "/"
        else:
            path += f"/{namespace}/" if key else f"/{namespace}"
        client = self._clients.get(host)
        if client is None:
            client = self._clients[host] = Client(f"{self._endpoint.scheme}://{host}", self._limits, self._tls)
        return client, path + encode(key.encode(), "/")
