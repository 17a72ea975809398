"""Bucket policies: read strictly when they are set, then evaluated for every request. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html. A tenant is named by its canonical id
(``{"CanonicalUser": id}``) or as an account, by canonical id or tenant id (``{"AWS": "arn:aws:iam::<account>:root"}`` or the account
alone); one key of it is ``arn:aws:iam::<account>:user/<access key>``. Whether such a tenant exists is not told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from domicile_common.access.actions import ACTIONS, is_about_objects
from domicile_common.access.conditions import EXISTING_TAG, Condition, Facts, malformed, parse_conditions
from domicile_common.access.wildcards import dear, matches

MAXIMUM_BYTES = 20 * 1024  # as at AWS
MAXIMUM_DEAR = 256
"""As ``wildcards.dear`` counts. While one request is decided all others of the proxy wait: with this, some milliseconds at most."""
ARN = "arn:aws:s3:::"

Effect = Literal["Allow", "Deny"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; all three are ``""`` for somebody without a key."""

    tenant_id: str = ""
    canonical_id: str = ""
    access_key: str = ""

    @property
    def anonymous(self) -> bool:
        return not self.tenant_id


@dataclass(frozen=True, slots=True)
class Principal:
    """``account``: canonical id or tenant id, or ``*`` for everybody, with or without a key. ``access_key``: only this key of it."""

    account: str
    access_key: str = ""

    def includes(self, caller: Caller) -> bool:
        return self.concerns(caller) and self.access_key in ("", caller.access_key)

    def concerns(self, caller: Caller) -> bool:
        """Whether some key of the caller's tenant is meant, if not this one."""
        return self.account == "*" or (not caller.anonymous and self.account in (caller.tenant_id, caller.canonical_id))


