"""Small XML bodies: read whole and verified, and answered."""

from __future__ import annotations

from domicile_common.errors import RequestError
from domicile_proxy.operations import streams
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3.body import BodyPlan
from domicile_proxy.s3.xml import MAX_BYTES


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
