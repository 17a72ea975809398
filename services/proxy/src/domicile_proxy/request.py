"""One request as the operations see it, and what they answer.

``Incoming`` is what arrived on the wire, ``S3Request`` is the same after the pipeline has authenticated the caller and resolved the
bucket, ``Response`` is what an operation returns. Header names are lower case and values are Latin-1 text, so that no byte is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, cast

from domicile_common.access import acl as lists
from domicile_common.access.documents import Caller
from domicile_common.errors import DomicileError, RequestError
from domicile_common.metadata_client.models import Located
from domicile_common.model import Bucket, Credential, Tenant
from domicile_common.sigv4.claim import Claim
from domicile_common.sigv4.verify import Verified
from domicile_proxy.limits import TenantLimits
from domicile_proxy.s3.asking import Signed, signed_by
from domicile_proxy.s3.forms import SignedForm
from domicile_proxy.s3.operation import Operation

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(DomicileError):
    """The client closed the connection before its body was complete: nobody is left to answer."""


class WireBody:
    """The request's body as it arrives, once.

    The server sends ``100 Continue`` at the first ``receive()``, so nothing here touches ``receive`` before somebody reads.
    ``pace``: awaited after so many bytes, where the caller's are limited.

    ``finished``: it has no bytes left to read; from the start when the head announces none, unless the client waits to be told to go on.
    botocore does so before a body of no bytes as well, and would misread the next answer on a connection where it was not told.
    """

    __slots__ = ("_idle_seconds", "_receive", "finished", "pace", "received", "started")

    def __init__(self, receive: Receive, headers: Mapping[str, str], idle_seconds: float) -> None:
        self._receive = receive
        self._idle_seconds = idle_seconds
        self.pace: Callable[[int], Awaitable[None]] | None = None
        self.received = 0  # bytes
        self.started = False
        self.finished = (
            headers.get("content-length", "0") == "0"
            and "transfer-encoding" not in headers
            and headers.get("expect", "").lower() != "100-continue"
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.finished:
            if chunk := await self.next():
                yield chunk

    async def next(self) -> bytes:
        """The bytes that arrived meanwhile; ``b""`` says nothing about the end (see ``finished``).

        Raises ``ClientGone``; ``RequestError`` ``RequestTimeout`` when the client pauses for too long.
        """
        self.started = True
        try:
            async with asyncio.timeout(self._idle_seconds):
                message = await self._receive()
        except TimeoutError:
            raise RequestError("RequestTimeout") from None
        if message["type"] != "http.request":
            self.finished = True
            raise ClientGone("the client closed the connection")
        self.finished = not message["more_body"]
        body = cast("bytes", message["body"])
        self.received += len(body)
        if self.pace is not None:
            await self.pace(len(body))
        return body


class KnownBody(WireBody):
    """A body that has been read already."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.started = self.finished = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


@dataclass(slots=True)
class Incoming:
    """What arrived on the wire. ``raw_path``/``raw_query``: still percent-encoded. ``trace``: W3C traceparent.

    ``secure``: it came over TLS, to this process. ``label``: the operation and ``access_key``: the caller, for logs and metrics, and
    ``bucket``, whose rules say which web pages may read the answer, all as soon as the pipeline knows them. ``limits``: those that it was
    counted for. ``sent``: bytes of the answer's body so far.
    """

    method: str
    raw_path: bytes
    raw_query: bytes
    raw_headers: list[tuple[bytes, bytes]]
    headers: Mapping[str, str]
    wire: WireBody
    request_id: str
    trace: str
    remote: str
    secure: bool = False
    label: str = "unknown"
    access_key: str = ""
    bucket: Bucket | None = None
    limits: TenantLimits | None = None
    sent: int = 0


@dataclass(frozen=True, slots=True)
class S3Request:
    """A request whose caller is known. ``bucket`` is set for every operation inside a bucket, except its creation.

    ``bucket_name`` and ``key`` are ``""`` where the operation's level has none. ``params``: the query, decoded. ``headers``: repeated ones
    are joined by a comma, and those that a presigned request carries in its query are among them. ``verified``: ``None`` for somebody
    without a key, and for a form, of which ``form`` tells. ``located``: the object, where it had to be looked at to decide
    whether the caller may have it.
    """

    incoming: Incoming
    headers: Mapping[str, str]
    operation: Operation
    bucket_name: str
    key: str
    params: Mapping[str, str]
    credential: Credential
    verified: Verified | None
    found_bucket: Bucket | None = None
    located: Located | None = None
    form: SignedForm | None = None

    @property
    def tenant(self) -> Tenant:
        return self.credential.tenant

    @property
    def caller(self) -> Caller:
        tenant = self.credential.tenant
        return Caller(tenant.tenant_id, tenant.canonical_id, self.credential.access_key)

    @property
    def owner(self) -> Tenant:
        """Whom the bucket belongs to: mostly the caller, but it may be another tenant's."""
        return lists.owner_of(self.bucket)

    @property
    def claim(self) -> Claim | None:
        return self.verified.claim if self.verified else None

    @property
    def signed(self) -> Signed | None:
        if self.verified:
            return signed_by(self.verified.claim)
        return self.form.signed if self.form else None

    @property
    def trace(self) -> str:
        return self.incoming.trace

    @property
    def origin(self) -> str:
        """Scheme and host, as far as this process knows: no forwarded header is believed."""
        return f"{'https' if self.incoming.secure else 'http'}://{self.headers.get('host', '')}"

    @property
    def bucket(self) -> Bucket:
        assert self.found_bucket is not None, "the pipeline resolves the bucket of every operation inside one"
        return self.found_bucket

    def body(self) -> AsyncIterator[bytes]:
        """The wire bytes, unverified and possibly chunk-coded: see ``operations.streams`` for the verified ones."""
        return aiter(self.incoming.wire)


@dataclass(slots=True)
class Response:
    """``headers``: without request id, date and server, which every answer gets.

    ``content-length`` is added for a ``bytes`` body, unless it is there (HEAD); before an iterator it must be there.
    ``close`` is awaited once after the answer, however it ended.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncGenerator[bytes] = b""
    close: Callable[[], Awaitable[None]] | None = None
