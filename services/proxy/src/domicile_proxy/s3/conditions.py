"""Conditional requests: RFC 9110 section 13 for reads and copy sources, S3's own subset for writes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime

from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import Condition
from domicile_common.model import Version

_COPY_SOURCE = "x-amz-copy-source-"
_SIZE = re.compile("[0-9]{1,18}")


def http_date(instant: datetime) -> str:
    """RFC 9110 5.6.7, always in GMT; parts of a second are dropped."""
    return formatdate(instant.replace(microsecond=0).timestamp(), usegmt=True)


def parse_http_date(text: str) -> datetime | None:
    """None for what is no date: a condition on it counts as absent."""
    try:
        instant = parsedate_to_datetime(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def not_modified(headers: Mapping[str, str], version: Version) -> bool:
    """Evaluates a GET or HEAD in the order of RFC 9110 13.2.2; True asks for 304.

    Raises:
        RequestError: PreconditionFailed, naming the condition.
    """
    return bool(headers) and _unchanged(headers, "", version)


def check_copy_source(headers: Mapping[str, str], version: Version) -> None:
    """The same for the ``x-amz-copy-source-if-…`` headers of a copy, where "not modified" is a failure as well.

    Raises:
        RequestError: PreconditionFailed, naming the condition.
    """
    if _unchanged(headers, _COPY_SOURCE, version):
        raise _failed(
            f"{_COPY_SOURCE}If-None-Match" if f"{_COPY_SOURCE}if-none-match" in headers else f"{_COPY_SOURCE}If-Modified-Since"
        )


def write_condition(headers: Mapping[str, str]) -> Condition:
    """What a write demands of the key's current version; decided in the commit transaction.

    If-None-Match takes entity tags as well as ``*``, which S3 itself does not.

    Raises:
        RequestError: NotImplemented for the forms that make no sense for writes.
    """
    for name in ("if-modified-since", "if-unmodified-since"):
        if name in headers:
            raise RequestError("NotImplemented", detail={"Header": name.title()})
    others = tuple(_bare(field) for field in headers.get("if-none-match", "").split(",") if field.strip())
    match = headers.get("if-match")
    anything = "*" in others
    return Condition(
        if_none_match=anything, if_match=None if match is None else _bare(match), other_than=() if anything else others
    )


def deletion_condition(headers: Mapping[str, str]) -> Condition:
    """What a DeleteObject demands of what it removes; decided in the transaction that removes it.

    Raises:
        RequestError: InvalidArgument; NotImplemented for the forms that S3 does not have for deletions.
    """
    for name in ("if-none-match", "if-modified-since", "if-unmodified-since"):
        if name in headers:
            raise RequestError("NotImplemented", detail={"Header": name.title()})
    names = ("if-match", "x-amz-if-match-last-modified-time", "x-amz-if-match-size")
    return state_condition(*(headers.get(name) for name in names))


def state_condition(etag: str | None, modified: str | None, size: str | None) -> Condition:
    """The state in which alone something is to be deleted, as texts of headers or of a DeleteObjects document.

    Raises:
        RequestError: InvalidArgument.
    """
    instant = None if modified is None else _any_date(modified)
    if size is not None and not _SIZE.fullmatch(size.strip()):
        raise RequestError("InvalidArgument", "The size is no number", {"ArgumentName": "x-amz-if-match-size"})
    return Condition(if_match=None if etag is None else _bare(etag), modified=instant, size=None if size is None else int(size))


def _any_date(text: str) -> datetime:
    """HTTP's form or ISO 8601; whole seconds count."""
    try:
        parsed = datetime.fromisoformat(text.strip())
        instant = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        found = parse_http_date(text)
        if found is None:
            raise RequestError(
                "InvalidArgument", "The time is no date", {"ArgumentName": "x-amz-if-match-last-modified-time"}
            ) from None
        instant = found
    return instant.replace(microsecond=0)


def _bare(etag: str) -> str:
    return etag.strip().strip('"')


def _unchanged(headers: Mapping[str, str], prefix: str, version: Version) -> bool:
    etag = version.digest.etag
    modified = version.committed_at.replace(microsecond=0)
    match, since = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-unmodified-since")
    if match is not None:
        if not _matches(match, etag, weak=False):
            raise _failed(f"{prefix}If-Match")
    elif since is not None and (limit := parse_http_date(since)) and modified > limit:
        raise _failed(f"{prefix}If-Unmodified-Since")
    match, since = headers.get(f"{prefix}if-none-match"), headers.get(f"{prefix}if-modified-since")
    if match is not None:
        return _matches(match, etag, weak=True)
    return since is not None and (limit := parse_http_date(since)) is not None and modified <= limit


def _matches(value: str, etag: str, *, weak: bool) -> bool:
    """``value``: ``*`` or a list of entity tags; S3 takes them without quotes too, and no ETag of S3 holds a comma."""
    for field in value.split(","):
        tag = field.strip()
        if weak:
            tag = tag.removeprefix("W/")
        if tag == "*" or tag.strip('"') == etag:
            return True
    return False


def _failed(condition: str) -> RequestError:
    return RequestError("PreconditionFailed", detail={"Condition": condition})
