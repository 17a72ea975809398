"""The XML documents that clients send, as values. Pure.

Documents are read strictly: an element that S3's schema does not have is MalformedXML and one that is not served is NotImplemented,
so that nothing is accepted and ignored.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element

from domicile_common import checksums
from domicile_common.errors import RequestError
from domicile_common.metadata_client.models import UNCONDITIONAL, CompletedPart, Condition
from domicile_proxy.s3.conditions import state_condition
from domicile_proxy.s3.xml import parse

MAX_DELETED_KEYS = 1000
MAX_PARTS = 10_000

CHECKSUM_ELEMENTS = {f"Checksum{name.upper()}": name for name in checksums.ALGORITHMS}

_NUMBER = re.compile(r"[0-9]{1,9}")


class ObjectId(NamedTuple):
    """One object to delete, and in which state only (ETag, LastModifiedTime, Size)."""

    key: str
    version_id: str | None
    condition: Condition = UNCONDITIONAL


class Deletion(NamedTuple):
    """The body of DeleteObjects. ``quiet``: only failures are reported."""

    quiet: bool
    objects: tuple[ObjectId, ...]


def parse_location(body: bytes) -> str:
    """The LocationConstraint of a CreateBucket body; ``""`` when there is none.

    Raises:
        RequestError: MalformedXML, NotImplemented (tags, directory buckets).
    """
    if not body.strip():
        return ""
    fields = children(parse(body, "CreateBucketConfiguration"), {"LocationConstraint", "Location", "Bucket", "Tags"})
    if unserved := fields.keys() - {"LocationConstraint"}:
        raise RequestError("NotImplemented", f"CreateBucketConfiguration with {', '.join(sorted(unserved))} is not implemented.")
    return fields.get("LocationConstraint", "").strip()


def parse_deletion(body: bytes) -> Deletion:
    """The body of DeleteObjects.

    Raises:
        RequestError: MalformedXML, also for no key at all or more than 1,000; InvalidArgument (a condition that cannot be read).
    """
    root = parse(body, "Delete")
    quiet = False
    objects = []
    for child in root:
        if child.tag == "Object":
            fields = children(child, {"Key", "VersionId", "ETag", "LastModifiedTime", "Size"})
            condition = state_condition(fields.get("ETag"), fields.get("LastModifiedTime"), fields.get("Size"))
            objects.append(ObjectId(required(fields, "Key"), fields.get("VersionId") or None, condition))
        elif child.tag == "Quiet":
            quiet = _boolean(child.text or "")
        else:
            raise RequestError("MalformedXML")
    if not 0 < len(objects) <= MAX_DELETED_KEYS:
        raise RequestError("MalformedXML")
    return Deletion(quiet, tuple(objects))


def parse_completion(body: bytes) -> tuple[CompletedPart, ...]:
    """The body of CompleteMultipartUpload, in the client's order.

    Of a part that is named twice in a row, as after it was sent again, the last one counts.

    Raises:
        RequestError: MalformedXML, InvalidArgument (a part number outside 1 to 10,000), InvalidPartOrder.
    """
    parts: list[CompletedPart] = []
    for child in parse(body, "CompleteMultipartUpload"):
        if child.tag != "Part":
            raise RequestError("MalformedXML")
        fields = children(child, {"PartNumber", "ETag", *CHECKSUM_ELEMENTS})
        values = {CHECKSUM_ELEMENTS[tag]: text.strip() for tag, text in fields.items() if tag in CHECKSUM_ELEMENTS}
        number = _part_number(required(fields, "PartNumber"))
        if parts and number < parts[-1].number:
            raise RequestError("InvalidPartOrder")
        if parts and number == parts[-1].number:
            parts.pop()
        parts.append(CompletedPart(number=number, etag=required(fields, "ETag").strip().strip('"'), checksums=values))
    if not parts:
        raise RequestError("MalformedXML")
    return tuple(parts)


def parse_versioning(body: bytes) -> Literal["enabled", "suspended"]:
    """The body of PutBucketVersioning.

    Raises:
        RequestError: MalformedXML, NotImplemented (MFA delete), IllegalVersioningConfigurationException (no status).
    """
    fields = children(parse(body, "VersioningConfiguration"), {"Status", "MfaDelete"})
    mfa, status = fields.get("MfaDelete", "Disabled").strip(), fields.get("Status", "").strip()
    if mfa not in {"Enabled", "Disabled"} or status not in {"", "Enabled", "Suspended"}:
        raise RequestError("MalformedXML")
    if mfa == "Enabled":
        raise RequestError("NotImplemented", "MFA delete is not implemented.")
    if not status:
        raise RequestError("IllegalVersioningConfigurationException", "The Versioning element must be specified")
    return "enabled" if status == "Enabled" else "suspended"


def parse_tagging(body: bytes) -> dict[str, str]:
    """The body of PutObjectTagging and PutBucketTagging, in the client's order; what a tag may be is the caller's to check.

    Raises:
        RequestError: MalformedXML, InvalidTag (a key twice).
    """
    root = parse(body, "Tagging")
    if [child.tag for child in root] != ["TagSet"]:
        raise RequestError("MalformedXML")
    tags: dict[str, str] = {}
    for child in root[0]:
        if child.tag != "Tag":
            raise RequestError("MalformedXML")
        fields = children(child, {"Key", "Value"})
        if "Value" not in fields or "Key" not in fields:
            raise RequestError("MalformedXML")
        if fields["Key"] in tags:
            raise RequestError("InvalidTag", "Cannot provide multiple Tags with the same key", {"TagKey": fields["Key"]})
        tags[fields["Key"]] = fields["Value"]
    return tags


def children(element: Element, known: Collection[str]) -> dict[str, str]:
    """The texts of an element's children, each of which must be ``known``, alone of its name, and without children of its own."""
    texts: dict[str, str] = {}
    for child in element:
        if child.tag not in known or child.tag in texts or (len(child) and child.tag != "Tags"):
            raise RequestError("MalformedXML")
        texts[child.tag] = child.text or ""
    return texts


def required(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise RequestError("MalformedXML")
    return fields[name]


def _boolean(text: str) -> bool:
    value = text.strip().lower()
    if value not in {"true", "false", "1", "0"}:
        raise RequestError("MalformedXML")
    return value in {"true", "1"}


def _part_number(text: str) -> int:
    if not _NUMBER.fullmatch(text.strip()):
        raise RequestError("MalformedXML")
    number = int(text)
    if not 1 <= number <= MAX_PARTS:
        raise RequestError("InvalidArgument", f"PartNumber must be between 1 and {MAX_PARTS}", {"ArgumentName": "partNumber"})
    return number
