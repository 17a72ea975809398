"""The metadata service's admin API, asked in the name of whoever has signed in."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import httpx
import msgspec

from domicile_common.backends.http1 import Tls
from domicile_common.catalogue import Catalogue
from domicile_common.errors import DomicileError, RequestError, Unavailable
from domicile_common.tracing import current_trace
from domicile_common.value import Value

TIMEOUT = httpx.Timeout(600.0, connect=5.0)  # a preview counts every version
REMEMBERED_SECONDS = 10.0
REMEMBERED = 1000

T = TypeVar("T")


class Caller(Value, frozen=True):
    """As metadata describes whose session it is."""

    role: Literal["operator", "auditor", "tenant_admin", "tenant"]
    tenant_id: str | None = None
    access: Literal["full", "read"] = "full"
    expires_at: str | None = None


class Refused(DomicileError):
    """Metadata refused; what it said is passed on as it is."""

    def __init__(self, status: int, document: bytes) -> None:
        super().__init__(f"metadata answered HTTP {status}")
        self.status = status
        self.document = document


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


class MetadataApi:
    """``tls``: how it is met at an https URL."""

    def __init__(self, url: str, tls: Tls) -> None:
        self._url = url
        self._tls = tls
        self._client = self._retired = self._connect()
        self._callers: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def _connect(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
        return httpx.AsyncClient(base_url=self._url, timeout=TIMEOUT, limits=limits, trust_env=False, verify=self._tls())

    async def renew(self) -> None:
        """Connects anew, since certificates may have changed. What is under way goes on until the next time."""
        retired, self._retired, self._client = self._retired, self._client, self._connect()
        if retired is not self._retired:
            await retired.aclose()

    async def close(self) -> None:
        await self._client.aclose()
        await self._retired.aclose()

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, shown: Mapping[str, str], *, query: bytes = b"", body: Any = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer as it arrives. ``path``: percent-encoded. ``shown``: headers, who asks among them. Raises ``RequestError``, ``Unavailable``."""
        headers = {"traceparent": current_trace(), **shown}
        try:
            async with self._client.stream(method, self._asked(path, query), headers=headers, content=body) as response:
                yield response
        except httpx.HTTPError as error:
            raise Unavailable(f"metadata gave no answer: {type(error).__name__}") from None

    def _asked(self, path: str, query: bytes) -> httpx.URL:
        """Of the very path that the caller has looked at: httpx alone would make ``/b`` of ``/a/../b``. Raises ``RequestError``."""
        try:
            url = self._client.base_url.copy_with(raw_path=path.encode("ascii") + (b"?" + query if query else b""))
        except (httpx.InvalidURL, UnicodeError):
            raise RequestError("InvalidArgument", "The path or the query is not that of a URL.") from None
        if url.raw_path.partition(b"?")[0] != path.encode("ascii"):
            raise RequestError("InvalidArgument", "The path is not in its plain form.")
        return url

    async def call(self, method: str, path: str, shown: Mapping[str, str], shape: type[T], *, body: Any = None) -> T:
        """Raises ``Refused``, ``Unavailable``."""
        content = None if body is None else msgspec.json.encode(body)
        async with self.stream(method, path, shown, body=content) as response:
            document = await response.aread()
        if response.is_error:
            raise Refused(response.status_code, document)
        return msgspec.json.decode(document, type=shape)

    async def ping(self) -> None:
        """Raises ``Unavailable`` unless it can be reached; it may be that it is not ready."""
        async with self.stream("GET", "/healthz", {}):
            pass

    async def caller(self, token: str) -> Caller | None:
        """Whose session it is; what was found is believed for a few seconds."""
        now = asyncio.get_running_loop().time()
        until, known = self._callers.get(token, (0.0, None))
        if known is not None and now < until:
            return known
        try:
            found = await self.call("GET", "/proxy/sessions/current", bearer(token), Caller)
        except Refused as refused:
            if refused.status == httpx.codes.UNAUTHORIZED:
                self.forget(token)
                return None
            raise
        self._callers[token] = (now + REMEMBERED_SECONDS, found)
        if len(self._callers) > REMEMBERED:
            self._callers.popitem(last=False)
        return found

    def forget(self, token: str) -> None:
        self._callers.pop(token, None)


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known, and who asks: ``shown`` are the headers that say so to metadata."""

    catalogue: Catalogue
    metadata: MetadataApi
    shown: Mapping[str, str]
