"""S3's XML documents as backends send and expect them. Pure.

Whatever is not the expected document is ``ValueError``: garbage, entities, a missing element. Sizes are bounded by whoever reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml.ElementTree import fromstring

from domicile_common.backends.port import Page
from domicile_common.model import Part

_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,63}").fullmatch


def error_code(document: bytes) -> str:
    """The ``Code`` of an ``<Error>`` document; ``""`` when this is none."""
    try:
        root = _parse(document)
    except ValueError:
        return ""
    code = root.findtext("{*}Code", "") if _name(root) == "Error" else ""
    return code if _CODE(code) else ""


def upload_id(document: bytes) -> str:
    """CreateMultipartUpload's answer."""
    return _text(
        _parse(document, "InitiateMultipartUploadResult", "InitiateMultipartUpload"), "UploadId"
    )  # the second is rclone's


def completed_etag(document: bytes) -> str:
    """CompleteMultipartUpload's answer, without quotes; ``""`` where Ceph does not tell."""
    return bare_etag(_parse(document, "CompleteMultipartUploadResult").findtext("{*}ETag", ""))


def copied_etag(document: bytes) -> str:
    """CopyObject's answer, without quotes."""
    return bare_etag(_text(_parse(document, "CopyObjectResult"), "ETag"))


def page(document: bytes) -> Page:
    """ListObjectsV2's answer."""
    root = _parse(document, "ListBucketResult")
    decode = _decoder(root)
    entries = tuple(
        (decode(_text(entry, "Key")), int(_text(entry, "Size")), bare_etag(entry.findtext("{*}ETag", "")))
        for entry in root.iterfind("{*}Contents")
    )
    return Page(entries=entries, next=_text(root, "NextContinuationToken") if _truncated(root) else "")


def tags(document: bytes) -> dict[str, str]:
    """GetObjectTagging's answer."""
    rows = _parse(document, "Tagging").iterfind("{*}TagSet/{*}Tag")
    return {_text(row, "Key"): row.findtext("{*}Value", "") for row in rows}


def namespaces(document: bytes) -> tuple[str, ...]:
    """ListBuckets' answer."""
    root = _parse(document, "ListAllMyBucketsResult")
    return tuple(_text(bucket, "Name") for bucket in root.iterfind("{*}Buckets/{*}Bucket"))


def versions(document: bytes) -> list[tuple[str, str]]:
    """ListObjectVersions' answer: keys and version ids, also of delete markers."""
    root = _parse(document, "ListVersionsResult", "ListObjectVersionsResult")
    decode = _decoder(root)
    found = [*root.iterfind("{*}Version"), *root.iterfind("{*}DeleteMarker")]
    return [(decode(_text(entry, "Key")), _text(entry, "VersionId")) for entry in found]


class UploadPage(NamedTuple):
    """``uploads``: key and upload id. ``next``: the query of the next page, ``None`` on the last one."""

    uploads: list[tuple[str, str]]
    next: dict[str, str] | None


def uploads(document: bytes) -> UploadPage:
    """ListMultipartUploads' answer."""
    root = _parse(document, "ListMultipartUploadsResult")
    decode = _decoder(root)
    found = [(decode(_text(upload, "Key")), _text(upload, "UploadId")) for upload in root.iterfind("{*}Upload")]
    if not _truncated(root):
        return UploadPage(found, None)
    marker = {"key-marker": decode(_text(root, "NextKeyMarker")), "upload-id-marker": root.findtext("{*}NextUploadIdMarker", "")}
    return UploadPage(found, {name: value for name, value in marker.items() if value})


class PartPage(NamedTuple):
    """``next``: the query of the next page, ``None`` on the last one."""

    parts: list[Part]
    next: dict[str, str] | None


def parts(document: bytes) -> PartPage:
    """ListParts' answer."""
    root = _parse(document, "ListPartsResult")
    found = [
        Part(int(_text(part, "PartNumber")), int(_text(part, "Size")), bare_etag(_text(part, "ETag")))
        for part in root.iterfind("{*}Part")
    ]
    return PartPage(found, {"part-number-marker": _text(root, "NextPartNumberMarker")} if _truncated(root) else None)


def complete_request(parts: Iterable[Part]) -> bytes:
    """CompleteMultipartUpload's body."""
    root = Element("CompleteMultipartUpload", xmlns=_XMLNS)
    for part in parts:
        element = SubElement(root, "Part")
        SubElement(element, "PartNumber").text = str(part.number)
        SubElement(element, "ETag").text = f'"{part.etag}"'
    return tostring(root)


def location_request(region: str) -> bytes:
    """CreateBucket's body outside us-east-1."""
    root = Element("CreateBucketConfiguration", xmlns=_XMLNS)
    SubElement(root, "LocationConstraint").text = region
    return tostring(root)


def bare_etag(text: str) -> str:
    """Without quotes, and without the mark of a weak one."""
    return text.removeprefix("W/").strip('"')


def _parse(document: bytes, *expected: str) -> Element:
    try:  # CompleteMultipartUpload keeps the connection alive with white space in front of the document
        root: Element = fromstring(document.lstrip(), forbid_dtd=True)
    except ParseError as error:
        raise ValueError("not XML") from error
    if expected and _name(root) not in expected:
        raise ValueError(f"not a {expected[0]}")
    return root


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element, name: str) -> str:
    text = element.findtext(f"{{*}}{name}")
    if not text:
        raise ValueError(f"no {name}")
    return text


def _truncated(root: Element) -> bool:
    return root.findtext("{*}IsTruncated", "false") == "true"


def _decoder(root: Element) -> Callable[[str], str]:
    """How keys are written: as asked for, or plain where a provider ignores ``encoding-type``."""
    return unquote_plus if root.findtext("{*}EncodingType") == "url" else str
