"""Small XML bodies: read whole and verified, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from domicile_common.errors import RequestError
from domicile_proxy.operations import streams
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3.body import BodyPlan
from domicile_proxy.s3.xml import MAX_BYTES

PARSED_AT_ONCE = 16 * 1024
"""Bytes; a longer document takes up to half a second, in which others' requests go on."""

T = TypeVar("T")


async def read_document(request: S3Request, parse: Callable[[bytes], T], plan: BodyPlan | None = None) -> T:
    """What ``parse`` makes of the request's body. Raises what it raises, and as ``receive_document`` does."""
    return await parsed(await receive_document(request, plan), parse)


async def parsed(body: bytes, parse: Callable[[bytes], T]) -> T:
    return parse(body) if len(body) <= PARSED_AT_ONCE else await asyncio.to_thread(parse, body)


async def receive_document(request: S3Request, plan: BodyPlan | None = None) -> bytes:
    """The request's body, ``b""`` when its head announces none: also that has to be what was signed.

    ``plan``: when the caller has looked at it already. Raises ``RequestError``: MalformedXML for one that is too large, and those of a
    body that is not what it was said to be.
    """
    if request.incoming.wire.finished and "content-length" not in request.headers:
        request = streams.with_body(request, b"")
    plan = plan or streams.plan(request)
    if plan.length > MAX_BYTES:
        raise RequestError("MalformedXML")
    body, _ = await streams.receive_whole(request, plan)
    return body


def xml(body: bytes, headers: dict[str, str] | None = None) -> Response:
    """200 with an XML document."""
    return Response(200, {"content-type": "application/xml"} | (headers or {}), body)
