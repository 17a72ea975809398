"""Which web pages may use a bucket: the configuration, the preflight, and the headers of actual answers. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html and https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from domicile_common.bucket_settings import CorsRule
from domicile_common.errors import RequestError
from domicile_proxy.s3.answers import document
from domicile_proxy.s3.xml import escape, parse

MAXIMUM_RULES = 100
MAXIMUM_BYTES = 64 * 1024
MAXIMUM_ID = 255
METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECONDS = re.compile(r"[0-9]{1,9}")


def parse_cors(body: bytes) -> tuple[CorsRule, ...]:
    """Raises RequestError: MalformedXML, InvalidRequest."""
    if len(body) > MAXIMUM_BYTES:
        raise RequestError("MalformedXML")
    rules = tuple(map(_rule, parse(body, "CORSConfiguration")))
    if not 0 < len(rules) <= MAXIMUM_RULES:
        raise RequestError("MalformedXML")
    return rules


def _rule(element: Element) -> CorsRule:
    if element.tag != "CORSRule":
        raise RequestError("MalformedXML")
    texts: dict[str, list[str]] = {}
    for child in element:
        texts.setdefault(child.tag, []).append((child.text or "").strip())
    once = ("ID", "MaxAgeSeconds")
    known = {"AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", *once}
    if texts.keys() - known or any(len(texts.get(name, ())) > 1 for name in once):
        raise RequestError("MalformedXML")
    rule_id, age = texts.get("ID", [""])[0], texts.get("MaxAgeSeconds", [None])[0]
    if len(rule_id) > MAXIMUM_ID or (age is not None and not _SECONDS.fullmatch(age)):
        raise RequestError("MalformedXML")
    rule = CorsRule(
        origins=tuple(texts.get("AllowedOrigin", ())),
        methods=tuple(texts.get("AllowedMethod", ())),
        headers=tuple(texts.get("AllowedHeader", ())),
        expose=tuple(texts.get("ExposeHeader", ())),
        max_age_seconds=None if age is None else int(age),
        rule_id=rule_id,
    )
    _check(rule)
    return rule


def _check(rule: CorsRule) -> None:
    if not rule.origins or not rule.methods or "" in (*rule.origins, *rule.headers, *rule.expose):
        raise RequestError("MalformedXML")
    for method in rule.methods:
        if method not in METHODS:
            message = f"Found unsupported HTTP method in CORS config. Unsupported method is {method[:20]}"
            raise RequestError("InvalidRequest", message)
    for kind, patterns in (("AllowedOrigin", rule.origins), ("AllowedHeader", rule.headers)):
        for pattern in patterns:
            if pattern.count("*") > 1:
                raise RequestError("InvalidRequest", f'{kind} "{pattern[:100]}" can not have more than one wildcard.')
    for header in rule.expose:
        if "*" in header:
            message = f'ExposeHeader "{header[:100]}" contains wildcard. We currently do not support that.'
            raise RequestError("InvalidRequest", message)
    if other := next((header for header in (*rule.headers, *rule.expose) if not _HEADER.fullmatch(header)), None):
        raise RequestError("InvalidRequest", f'"{other[:100]}" is not the name of a header.')


def render_cors(rules: Iterable[CorsRule]) -> bytes:
    """GetBucketCors."""
    return document("CORSConfiguration", "".join(map(_shown, rules)))


def _shown(rule: CorsRule) -> str:
    rows = [("ID", rule.rule_id)] if rule.rule_id else []
    rows += [("AllowedOrigin", origin) for origin in rule.origins]
    rows += [("AllowedMethod", method) for method in rule.methods]
    rows += [("AllowedHeader", header) for header in rule.headers]
    rows += [("ExposeHeader", header) for header in rule.expose]
    if rule.max_age_seconds is not None:
        rows.append(("MaxAgeSeconds", str(rule.max_age_seconds)))
    return f"<CORSRule>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in rows)}</CORSRule>"


def find_rule(rules: Iterable[CorsRule], origin: str, method: str, wanted_headers: Iterable[str] = ()) -> CorsRule | None:
    """The first rule that lets a page of this origin use this method with these headers."""
    return next((rule for rule in rules if _lets(rule, origin, method, wanted_headers)), None)


def _lets(rule: CorsRule, origin: str, method: str, wanted_headers: Iterable[str]) -> bool:
    return (
        method in rule.methods
        and any(_matches(pattern, origin) for pattern in rule.origins)
        and all(any(_matches(pattern.lower(), wanted.lower()) for pattern in rule.headers) for wanted in wanted_headers)
    )


def _matches(pattern: str, text: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)


def allowing(rule: CorsRule, origin: str) -> dict[str, str]:
    """The headers of an answer that a page of this origin may read."""
    anybody = "*" in rule.origins
    headers = {
        "access-control-allow-origin": "*" if anybody else origin,
        "access-control-allow-methods": ", ".join(rule.methods),
        "vary": VARY,
    }
    if not anybody:
        headers["access-control-allow-credentials"] = "true"
    if rule.expose:
        headers["access-control-expose-headers"] = ", ".join(rule.expose)
    if rule.max_age_seconds is not None:
        headers["access-control-max-age"] = str(rule.max_age_seconds)
    return headers
