"""What all internal calls are made of. A family of calls in a module of its own ends with its ``CALLS``, which ``models.CALLS`` takes in. Pure."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from domicile_common.model import Value

R = TypeVar("R")


class Request(Value, Generic[R], frozen=True):
    """One item of a call, answered by an ``R``.

    ``trace``: the W3C traceparent of the request that this belongs to; it goes on into jobs and logs.
    """

    trace: str = ""


class Empty(Value, frozen=True):
    pass


class Call(msgspec.Struct, frozen=True):
    """One row of the interface. ``safe``: may be repeated by the client after a failure without an answer."""

    name: str
    request: type[Request[Any]]
    result: type[Value]
    safe: bool
