"""Lifecycle configurations: read strictly, and shown as they were written. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html. Transitions are refused: all storage classes are
kept alike here, so that moving an object to another one would be an empty promise.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

from domicile_common.bucket_settings import LifecycleFilter, LifecycleRule
from domicile_common.errors import RequestError
from domicile_common.lifecycle import expiry, midnight_before, upload_expiry
from domicile_common.model import Version
from domicile_proxy.s3.answers import document
from domicile_proxy.s3.conditions import http_date
from domicile_proxy.s3.headers import check_tag
from domicile_proxy.s3.xml import escape, parse

MAXIMUM_RULES = 1000
MAXIMUM_BYTES = 256 * 1024
MAXIMUM_ID = 255
MAXIMUM_KEPT = 100  # noncurrent versions
MAXIMUM_TAGS = 10

_NO_TRANSITIONS = "Transitions between storage classes are not implemented."
_MINIMUM_SIZE, _DEFAULT_MINIMUM = "x-amz-transition-default-minimum-object-size", "all_storage_classes_128K"

_NUMBER = re.compile(r"-?[0-9]{1,12}")
_LARGEST = 2**31 - 1
_RULE = {
    "ID",
    "Prefix",
    "Filter",
    "Status",
    "Expiration",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
    "Transition",
    "NoncurrentVersionTransition",
}
_MANY = {"Transition", "NoncurrentVersionTransition"}


def parse_lifecycle(body: bytes) -> tuple[LifecycleRule, ...]:
    """Raises RequestError: MalformedXML, InvalidArgument, InvalidRequest, InvalidTag, NotImplemented (transitions)."""
    if len(body) > MAXIMUM_BYTES:
        raise RequestError("MalformedXML")
    root = parse(body, "LifecycleConfiguration")
    if any(child.tag != "Rule" for child in root) or not 0 < len(root) <= MAXIMUM_RULES:
        raise RequestError("MalformedXML")
    rules = tuple(_rule(element, position) for position, element in enumerate(root))
    if len({rule.rule_id for rule in rules}) < len(rules):
        raise RequestError("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    return rules


def _rule(element: Element, position: int) -> LifecycleRule:
    parts = _parts(element, _RULE, _MANY)
    rule_id = _text(parts.get("ID"))
    if len(rule_id) > MAXIMUM_ID:
        raise RequestError("InvalidArgument", f"ID length should not exceed allowed limit of {MAXIMUM_ID}")
    status = _text(parts.get("Status"))
    if status not in {"Enabled", "Disabled"} or ("Prefix" in parts) == ("Filter" in parts):
        raise RequestError("MalformedXML")
    for name in sorted(_MANY):
        for child in element.findall(name):
            _check_transition(child)
    rule = LifecycleRule(
        rule_id=rule_id or _made_up(element, position),
        enabled=status == "Enabled",
        filter=_filter(parts["Filter"]) if "Filter" in parts else LifecycleFilter(prefix=_prefix(parts["Prefix"]), form="prefix"),
        **_expiration(parts.get("Expiration")),
        **_noncurrent(parts.get("NoncurrentVersionExpiration")),
        **_abort(parts.get("AbortIncompleteMultipartUpload")),
    )
    if parts.keys() & _MANY:
        raise RequestError("NotImplemented", _NO_TRANSITIONS)
    _check(rule)
    return rule


def _check(rule: LifecycleRule) -> None:
    actions = (rule.expire_days, rule.expire_date, rule.expire_lone_markers, rule.noncurrent_days, rule.abort_days)
    if all(action is None for action in actions):
        raise RequestError("InvalidRequest", "At least one action needs to be specified in a rule")
    if rule.filter.needs_object and rule.abort_days is not None:
        raise RequestError("InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes")
    if rule.filter.tags and rule.expire_lone_markers is not None:
        raise RequestError("InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags")


def _made_up(element: Element, position: int) -> str:
    """An id for a rule without one: the same for the same rule at the same place."""
    text = f"{position}:" + "|".join(f"{child.tag}={child.text or ''}" for child in element.iter())
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _parts(element: Element, known: set[str], many: Iterable[str] = ()) -> dict[str, Element]:
    parts: dict[str, Element] = {}
    for child in element:
        if child.tag not in known or (child.tag in parts and child.tag not in many):
            raise RequestError("MalformedXML")
        parts[child.tag] = child
    return parts


def _text(element: Element | None) -> str:
    return _exact_text(element).strip()


def _exact_text(element: Element | None) -> str:
    """Prefixes and tags keep their spaces."""
    if element is None:
        return ""
    if len(element):
        raise RequestError("MalformedXML")
    return element.text or ""


def _prefix(element: Element | None) -> str:
    text = _exact_text(element)
    if len(text.encode()) > 1024:  # noqa: PLR2004 -- as long as a key may be
        raise RequestError("InvalidRequest", "The maximum size of a prefix is 1024.")
    return text


def _number(element: Element, name: str, least: int, most: int = _LARGEST) -> int:
    text = _text(element)
    if not _NUMBER.fullmatch(text):
        raise RequestError("MalformedXML")
    if not least <= int(text) <= most:
        raise RequestError("InvalidArgument", f"'{name}' must be a whole number from {least} to {most}")
    return int(text)


def _date(element: Element) -> datetime:
    try:
        date = datetime.fromisoformat(_text(element))
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise RequestError("MalformedXML") from None
    if date != midnight_before(date):
        raise RequestError("InvalidArgument", "'Date' must be at midnight GMT")
    return date


def _filter(element: Element) -> LifecycleFilter:
    parts = _parts(element, {"Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "And"})
    if len(parts) > 1:
        raise RequestError("MalformedXML")
    if "And" in parts:
        both = parts["And"]
        chosen = _chosen(_parts(both, {"Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"}, {"Tag"}), both, "and")
        if not len(both):
            raise RequestError("MalformedXML")
        return chosen
    return _chosen(parts, element, "single") if parts else LifecycleFilter()


def _chosen(parts: Mapping[str, Element], element: Element, form: str) -> LifecycleFilter:
    tags: dict[str, str] = {}
    for tag in element.findall("Tag"):
        fields = _parts(tag, {"Key", "Value"})
        key, value = _exact_text(fields.get("Key")), _exact_text(fields.get("Value"))
        check_tag(key, value)
        if key in tags:
            raise RequestError("InvalidRequest", "Duplicate Tag Keys are not allowed.")
        tags[key] = value
    if len(tags) > MAXIMUM_TAGS:
        raise RequestError("InvalidRequest", f"There may be {MAXIMUM_TAGS} tags at most.")
    larger, smaller = parts.get("ObjectSizeGreaterThan"), parts.get("ObjectSizeLessThan")
    most = 5 * 1024**4
    chosen = LifecycleFilter(
        prefix=_prefix(parts.get("Prefix")),
        tags=tags,
        larger_than=None if larger is None else _number(larger, "ObjectSizeGreaterThan", 0, most),
        smaller_than=None if smaller is None else _number(smaller, "ObjectSizeLessThan", 1, most),
        form="and" if form == "and" else "single",
    )
    if chosen.larger_than is not None and chosen.smaller_than is not None and chosen.larger_than >= chosen.smaller_than:
        raise RequestError("InvalidRequest", "'ObjectSizeGreaterThan' must be less than 'ObjectSizeLessThan'.")
    return chosen


def _expiration(element: Element | None) -> dict[str, Any]:
    if element is None:
        return {}
    parts = _parts(element, {"Days", "Date", "ExpiredObjectDeleteMarker"})
    if len(parts) != 1:
        raise RequestError("MalformedXML")
    if "Days" in parts:
        return {"expire_days": _number(parts["Days"], "Days", 1)}
    if "Date" in parts:
        return {"expire_date": _date(parts["Date"])}
    text = _text(parts["ExpiredObjectDeleteMarker"]).lower()
    if text not in {"true", "false"}:
        raise RequestError("MalformedXML")
    return {"expire_lone_markers": text == "true"}


def _noncurrent(element: Element | None) -> dict[str, Any]:
    if element is None:
        return {}
    parts = _parts(element, {"NoncurrentDays", "NewerNoncurrentVersions"})
    if "NoncurrentDays" not in parts:
        raise RequestError("MalformedXML")
    newer = parts.get("NewerNoncurrentVersions")
    return {
        "noncurrent_days": _number(parts["NoncurrentDays"], "NoncurrentDays", 1),
        "noncurrent_keep": None if newer is None else _number(newer, "NewerNoncurrentVersions", 1, MAXIMUM_KEPT),
    }


def _abort(element: Element | None) -> dict[str, Any]:
    if element is None:
        return {}
    parts = _parts(element, {"DaysAfterInitiation"})
    if not parts:
        raise RequestError("MalformedXML")
    return {"abort_days": _number(parts["DaysAfterInitiation"], "DaysAfterInitiation", 1)}


def _check_transition(element: Element) -> None:
    """A transition that is wrong in itself is told so, before it is told that there are none."""
    parts = _parts(element, {"Days", "Date", "StorageClass", "NoncurrentDays", "NewerNoncurrentVersions"})
    for name in ("Days", "NoncurrentDays", "NewerNoncurrentVersions"):
        if name in parts:
            _number(parts[name], name, 0)
    if "Date" in parts:
        _date(parts["Date"])
    if "StorageClass" not in parts:
        raise RequestError("MalformedXML")


# --- showing ---


def render_lifecycle(rules: Iterable[LifecycleRule]) -> bytes:
    """GetBucketLifecycleConfiguration."""
    return document("LifecycleConfiguration", "".join(f"<Rule>{''.join(_shown(rule))}</Rule>" for rule in rules))


def _shown(rule: LifecycleRule) -> Iterator[str]:
    if rule.expire_days is not None:
        yield f"<Expiration><Days>{rule.expire_days}</Days></Expiration>"
    if rule.expire_date is not None:
        yield f"<Expiration><Date>{rule.expire_date.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}</Date></Expiration>"
    if rule.expire_lone_markers is not None:
        flag = str(rule.expire_lone_markers).lower()
        yield f"<Expiration><ExpiredObjectDeleteMarker>{flag}</ExpiredObjectDeleteMarker></Expiration>"
    yield f"<ID>{escape(rule.rule_id)}</ID>"
    yield _shown_filter(rule.filter)
    yield f"<Status>{'Enabled' if rule.enabled else 'Disabled'}</Status>"
    if rule.noncurrent_days is not None:
        keep = rule.noncurrent_keep
        kept = "" if keep is None else f"<NewerNoncurrentVersions>{keep}</NewerNoncurrentVersions>"
        days = f"<NoncurrentDays>{rule.noncurrent_days}</NoncurrentDays>"
        yield f"<NoncurrentVersionExpiration>{days}{kept}</NoncurrentVersionExpiration>"
    if rule.abort_days is not None:
        days = f"<DaysAfterInitiation>{rule.abort_days}</DaysAfterInitiation>"
        yield f"<AbortIncompleteMultipartUpload>{days}</AbortIncompleteMultipartUpload>"


def _shown_filter(chosen: LifecycleFilter) -> str:
    if chosen.form == "prefix":
        return f"<Prefix>{escape(chosen.prefix)}</Prefix>"
    if chosen.form == "empty":
        return "<Filter/>"
    rows = [f"<Prefix>{escape(chosen.prefix)}</Prefix>"] if chosen.prefix else []
    rows += [f"<Tag><Key>{escape(key)}</Key><Value>{escape(value)}</Value></Tag>" for key, value in chosen.tags.items()]
    if chosen.larger_than is not None:
        rows.append(f"<ObjectSizeGreaterThan>{chosen.larger_than}</ObjectSizeGreaterThan>")
    if chosen.smaller_than is not None:
        rows.append(f"<ObjectSizeLessThan>{chosen.smaller_than}</ObjectSizeLessThan>")
    content = "".join(rows) or "<Prefix/>"
    return f"<Filter><And>{content}</And></Filter>" if chosen.form == "and" else f"<Filter>{content}</Filter>"


def expiration_header(rules: tuple[LifecycleRule, ...], version: Version) -> dict[str, str]:
    """``x-amz-expiration`` of a current version, if some rule is going to expire it."""
    if not rules:
        return {}
    found = expiry(rules, version.key, version.digest.size, version.facts.tags, version.committed_at)
    return {"x-amz-expiration": f'expiry-date="{http_date(found.at)}", rule-id="{_header_text(found.rule_id)}"'} if found else {}


def abort_headers(rules: tuple[LifecycleRule, ...], key: str, begun: datetime) -> dict[str, str]:
    """``x-amz-abort-date`` and ``x-amz-abort-rule-id`` of an unfinished upload, if some rule is going to end it."""
    found = upload_expiry(rules, key, begun)
    return {"x-amz-abort-date": http_date(found.at), "x-amz-abort-rule-id": _header_text(found.rule_id)} if found else {}


def read_minimum_size(headers: Mapping[str, str]) -> dict[str, str]:
    """What PutBucketLifecycleConfiguration and its Get… form answer of the smallest object that a transition takes: S3's default.

    Terraform asks for it with every configuration, and waits until it is told so. Raises RequestError: NotImplemented.
    """
    if headers.get(_MINIMUM_SIZE, _DEFAULT_MINIMUM) != _DEFAULT_MINIMUM:
        raise RequestError("NotImplemented", _NO_TRANSITIONS, {"Header": _MINIMUM_SIZE})
    return {_MINIMUM_SIZE: _DEFAULT_MINIMUM}


def _header_text(text: str) -> str:
    """What a header can carry of an id."""
    return "".join(character if " " <= character <= "~" and character != '"' else "?" for character in text)
