"""The XML documents and headers that say who may do what: access control lists, public access block, ownership controls. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, get_args
from xml.etree.ElementTree import Element

from domicile_common.access.acl import GROUP_URIS, MAXIMUM_GRANTS
from domicile_common.bucket_settings import Acl, Grant, Ownership, Permission, PublicAccessBlock
from domicile_common.errors import RequestError
from domicile_proxy.s3.answers import document
from domicile_proxy.s3.xml import escape, parse

XSI = "http://www.w3.org/2001/XMLSchema-instance"

GRANT_HEADERS: Mapping[str, Permission] = {
    "x-amz-grant-read": "READ",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write-acp": "WRITE_ACP",
    "x-amz-grant-full-control": "FULL_CONTROL",
}
_PERMISSIONS: Mapping[str, Permission] = {permission: permission for permission in GRANT_HEADERS.values()}
_URIS = {group: uri for uri, group in GROUP_URIS.items()}
_GRANTEE = re.compile(r'\s*(id|uri|emailAddress)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*', re.IGNORECASE)
_KINDS: Mapping[str, Literal["id", "uri", "email"]] = {"id": "id", "uri": "uri", "emailaddress": "email"}


class AskedGrant(NamedTuple):
    """A grant as a client writes it; who is meant by an ``id`` is still to be looked up."""

    permission: Permission
    kind: Literal["id", "uri", "email"]
    value: str


class AskedAcl(NamedTuple):
    """``owner_id``: ``""`` where the client names none."""

    owner_id: str
    grants: tuple[AskedGrant, ...]


# --- access control lists ---


def read_grants(headers: Mapping[str, str]) -> tuple[AskedGrant, ...]:
    """The headers ``x-amz-grant-…``, each a list of ``id="…"``, ``uri="…"`` and ``emailAddress="…"``. Raises RequestError: InvalidArgument."""
    grants = tuple(
        _asked(permission, name, part)
        for name, permission in GRANT_HEADERS.items()
        if name in headers
        for part in headers[name].split(",")
    )
    if len(grants) > MAXIMUM_GRANTS:
        raise RequestError("InvalidArgument", f"There may be {MAXIMUM_GRANTS} grants at most")
    return grants


def _asked(permission: Permission, name: str, part: str) -> AskedGrant:
    form = _GRANTEE.fullmatch(part)
    if form is None:
        raise RequestError(
            "InvalidArgument", "Argument format not recognized", {"ArgumentName": name, "ArgumentValue": part[:100]}
        )
    return AskedGrant(permission, _KINDS[form[1].lower()], form[2] if form[2] is not None else form[3])


def parse_acl(body: bytes) -> AskedAcl:
    """The body of PutBucketAcl and PutObjectAcl. Raises RequestError: MalformedACLError, MalformedXML."""
    root = parse(body, "AccessControlPolicy")
    owner, lists = root.findall("Owner"), root.findall("AccessControlList")
    if len(owner) > 1 or len(lists) != 1 or len(owner) + len(lists) != len(root):
        raise RequestError("MalformedACLError")
    grants = tuple(map(_grant, lists[0]))
    if len(grants) > MAXIMUM_GRANTS:
        raise RequestError("MalformedACLError")
    return AskedAcl(_text(owner[0], "ID") if owner else "", grants)


def _grant(element: Element) -> AskedGrant:
    grantee = element.find("Grantee")
    known = _PERMISSIONS.get(_text(element, "Permission"))
    if element.tag != "Grant" or grantee is None or known is None:
        raise RequestError("MalformedACLError")
    match grantee.get(f"{{{XSI}}}type", ""):
        case "CanonicalUser":
            return AskedGrant(known, "id", _text(grantee, "ID"))
        case "Group":
            return AskedGrant(known, "uri", _text(grantee, "URI"))
        case "AmazonCustomerByEmail":
            return AskedGrant(known, "email", _text(grantee, "EmailAddress"))
    raise RequestError("MalformedACLError")


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def render_acl(acl: Acl) -> bytes:
    """GetBucketAcl and GetObjectAcl: groups before tenants."""
    ordered = sorted(acl.grants, key=lambda grant: grant.group is None)
    rows = "".join(f"<Grant>{_grantee(grant)}<Permission>{grant.permission}</Permission></Grant>" for grant in ordered)
    owner = f"<Owner>{_person(acl.owner_id, acl.owner_name)}</Owner>"
    return document("AccessControlPolicy", f"{owner}<AccessControlList>{rows}</AccessControlList>")


def _grantee(grant: Grant) -> str:
    if grant.group is not None:
        return f'<Grantee xmlns:xsi="{XSI}" xsi:type="Group"><URI>{_URIS[grant.group]}</URI></Grantee>'
    return f'<Grantee xmlns:xsi="{XSI}" xsi:type="CanonicalUser">{_person(grant.canonical_id, grant.name)}</Grantee>'


def _person(canonical_id: str, name: str) -> str:
    return f"<ID>{escape(canonical_id)}</ID><DisplayName>{escape(name)}</DisplayName>"


# --- public access block and ownership ---

_BLOCK = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}
_TRUTH = {"true": True, "false": False}


def parse_public_access_block(body: bytes) -> PublicAccessBlock:
    """Raises RequestError: MalformedXML. What is not named is off."""
    values: dict[str, bool] = {}
    for child in parse(body, "PublicAccessBlockConfiguration"):
        name, value = _BLOCK.get(child.tag), _TRUTH.get((child.text or "").strip().lower())
        if name is None or name in values or value is None:
            raise RequestError("MalformedXML")
        values[name] = value
    return PublicAccessBlock(**values)


def render_public_access_block(block: PublicAccessBlock) -> bytes:
    rows = "".join(f"<{tag}>{str(getattr(block, name)).lower()}</{tag}>" for tag, name in _BLOCK.items())
    return document("PublicAccessBlockConfiguration", rows)


def parse_ownership_controls(body: bytes) -> Ownership:
    """Raises RequestError: MalformedXML."""
    rules = list(parse(body, "OwnershipControls"))
    if [rule.tag for rule in rules] != ["Rule"] or [child.tag for child in rules[0]] != ["ObjectOwnership"]:
        raise RequestError("MalformedXML")
    return read_ownership(_text(rules[0], "ObjectOwnership"), "MalformedXML")


def read_ownership(text: str, code: str = "InvalidArgument") -> Ownership:
    """Also the header ``x-amz-object-ownership``. Raises RequestError with ``code``."""
    for known in get_args(Ownership):
        if text == known:
            ownership: Ownership = known
            return ownership
    raise RequestError(code)


def render_ownership_controls(ownership: Ownership) -> bytes:
    return document("OwnershipControls", f"<Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule>")


def render_policy_status(*, public: bool) -> bytes:
    return document("PolicyStatus", f"<IsPublic>{str(public).lower()}</IsPublic>")


def grantees(acls: Iterable[Acl], owner_id: str) -> frozenset[str]:
    """To whom they grant anything, other than the owner of this canonical id."""
    return frozenset(grant.grantee for acl in acls for grant in acl.grants) - {owner_id}
