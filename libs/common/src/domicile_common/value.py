"""The base of everything that crosses a service boundary. Pure."""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of every value that crosses a service boundary; unknown fields are ignored, so that versions of services can mix."""
