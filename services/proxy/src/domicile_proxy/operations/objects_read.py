"""GetObject and HeadObject. What S3 answers comes from the record, only the bytes come from a backend."""

from __future__ import annotations

from dataclasses import replace

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.models import Located
from domicile_common.model import Version
from domicile_proxy.authorization import authorize, locate
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.placement import owner_headers
from domicile_proxy.operations.streams import BlobReader
from domicile_proxy.operations.waiting import read_wait, wait_for
from domicile_proxy.request import Response, S3Request
from domicile_proxy.s3.conditions import http_date, not_modified
from domicile_proxy.s3.headers import object_headers, refuse_overrides, unmodified_headers, wanted_version
from domicile_proxy.s3.lifecycle import expiration_header
from domicile_proxy.s3.ranges import Span, wanted_span

READ_AT_ONCE = 256 * 1024
"""Bytes; what is not longer is read and checked before the answer begins, so that any other copy can still stand in."""


async def get_object(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html."""
    if request.caller.anonymous:
        refuse_overrides(request.params)
    located = await locate_object(request, context)
    while True:
        answer, span = describe(request, located.version)
        answer.headers |= await owner_headers(request, located.version, context)
        if span is None:
            return answer
        try:
            await attach_body(answer, span, BlobReader(context, request.bucket, located, span.start, span.end))
        except Unavailable:  # or was the version replaced, and its blobs removed, since it was located?
            request = await authorize(replace(request, located=None), context)
            newer = await locate_object(request, context)
            if newer.version.version_id == located.version.version_id:
                raise
            located = newer
        else:
            return answer


async def head_object(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html."""
    if request.caller.anonymous:
        refuse_overrides(request.params)
    version = (await locate_object(request, context)).version
    waited = await wait_for(read_wait(request, version.facts), version, context)
    answer, _ = describe(request, version)
    answer.headers |= waited
    answer.headers |= await owner_headers(request, version, context)
    return answer


async def locate_object(request: S3Request, context: Context) -> Located:
    """The key's current version, or the one that the query names. Raises ``RequestError`` MethodNotAllowed for a delete marker."""
    version_id = wanted_version(request.params)
    located = request.located or await locate(request.bucket, request.key, version_id, request.trace, context)
    version = located.version
    if version.is_delete_marker:
        marker = {"Key": request.key, "DeleteMarker": "true", "VersionId": version.shown_id}
        raise RequestError("MethodNotAllowed", detail=marker | {"LastModified": http_date(version.committed_at)})
    return located


def describe(request: S3Request, version: Version) -> tuple[Response, Span | None]:
    """The head of the answer, and the bytes that its body shall have; ``None`` when it has none."""
    versioned = request.bucket.versioning != "off"
    if not_modified(request.headers, version):
        return Response(304, unmodified_headers(version, versioned=versioned)), None
    span = wanted_span(request.headers, request.params, version)
    headers = object_headers(version, request.headers, request.params, span, versioned=versioned)
    answer = Response(206 if span and span.length else 200, headers)
    if "versionId" not in request.params:
        answer.headers |= expiration_header(request.bucket.settings.lifecycle, version)
    wanted = span or Span(0, version.digest.size - 1)
    return answer, wanted if wanted.length else None


async def attach_body(answer: Response, span: Span, reader: BlobReader) -> None:
    """Raises ``Unavailable`` when no replica serves."""
    if span.length <= READ_AT_ONCE:
        answer.body = await reader.read()
        return
    await reader.open()
    answer.body = reader.chunks()
    answer.close = reader.close


OPERATIONS: dict[str, Handler] = {"GetObject": get_object, "HeadObject": head_object}
