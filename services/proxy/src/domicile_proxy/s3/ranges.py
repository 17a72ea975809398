"""Which bytes of an object a GET or HEAD asks for: Range, If-Range and partNumber. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from domicile_common.errors import RequestError
from domicile_common.model import Digest, Version
from domicile_proxy.s3.conditions import http_date, parse_http_date
from domicile_proxy.s3.query import whole_number

MAX_PART_NUMBER = 10_000

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,100})-([0-9]{0,100})[ \t]*", re.IGNORECASE)


_COPIED_RANGE = re.compile(r"bytes=([0-9]{1,19})-([0-9]{1,19})")


class Span(NamedTuple):
    """Bytes ``start`` to ``end``, both inclusive."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start + 1


def wanted_span(headers: Mapping[str, str], params: Mapping[str, str], version: Version) -> Span | None:
    """The part of the object to answer with 206, or None for all of it with 200. Of a part of no bytes, the span has none either.

    A Range that is no single byte range, or whose If-Range names another state of the object, counts as absent (RFC 9110 14.2, 13.1.5).

    Raises:
        RequestError: InvalidRange, InvalidPartNumber (both 416), InvalidArgument, InvalidRequest.
    """
    value = headers.get("range")
    if "partNumber" in params:
        if value is not None:
            raise RequestError("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
        number = whole_number(params, "partNumber", 0, least=1, most=MAX_PART_NUMBER)
        return _part_span(version.digest, number)
    if value is None or not _same_state(headers.get("if-range"), version):
        return None
    return _byte_range(value, version.digest.size)


def copied_span(value: str | None, size: int) -> Span:
    """What ``x-amz-copy-source-range`` of an UploadPartCopy names, which S3 reads strictly; all bytes without it.

    The span of nothing at all, of an empty source, ends before it starts.

    Raises:
        RequestError: InvalidArgument (not of the form ``bytes=first-last``), InvalidRange (not within the source).
    """
    if value is None:
        return Span(0, size - 1)
    found = _COPIED_RANGE.fullmatch(value)
    if not found or int(found[1]) > int(found[2]):
        raise RequestError(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based "
            "offsets of the first and last bytes to copy",
            {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": value[:100]},
        )
    span = Span(int(found[1]), int(found[2]))
    if span.end >= size:
        message = f"Range specified is not valid for source object of size: {size}"
        raise RequestError("InvalidRange", message, {"RangeRequested": value, "ActualObjectSize": str(size)})
    return span


def _byte_range(value: str, size: int) -> Span | None:
    found = _RANGE.fullmatch(value)
    if not found:
        return None
    first, last = found.groups()
    if first:
        span = Span(int(first), min(int(last), size - 1) if last else size - 1)
        if last and int(last) < int(first):
            return None  # no valid range at all, hence ignored
    elif last:
        span = Span(max(size - int(last), 0), size - 1)
    else:
        return None
    if span.start >= size:  # past the end, a suffix of no bytes, or any range of an empty object
        raise RequestError("InvalidRange", detail={"RangeRequested": value, "ActualObjectSize": str(size)})
    return span


def _part_span(digest: Digest, number: int) -> Span:
    """An object that was not uploaded in parts has one part: itself."""
    sizes = [part.size for part in digest.parts] or [digest.size]
    if not 1 <= number <= len(sizes):
        detail = {"PartNumberRequested": str(number), "ActualPartCount": str(len(sizes))}
        raise RequestError("InvalidPartNumber", detail=detail)
    start = sum(sizes[: number - 1])
    return Span(start, start + sizes[number - 1] - 1)


def _same_state(if_range: str | None, version: Version) -> bool:
    if if_range is None:
        return True
    if if_range.endswith('"'):
        return if_range == f'"{version.digest.etag}"'
    return parse_http_date(if_range) == parse_http_date(http_date(version.committed_at))
