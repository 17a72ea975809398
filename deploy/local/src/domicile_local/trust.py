"""Whom our HTTP clients trust, where nobody says otherwise."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def public_authorities() -> ssl.SSLContext:
    """As httpx by itself. Made once: it costs 20 ms of processor time, far more than a request, and whoever waits asks often."""
    return httpx.create_ssl_context(trust_env=False)
