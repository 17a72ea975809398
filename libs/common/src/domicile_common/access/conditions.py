"""Conditions of policy documents: operators, keys and how they are evaluated. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html. What cannot be evaluated here is
refused when the policy is set: a condition that is ignored would let somebody in, or lock somebody out, unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from domicile_common.access.wildcards import matches
from domicile_common.errors import RequestError

Facts = Mapping[str, tuple[str, ...]]
"""What is known of a request, by condition key as ``condition_key`` writes it. A key that is absent does not apply to the request."""

# Keys are compared without regard to case, but for the name of a tag.
KEYS = frozenset(
    {
        "aws:currenttime",
        "aws:epochtime",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principaltype",
        "aws:referer",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceip",
        "aws:useragent",
        "aws:userid",
        "aws:username",
        "s3:authtype",
        "s3:delimiter",
        "s3:if-match",
        "s3:if-none-match",
        "s3:max-keys",
        "s3:objectcreationoperation",
        "s3:object-lock-legal-hold",
        "s3:object-lock-mode",
        "s3:object-lock-retain-until-date",
        "s3:prefix",
        "s3:requestobjecttagkeys",
        "s3:resourceaccount",
        "s3:signatureage",
        "s3:signatureversion",
        "s3:versionid",
        "s3:x-amz-acl",
        "s3:x-amz-content-sha256",
        "s3:x-amz-copy-source",
        "s3:x-amz-grant-full-control",
        "s3:x-amz-grant-read",
        "s3:x-amz-grant-read-acp",
        "s3:x-amz-grant-write",
        "s3:x-amz-grant-write-acp",
        "s3:x-amz-metadata-directive",
        "s3:x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:x-amz-server-side-encryption-customer-algorithm",
        "s3:x-amz-storage-class",
    }
)
EXISTING_TAG = "s3:existingobjecttag/"
REQUEST_TAG = "s3:requestobjecttag/"
_TAGGED = (EXISTING_TAG, REQUEST_TAG)

# Keys that belong to some actions only. Of any other action they are not known, whatever the request carries: else somebody who may do one
# thing under a condition could do another one by a query parameter or a header that means nothing there.
_LISTED = frozenset({"s3:listbucket", "s3:listbucketversions"})
_WRITTEN = frozenset({"s3:putobject"})
_GRANTED = _WRITTEN | {"s3:putobjectacl", "s3:putobjectversionacl", "s3:putbucketacl"}
_TAGGED_ANEW = _WRITTEN | {"s3:putobjecttagging", "s3:putobjectversiontagging"}
_RETAINED = _WRITTEN | {"s3:putobjectretention"}
_KNOWN_TO: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("s3:prefix", "s3:delimiter", "s3:max-keys"), _LISTED),
    **dict.fromkeys(("s3:x-amz-acl", *(key for key in KEYS if key.startswith("s3:x-amz-grant-"))), _GRANTED),
    **dict.fromkeys(("s3:x-amz-copy-source", "s3:x-amz-metadata-directive", "s3:x-amz-storage-class"), _WRITTEN),
    **dict.fromkeys((key for key in KEYS if key.startswith("s3:x-amz-server-side-")), _WRITTEN),
    **dict.fromkeys(("s3:object-lock-mode", "s3:object-lock-retain-until-date"), _RETAINED),
    "s3:object-lock-legal-hold": _WRITTEN | {"s3:putobjectlegalhold"},
    "s3:if-match": _WRITTEN | {"s3:deleteobject", "s3:deleteobjectversion"},
    "s3:if-none-match": _WRITTEN,
    "s3:objectcreationoperation": _WRITTEN,
    "s3:requestobjecttagkeys": _TAGGED_ANEW,
}

_ARN_PIECES = 6


def condition_key(name: str) -> str:
    """The form in which keys are compared. Raises ``RequestError`` MalformedPolicy for one that is not known."""
    lower = name.lower()
    if lower in KEYS:
        return lower
    for prefix in _TAGGED:
        if lower.startswith(prefix) and len(name) > len(prefix):
            return prefix + name[len(prefix) :]
    raise malformed("Policy has an invalid condition key")


def known_to(action: str, facts: Facts) -> Facts:
    """Those of the facts that a policy may ask for when it decides about this action."""
    lower = action.lower()
    return {key: values for key, values in facts.items() if lower in _actions_of(key, lower)}


def _actions_of(key: str, action: str) -> Collection[str]:
    return _TAGGED_ANEW if key.startswith(REQUEST_TAG) else _KNOWN_TO.get(key, (action,))


def malformed(message: str) -> RequestError:
    return RequestError("MalformedPolicy", message)


# --- operators: how an expected value is read, and how an actual one is compared with it ---


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not number.is_finite():
        raise ValueError(text)
    return number


def _instant(text: str) -> datetime:
    """ISO 8601, or seconds since 1970. Without a zone it is UTC."""
    if re.fullmatch(r"[0-9]{1,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _network(text: str) -> Any:
    return ip_network(text, strict=False)


def _within(actual: Any, expected: Any) -> bool:
    return actual.version == expected.version and actual in expected


def _like(actual: str, expected: str) -> bool:
    return matches(expected, actual)


def _arn_like(actual: str, expected: str) -> bool:
    pieces, patterns = actual.split(":", _ARN_PIECES - 1), expected.split(":", _ARN_PIECES - 1)
    return len(pieces) == len(patterns) and all(map(_like, pieces, patterns))


@dataclass(frozen=True, slots=True)
class _Operator:
    """``expect``, ``read``: parse a value of the policy and of the request; both raise ``ValueError``."""

    holds: Callable[[Any, Any], bool]
    expect: Callable[[str], Any] = str
    read: Callable[[str], Any] = str
    negated: bool = False


def _same(actual: Any, expected: Any) -> bool:
    return bool(actual == expected)


def _family(name: str, expect: Callable[[str], Any]) -> dict[str, _Operator]:
    """The comparisons of numbers and of dates."""
    return {
        f"{name}Equals": _Operator(_same, expect, expect),
        f"{name}NotEquals": _Operator(_same, expect, expect, negated=True),
        f"{name}LessThan": _Operator(lambda actual, expected: bool(actual < expected), expect, expect),
        f"{name}LessThanEquals": _Operator(lambda actual, expected: bool(actual <= expected), expect, expect),
        f"{name}GreaterThan": _Operator(lambda actual, expected: bool(actual > expected), expect, expect),
        f"{name}GreaterThanEquals": _Operator(lambda actual, expected: bool(actual >= expected), expect, expect),
    }


OPERATORS: Mapping[str, _Operator] = {
    "StringEquals": _Operator(_same),
    "StringNotEquals": _Operator(_same, negated=True),
    "StringEqualsIgnoreCase": _Operator(_same, str.casefold, str.casefold),
    "StringNotEqualsIgnoreCase": _Operator(_same, str.casefold, str.casefold, negated=True),
    "StringLike": _Operator(_like),
    "StringNotLike": _Operator(_like, negated=True),
    **_family("Numeric", _number),
    **_family("Date", _instant),
    "Bool": _Operator(_same, _truth, _truth),
    "IpAddress": _Operator(_within, _network, ip_address),
    "NotIpAddress": _Operator(_within, _network, ip_address, negated=True),
    "ArnEquals": _Operator(_arn_like),
    "ArnLike": _Operator(_arn_like),
    "ArnNotEquals": _Operator(_arn_like, negated=True),
    "ArnNotLike": _Operator(_arn_like, negated=True),
    "Null": _Operator(_same, _truth),
}
_BY_NAME = {name.lower(): name for name in OPERATORS}
_FORM = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Condition:
    """``expected``: as the operator reads them; one of them has to agree. ``texts``: as they were written."""

    operator: str
    key: str
    expected: tuple[Any, ...]
    texts: tuple[str, ...]
    if_exists: bool = False
    each: Literal["all", "any"] | None = None

    def holds(self, facts: Facts) -> bool:
        operator = OPERATORS[self.operator]
        actual = facts.get(self.key, ())
        if self.operator == "Null":
            return any(expected is (not actual) for expected in self.expected)
        if not actual:
            return self.if_exists or self.each == "all" or (operator.negated and self.each is None)
        some = (self._agrees(operator, value) for value in actual)
        return all(some) if self.each == "all" else any(some)

    def _agrees(self, operator: _Operator, text: str) -> bool:
        try:
            actual = operator.read(text)
        except ValueError:
            return operator.negated
        return any(operator.holds(actual, expected) for expected in self.expected) != operator.negated


def parse_conditions(document: object) -> tuple[Condition, ...]:
    """The ``Condition`` element: operator → key → value or values. Raises ``RequestError`` MalformedPolicy."""
    if not isinstance(document, dict):
        raise malformed("Policy has an invalid condition block")
    return tuple(
        _condition(str(name), str(key), values) for name, block in document.items() for key, values in _members(block).items()
    )


def _members(block: object) -> dict[str, Any]:
    if not isinstance(block, dict) or not block:
        raise malformed("Policy has an invalid condition block")
    return block


def _condition(name: str, key: str, values: object) -> Condition:
    form = _FORM.fullmatch(name)
    operator = _BY_NAME.get(form[2].lower()) if form else None
    if form is None or operator is None or (operator == "Null" and (form[1] or form[3])):
        raise malformed(f"Invalid Condition type : {name[:100]}")
    texts = tuple(_text(value) for value in (values if isinstance(values, list) else [values]))
    if not texts:
        raise malformed("Policy has an invalid condition block")
    try:
        expected = tuple(map(OPERATORS[operator].expect, texts))
    except (ValueError, OverflowError):
        raise malformed(f"Policy has an invalid value for a condition of type {operator}") from None
    each: Literal["all", "any"] | None = None
    if form[1]:
        each = "all" if form[1].lower() == "forallvalues" else "any"
    return Condition(operator, condition_key(key), expected, texts, bool(form[3]), each)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise malformed("Policy has an invalid condition value")
    if "${" in value:
        raise malformed("Policy variables are not supported")
    return value
