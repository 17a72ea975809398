"""What a service answers for each item of an array of requests: a result, or the error of that item alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import structlog

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.models import Request
from domicile_metadata.context import Context

log = structlog.get_logger()

Answer = Any  # the call's result type, a RequestError or an Unavailable
Batch = Callable[[Context, Sequence[Any]], Awaitable[Sequence[Answer]]]

T = TypeVar("T", bound=Request[Any])

# The most keys that one transaction holds: PostgreSQL keeps all locks of all transactions in one table of fixed size
# (max_locks_per_transaction times max_connections), which a few transactions over thousands of keys would fill.
CHUNK: Final = 200


async def settle(request: Request[Any], work: Awaitable[Any]) -> Answer:
    """The outcome of ``work`` as a value. A bug costs its own request only: it is logged, and the caller may try again."""
    try:
        return await work
    except (RequestError, Unavailable) as error:
        return error
    except Exception:
        log.exception("a request failed", call=type(request).__name__, trace=request.trace)
        return Unavailable("internal error")


def each(serve: Callable[[Context, T], Awaitable[Any]]) -> Batch:
    """A batch service of one that serves a single request: all at once, as far as there are connections."""

    async def batch(context: Context, requests: Sequence[T]) -> Sequence[Answer]:
        return await asyncio.gather(*(settle(request, serve(context, request)) for request in requests))

    return batch


def chunked(serve: Batch) -> Batch:
    """A batch service in pieces of ``CHUNK`` requests, one after the other."""

    async def batch(context: Context, requests: Sequence[Any]) -> Sequence[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(requests), CHUNK):
            answers += await serve(context, requests[start : start + CHUNK])
        return answers

    return batch
