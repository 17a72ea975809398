"""S3 Object Lock: headers and documents as values, and back. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from domicile_common.errors import RequestError
from domicile_common.model import DefaultRetention, Lock, LockMode
from domicile_proxy.s3.documents import children, required
from domicile_proxy.s3.xml import parse

_PREFIX = "x-amz-object-lock-"
_MODES: dict[str, LockMode] = {"GOVERNANCE": "GOVERNANCE", "COMPLIANCE": "COMPLIANCE"}
_HOLDS = {"ON": True, "OFF": False}
_NUMBER = re.compile(r"-?[0-9]{1,9}")


def read_lock(headers: Mapping[str, str], now: datetime) -> Lock | None:
    """What PutObject, CopyObject or CreateMultipartUpload asks for; ``None`` when it asks for nothing.

    Raises:
        RequestError: InvalidArgument.
    """
    mode, until, hold = (headers.get(_PREFIX + name) for name in ("mode", "retain-until-date", "legal-hold"))
    if (mode is None) != (until is None):
        raise _bad("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied", "mode")
    if mode is not None and mode not in _MODES:
        raise _bad("Unknown wormMode directive.", "mode")
    if hold is not None and hold not in _HOLDS:
        raise _bad("Legal Hold must be either of 'ON' or 'OFF'", "legal-hold")
    if mode is None and hold is None:
        return None
    instant = None if until is None else _in_future(_instant(until), now)
    return Lock(_MODES[mode] if mode else None, instant, None if hold is None else _HOLDS[hold])


def bypasses(headers: Mapping[str, str]) -> bool:
    """Whether the request asks to set GOVERNANCE aside."""
    return headers.get("x-amz-bypass-governance-retention", "").lower() == "true"


def parse_retention(body: bytes, now: datetime) -> Lock:
    """The body of PutObjectRetention; an empty retention removes it.

    Raises:
        RequestError: MalformedXML, InvalidArgument (a date that is none, or not in the future).
    """
    fields = children(parse(body, "Retention"), {"Mode", "RetainUntilDate"})
    if not fields:
        return Lock()
    mode = _mode(required(fields, "Mode"))
    return Lock(mode, _in_future(_instant(required(fields, "RetainUntilDate").strip()), now))


def parse_legal_hold(body: bytes) -> bool:
    """Raises RequestError: MalformedXML."""
    status = required(children(parse(body, "LegalHold"), {"Status"}), "Status").strip()
    if status not in _HOLDS:
        raise RequestError("MalformedXML")
    return _HOLDS[status]


def parse_lock_configuration(body: bytes) -> DefaultRetention | None:
    """The body of PutObjectLockConfiguration: the default retention, if any.

    Raises:
        RequestError: MalformedXML, InvalidRetentionPeriod.
    """
    root = parse(body, "ObjectLockConfiguration")
    parts = {child.tag: child for child in root}
    if len(parts) != len(root) or not parts.keys() <= {"ObjectLockEnabled", "Rule"}:
        raise RequestError("MalformedXML")
    if "ObjectLockEnabled" not in parts or (parts["ObjectLockEnabled"].text or "").strip() != "Enabled":
        raise RequestError("MalformedXML")
    return _default_retention(parts["Rule"]) if "Rule" in parts else None


def lock_headers(lock: Lock) -> dict[str, str]:
    """What GetObject and HeadObject show."""
    answer = {}
    if lock.mode is not None and lock.until is not None:
        answer = {f"{_PREFIX}mode": lock.mode, f"{_PREFIX}retain-until-date": retain_until(lock.until)}
    if lock.legal_hold is not None:
        answer[f"{_PREFIX}legal-hold"] = "ON" if lock.legal_hold else "OFF"
    return answer


def retain_until(instant: datetime) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _default_retention(rule: Element) -> DefaultRetention:
    if [child.tag for child in rule] != ["DefaultRetention"]:
        raise RequestError("MalformedXML")
    fields = children(rule[0], {"Mode", "Days", "Years"})
    mode = _mode(required(fields, "Mode"))
    if ("Days" in fields) == ("Years" in fields):
        raise RequestError("MalformedXML")
    days, years = (_period(fields[name]) if name in fields else 0 for name in ("Days", "Years"))
    return DefaultRetention(mode, days, years)


def _period(text: str) -> int:
    """The upper bounds are metadata's to know."""
    if not _NUMBER.fullmatch(text.strip()):
        raise RequestError("MalformedXML")
    if int(text) <= 0:
        raise RequestError("InvalidRetentionPeriod", "Default retention period must be a positive integer value.")
    return int(text)


def _mode(text: str) -> LockMode:
    if text.strip() not in _MODES:
        raise RequestError("MalformedXML")
    return _MODES[text.strip()]


def _instant(text: str) -> datetime:
    """Milliseconds are kept, as S3 does; a date without a zone is in UTC. Digits alone are none: policies take them for seconds."""
    try:
        parsed = datetime.fromisoformat(text if "-" in text else "")
        instant = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _bad("The retain until date must be provided in ISO 8601 format", "retain-until-date") from None
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _in_future(instant: datetime, now: datetime) -> datetime:
    if instant <= now:
        raise _bad("The retain until date must be in the future!", "retain-until-date")
    return instant


def _bad(message: str, name: str) -> RequestError:
    return RequestError("InvalidArgument", message, {"ArgumentName": _PREFIX + name})
