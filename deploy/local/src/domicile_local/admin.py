"""The admin API as the launcher, the demo and the tests use it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from domicile_local.errors import SuiteError
from domicile_local.trust import public_authorities


class Admin:
    """``tls``: how it is met at an https URL."""

    def __init__(self, url: str, key: str, tls: ssl.SSLContext | None = None) -> None:
        self._client = httpx.Client(
            base_url=url, headers={"X-Admin-Key": key}, timeout=30, trust_env=False, verify=tls or public_authorities()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def call(self, method: str, path: str, body: object = None, params: Mapping[str, str] | None = None) -> Any:
        """The decoded answer. Raises SuiteError with the API's own words when it refuses."""
        try:
            response = self._client.request(method, f"/proxy{path}", json=body, params=params)
        except httpx.HTTPError as error:
            raise SuiteError(f"The admin API did not answer {method} {path}: {error or type(error).__name__}") from error
        if response.is_error:
            raise SuiteError(f"The admin API answered {response.status_code} to {method} {path}: {response.text[:500]}")
        return response.json()
