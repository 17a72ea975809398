"""The clients that send calls: ``Domicile``, and ``AsyncDomicile`` with the same methods for asyncio."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Any, BinaryIO, Self

import httpx

from domicile_client.call import Call, Json, call, following, limited, read
from domicile_client.errors import ClientError, Misdirected, NoAnswer

TIMEOUT_SECONDS = 600.0  # a preview counts every version
CONNECT_SECONDS = 10.0


class _AdminKey(httpx.Auth):
    """The admin key, or the token of a session in its place."""

    def __init__(self, admin_key: str, token: str) -> None:
        self._headers = {"X-Admin-Key": admin_key} if admin_key else {"Authorization": f"Bearer {token}"} if token else {}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._headers)
        yield request


class _DiscoverySession(httpx.Auth):
    """Discovery takes sessions only, so the admin key is exchanged for one before the first call."""

    requires_response_body = True

    def __init__(self, url: str, admin_key: str, token: str) -> None:
        self._url = url
        self._admin_key = admin_key
        self._cookie = f"domicile_session={token}" if token else ""
        self.is_ours = False

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not self._cookie and self._admin_key:
            response = yield self._marked(
                httpx.Request("POST", f"{self._url}/api/session/operator", json={"admin_key": self._admin_key})
            )
            read(response.status_code, response.content)
            self._cookie = response.headers.get("set-cookie", "").partition(";")[0]
            self.is_ours = True
        if self._cookie:
            request.headers["Cookie"] = self._cookie
        yield self._marked(request)

    @staticmethod
    def _marked(request: httpx.Request) -> httpx.Request:
        request.headers["X-Domicile-Request"] = "1"
        return request


class _Connection:
    """Where the services are and who asks, the same for both clients."""

    def __init__(
        self,
        url: str,
        *,
        admin_key: str = "",
        token: str = "",
        discovery_url: str = "",
        ca_file: str | None = None,
        certificate: tuple[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        """``url``: of the metadata service; ``discovery_url``: of discovery, where calls need it.

        ``admin_key``, or the ``token`` of a session (``POST /proxy/sessions/…``). ``ca_file``: certificates to trust, besides the public ones.
        ``certificate``: files with what is shown to services that ask for it, and its key.
        ``timeout``: seconds without a byte of an answer.
        """
        self._urls = {"metadata": url.rstrip("/"), "discovery": discovery_url.rstrip("/")}
        self._session = _DiscoverySession(self._urls["discovery"], admin_key, token)
        self._auth: dict[str, httpx.Auth] = {"metadata": _AdminKey(admin_key, token), "discovery": self._session}
        self._options: dict[str, Any] = {
            "timeout": httpx.Timeout(timeout, connect=CONNECT_SECONDS),
            "verify": _trusted(ca_file, certificate),
            "trust_env": False,  # no proxy of the environment gets to see the key
        }

    def _arguments(self, asked: Call) -> dict[str, Any]:
        """Of one HTTP request. Raises ``Misdirected``."""
        origin = self._urls[asked.service]
        if not origin:
            raise Misdirected(f"this needs the address of the {asked.service} service")
        if not origin.startswith(("http://", "https://")):
            raise Misdirected(f"{origin} is no address: it does not begin with http:// or https://")
        query = {name: value if isinstance(value, str) else str(value) for name, value in asked.query.items()}
        fields = {"method": asked.method, "url": origin + asked.path, "auth": self._auth[asked.service]}
        return fields | ({"params": query} if query else {}) | ({} if asked.body is None else {"json": asked.body})

    def _no_answer(self, asked: Call, error: httpx.HTTPError | httpx.InvalidURL) -> NoAnswer:
        return NoAnswer(f"no answer of {self._urls[asked.service]}: {str(error) or type(error).__name__}")

    def _farewell(self) -> list[Call]:
        """A session that was made for us alone ends with us."""
        return [call("DELETE", "session", service="discovery")] if self._session.is_ours else []


def _trusted(ca_file: str | None, certificate: tuple[str, str] | None) -> ssl.SSLContext:
    """Raises ``Misdirected``, which names the files."""
    context = ssl.create_default_context()
    try:
        if ca_file is not None:
            context.load_verify_locations(ca_file)
        if certificate is not None:
            context.load_cert_chain(*certificate)
    except OSError as error:  # what ssl raises is one, too
        files = " and ".join(file for file in (ca_file, *(certificate or ())) if file)
        raise Misdirected(f"{files}: no certificates in PEM that can be used ({error.strerror or error})") from None
    return context


class Domicile(_Connection):
    """To be closed, best by ``with``. Every method raises ``Misdirected``, ``Refused`` and ``NoAnswer``."""

    def __init__(self, url: str, **options: Any) -> None:
        """``options``: see ``_Connection``."""
        super().__init__(url, **options)
        self._http = httpx.Client(**self._options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(ClientError):
            for last in self._farewell():
                self.ask(last)
        self._http.close()

    def ask(self, asked: Call) -> Json:
        """The answer, as docs/api.md describes it."""
        try:
            response = self._http.request(**self._arguments(asked))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._no_answer(asked, error) from None
        return read(response.status_code, response.content)

    def pages(self, asked: Call, limit: int | None = None) -> Iterator[Json]:
        """One answer after the other, until they hold ``limit`` rows or there is nothing more."""
        page: Call | None = asked
        while page is not None and (limit is None or limit > 0):
            answer = self.ask(limited(page, limit))
            yield answer
            limit = None if limit is None or page.pages is None else limit - len(answer[page.pages.rows])
            page = following(page, answer)

    def rows(self, asked: Call, limit: int | None = None) -> Iterator[Json]:
        """What is listed, page after page."""
        for answer in self.pages(asked, limit):
            yield from answer[asked.pages.rows if asked.pages else ""]

    def download(self, asked: Call, file: BinaryIO) -> int:
        """Writes the answer to ``file`` as it arrives. The number of bytes."""
        size = 0
        try:
            with self._http.stream(**self._arguments(asked)) as response:
                if response.is_error:
                    read(response.status_code, response.read())
                for chunk in response.iter_raw():
                    size += file.write(chunk)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._no_answer(asked, error) from None
        return size


class AsyncDomicile(_Connection):
    """To be closed, best by ``async with``. Every method raises ``Misdirected``, ``Refused`` and ``NoAnswer``."""

    def __init__(self, url: str, **options: Any) -> None:
        """``options``: see ``_Connection``."""
        super().__init__(url, **options)
        self._http = httpx.AsyncClient(**self._options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        with contextlib.suppress(ClientError):
            for last in self._farewell():
                await self.ask(last)
        await self._http.aclose()

    async def ask(self, asked: Call) -> Json:
        """The answer, as docs/api.md describes it."""
        try:
            response = await self._http.request(**self._arguments(asked))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._no_answer(asked, error) from None
        return read(response.status_code, response.content)

    async def rows(self, asked: Call) -> AsyncIterator[Json]:
        """What is listed, page after page."""
        page: Call | None = asked
        while page is not None:
            answer = await self.ask(limited(page, None))
            for row in answer[page.pages.rows if page.pages else ""]:
                yield row
            page = following(page, answer)