@dataclass(frozen=True, slots=True)
class Statement:
    """``actions`` are in lower case; ``but_``: the statement is about everything else (NotPrincipal, NotAction, NotResource)."""

    effect: Effect
    principals: tuple[Principal, ...]
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    but_principals: bool = False
    but_actions: bool = False
    but_resources: bool = False

    def is_about(self, caller: Caller) -> bool:
        return any(principal.includes(caller) for principal in self.principals) != self.but_principals

    def lets_in(self, caller: Caller) -> bool:
        """Whether it allows some key of the caller's tenant anything."""
        return self.effect == "Allow" and any(principal.concerns(caller) for principal in self.principals)

    def applies(self, caller: Caller, action: str, resource: str, facts: Facts) -> bool:
        return (
            any(matches(pattern, action.lower()) for pattern in self.actions) != self.but_actions
            and self.is_about(caller)
            and any(matches(pattern, resource) for pattern in self.resources) != self.but_resources
            and all(condition.holds(facts) for condition in self.conditions)
        )

    @property
    def is_public(self) -> bool:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html, "The meaning of public"."""
        everybody = self.but_principals or any(principal.account == "*" for principal in self.principals)
        return self.effect == "Allow" and everybody and not any(map(_narrows, self.conditions))


@dataclass(frozen=True, slots=True)
class Document:
    statements: tuple[Statement, ...] = ()

    def effect(self, caller: Caller, action: str, resource: str, facts: Facts) -> Effect | None:
        """An explicit denial wins; ``None`` when no statement applies. ``resource``: ``bucket`` or ``bucket/key``."""
        effects = {statement.effect for statement in self.statements if statement.applies(caller, action, ARN + resource, facts)}
        return "Deny" if "Deny" in effects else "Allow" if effects else None

    @property
    def is_public(self) -> bool:
        return any(statement.is_public for statement in self.statements)

    @property
    def patterns(self) -> Iterator[str]:
        """All that may be compared with long texts."""
        for statement in self.statements:
            yield from statement.resources
            for condition in statement.conditions:
                yield from condition.texts

    @property
    def asks_for_tags(self) -> bool:
        """Whether the tags of existing objects matter."""
        return self.asks_for((EXISTING_TAG,))

    def asks_for(self, keys: tuple[str, ...]) -> bool:
        """Whether a condition has one of these keys, or a key that begins like one."""
        return any(condition.key.startswith(keys) for statement in self.statements for condition in statement.conditions)


_NARROWING = frozenset({"aws:principalaccount", "aws:principalarn", "aws:userid", "aws:username"})
_POSITIVE = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"})
_WIDEST = {4: 8, 6: 32}


def _narrows(condition: Condition) -> bool:
    """Whether only few can fulfil it: fixed values, or networks that are not very broad."""
    if condition.if_exists or condition.each == "all":
        return False
    if condition.key == "aws:sourceip" and condition.operator == "IpAddress":
        return all(network.prefixlen >= _WIDEST[network.version] for network in condition.expected)
    fixed = not any("*" in text or "?" in text for text in condition.texts)
    return condition.key in _NARROWING and condition.operator in _POSITIVE and fixed


# --- reading ---

_ACCOUNT = r"[A-Za-z0-9][A-Za-z0-9-]{0,63}"
_PRINCIPAL = re.compile(
    rf"(?:arn:aws:iam::({_ACCOUNT}):root|({_ACCOUNT})|arn:aws:iam::({_ACCOUNT}):user/([A-Za-z0-9._-]{{1,128}}))"
)
_CANONICAL = re.compile(r"[0-9a-f]{64}")
_TOP = {"Version", "Id", "Statement"}
_PARTS = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}


@lru_cache(maxsize=1024)
def read(text: str) -> Document:
    """A policy that was accepted before; ``""`` is none at all."""
    return Document(tuple(map(_statement, _load(text)))) if text else Document()


def parse(text: str, bucket: str) -> Document:
    """A policy that somebody wants to set for this bucket.

    Raises:
        RequestError: MalformedPolicy, for whatever is not of the grammar, speaks of other buckets, or could not be evaluated here.
    """
    document = read(text) if text else Document(tuple(map(_statement, _load(text))))
    for statement in document.statements:
        for pattern in statement.resources:
            if pattern != "*" and not matches(pattern.removeprefix(ARN).partition("/")[0], bucket):
                raise malformed("Policy has invalid resource")
        # S3 refuses this of an Allow as well, which lets nobody in, however; a Deny that never applies would let somebody in.
        exact = statement.effect == "Deny" and not (statement.but_actions or statement.but_resources)
        if exact and not all(_can_apply(action, statement.resources, bucket) for action in statement.actions):
            raise malformed("Action does not apply to any resource(s) in statement")
    if sum(map(dear, document.patterns)) > MAXIMUM_DEAR:
        raise malformed("Policy has too many question marks between asterisks")
    return document


_BY_NAME = {action.lower(): action for action in ACTIONS}


def _can_apply(action: str, resources: tuple[str, ...], bucket: str) -> bool:
    """Whether the action, unless it is a pattern, acts on anything that one of the patterns can stand for."""
    if action not in _BY_NAME:
        return True
    if is_about_objects(_BY_NAME[action]):
        return any(not {"/", "*", "?"}.isdisjoint(pattern.removeprefix(ARN)) for pattern in resources)
    return any(matches(pattern.removeprefix(ARN), bucket) for pattern in resources)


def _load(text: str) -> list[dict[str, Any]]:
    if len(text.encode("utf-8", "surrogatepass")) > MAXIMUM_BYTES:
        raise malformed(f"Policy exceeds the maximum allowed document size of {MAXIMUM_BYTES} bytes")
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise malformed("Policies must be valid JSON and the first byte must be '{'") from None
    if not isinstance(document, dict):
        raise malformed("Policies must be valid JSON and the first byte must be '{'")
    if unknown := document.keys() - _TOP:
        raise malformed(f"Unknown field {min(unknown)[:100]}")
    if document.get("Version", "2008-10-17") not in {"2012-10-17", "2008-10-17"}:
        raise malformed("The policy must contain a valid version string")
    if not isinstance(document.get("Id", ""), str):
        raise malformed("Invalid policy syntax.")
    statements = document.get("Statement")
    listed = [
        statement for statement in (statements if isinstance(statements, list) else [statements]) if isinstance(statement, dict)
    ]
    if not listed or (isinstance(statements, list) and len(listed) < len(statements)):
        raise malformed("Missing required field Statement")
    return listed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name stands there twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _statement(fields: dict[str, Any]) -> Statement:
    if unknown := fields.keys() - _PARTS:
        raise malformed(f"Unknown field {min(unknown)[:100]}")
    effect: Effect = fields.get("Effect", "")
    if effect not in ("Allow", "Deny"):
        raise malformed("Invalid effect")
    if not isinstance(fields.get("Sid", ""), str):
        raise malformed("Invalid policy syntax.")
    principals, but_principals = _either(fields, "Principal", _principals)
    if but_principals and effect == "Allow":
        raise malformed("Allow with NotPrincipal is not allowed")
    actions, but_actions = _either(fields, "Action", _actions)
    resources, but_resources = _either(fields, "Resource", _resources)
    conditions = parse_conditions(fields["Condition"]) if "Condition" in fields else ()
    return Statement(effect, principals, actions, resources, conditions, but_principals, but_actions, but_resources)


def _either(fields: dict[str, Any], name: str, read_values: Callable[[Any], tuple[Any, ...]]) -> tuple[tuple[Any, ...], bool]:
    """The element of this name, or its opposite; exactly one of them must be there."""
    opposite = f"Not{name}"
    if (name in fields) == (opposite in fields):
        raise malformed(f"Missing required field {name}" if name not in fields else f"{name} and {opposite} exclude each other")
    return read_values(fields.get(name, fields.get(opposite))), opposite in fields


def _texts(value: object, what: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str) and text]
    if not texts or len(texts) < len(values):
        raise malformed(f"Policy has invalid {what}")
    return texts


def _principals(value: object) -> tuple[Principal, ...]:
    if value == "*":
        return (Principal("*"),)
    if not isinstance(value, dict) or not value or value.keys() - {"AWS", "CanonicalUser"}:
        raise malformed("Invalid principal in policy")
    accounts = [_account(text) for text in _texts(value["AWS"], "principal")] if "AWS" in value else []
    users = [_canonical(text) for text in _texts(value["CanonicalUser"], "principal")] if "CanonicalUser" in value else []
    return (*accounts, *users)


def _account(text: str) -> Principal:
    if text == "*":
        return Principal("*")
    form = _PRINCIPAL.fullmatch(text)
    if form is None:
        raise malformed("Invalid principal in policy")
    return Principal(form[1] or form[2] or form[3], form[4] or "")


def _canonical(text: str) -> Principal:
    if not _CANONICAL.fullmatch(text):
        raise malformed("Invalid principal in policy")
    return Principal(text)


def _actions(value: object) -> tuple[str, ...]:
    patterns = tuple(text.lower() for text in _texts(value, "action"))
    for pattern in patterns:
        if not any(matches(pattern, action.lower()) for action in ACTIONS):
            raise malformed("Policy has invalid action")
    return patterns


def _resources(value: object) -> tuple[str, ...]:
    patterns = tuple(_texts(value, "resource"))
    for pattern in patterns:
        if "${" in pattern:
            raise malformed("Policy variables are not supported")
        if pattern != "*" and not (pattern.startswith(ARN) and len(pattern) > len(ARN)):
            raise malformed("Policy has invalid resource")
    return patterns
