"""Secrets in the record."""

from __future__ import annotations

from domicile_client.call import Call, call


def reseal() -> Call:
    """Seals every secret with the present passphrase."""
    return call("POST", "secrets", "reseal")
