"""TLS of listeners and clients, renewed while they are in use: new connections show and trust what the files hold now, old ones go on.

A file that cannot be used raises ``ConfigurationError``, and what was in use stays.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from domicile_common.backends.http1 import default_tls
from domicile_common.errors import ConfigurationError
from domicile_common.live import Live
from domicile_common.settings import BackendsBlock, CallerBlock, ServiceBlock

S = TypeVar("S", bound=ServiceBlock)

Pair = tuple[Path | None, Path | None]


class Caller:
    """The context that a client connects with; it is called for each connection."""

    def __init__(self, make: Callable[[], ssl.SSLContext]) -> None:
        self._make = make
        self.renew()

    def __call__(self) -> ssl.SSLContext:
        return self._context

    def renew(self) -> None:
        self._context = self._make()


class Listener:
    """``context`` stays the same object, because a server keeps the one that it was opened with.

    So a CA of clients that is added is trusted at once; one that is removed, after a restart.
    """

    def __init__(self, pair: Pair, client_ca: Path | None = None) -> None:
        self._pair = pair
        self._client_ca = client_ca
        self.context = self._made(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def renew(self) -> None:
        self._made(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # a key that does not fit would cost the context in use its own
        self._made(self.context)

    def _made(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _show(context, self._pair, "TLS_CERTIFICATE and TLS_KEY")
        if self._client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            _trust(context, self._client_ca, "TLS_CLIENT_CA")
        return context


def listening(live: Live[S], client_ca: Path | None = None) -> ssl.SSLContext | None:
    """What the ports of a service show; ``None`` for plain HTTP. ``client_ca``: of whom alone is let in."""
    settings = live.settings
    if settings.tls_certificate is None:
        if client_ca:
            raise ConfigurationError("TLS_CLIENT_CA is of use only with TLS_CERTIFICATE and TLS_KEY")
        return None
    listener = Listener((settings.tls_certificate, settings.tls_key), client_ca)
    live.after_change(listener.renew)
    return listener.context


def to_services(live: Live[S]) -> Caller:
    """How metadata and RabbitMQ are met."""
    caller = Caller(lambda: service_context(live.settings))
    live.after_change(caller.renew)
    return caller


def service_context(settings: CallerBlock) -> ssl.SSLContext:
    context = default_tls() if settings.tls_ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.tls_ca:
        _trust(context, settings.tls_ca, "TLS_CA")
    if settings.tls_client_certificate:
        pair = (settings.tls_client_certificate, settings.tls_client_key)
        _show(context, pair, "TLS_CLIENT_CERTIFICATE and TLS_CLIENT_KEY")
    return context


def to_backends(live: Live[S], settings: BackendsBlock) -> Caller:
    """How S3 endpoints are met."""

    def make() -> ssl.SSLContext:
        context = default_tls()
        if settings.backend_ca:
            _trust(context, settings.backend_ca, "BACKEND_CA")
        return context

    caller = Caller(make)
    live.after_change(caller.renew)
    return caller


def _show(context: ssl.SSLContext, pair: Pair, names: str) -> None:
    certificate, key = pair
    try:
        context.load_cert_chain(
            certificate or "", key, lambda: ""
        )  # a key with a passphrase is refused, not asked for at a terminal
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{names} are not a certificate and its key: {_reason(error)}") from None


def _trust(context: ssl.SSLContext, file: Path, name: str) -> None:
    try:
        context.load_verify_locations(file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{name} holds no certificates: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
