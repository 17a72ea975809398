"""Request headers → what is stored of an object, and back. Pure.

Headers come as a mapping of lower-case names to Latin-1 text (repeated ones joined by a comma), and go out the same way, so that
every byte a client stored comes back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import msgspec

from domicile_common.errors import RequestError
from domicile_common.model import Digest, Facts, Policy, Version
from domicile_common.policy import STORAGE_CLASSES
from domicile_common.sigv4.canonical import Headers
from domicile_proxy.s3.conditions import http_date
from domicile_proxy.s3.locks import lock_headers
from domicile_proxy.s3.operation import Operation
from domicile_proxy.s3.query import decode
from domicile_proxy.s3.ranges import Span

MAX_USER_METADATA = 2048  # bytes of names and values
MAX_HEAD = 8192  # bytes of a request's headers and query
MAX_STORED_HEADERS = 8192
MAX_TAGS, MAX_BUCKET_TAGS = 10, 50
MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256  # characters

_META = "x-amz-meta-"
_STORED = ("cache-control", "content-disposition", "content-language", "content-type", "expires")
_REDIRECT = "website-redirect-location"

PLACEMENT = "x-domicile-placement"
"""Asks for the places of an object's copies, and tells them."""
WAIT = "x-domicile-wait"
"""Asks to be answered when a version has so many copies, and tells how many it has."""

_UNSERVED_HEADERS = (
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-write-offset-bytes",
    "x-amz-object-lock-event-hold",
    "x-amz-object-annotation-",
    "x-amz-bucket-namespace",
)
# Domicile's own, by operations that take them.
_OWN_HEADERS = {
    PLACEMENT: frozenset({"GetObject", "HeadObject"}),
    WAIT: frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload", "HeadObject", "GetObjectPlacement"}),
}
# Headers that ask for something in these operations only, by the beginning of their names.
_SERVED_IN = {
    "x-amz-object-lock-": frozenset({"PutObject", "CopyObject", "CreateMultipartUpload", "PostObject"}),
    "x-amz-if-match-": frozenset({"DeleteObject"}),
    "x-amz-bucket-object-lock-enabled": frozenset({"CreateBucket"}),
}
_TAKE_LISTS = frozenset(
    {"CreateBucket", "PutBucketAcl", "PutObject", "PutObjectAcl", "CopyObject", "CreateMultipartUpload", "PostObject"}
)
_TAKE_VERSIONS = frozenset(
    {"GetObject", "HeadObject", "DeleteObject", "GetObjectAttributes", "GetObjectPlacement"}
    | {f"{verb}Object{what}" for verb in ("Get", "Put", "Delete") for what in ("Acl", "Tagging", "Retention", "LegalHold")}
)
_OVERRIDES = {
    f"response-{name}": name
    for name in ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
}
_SIGNING = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token", "content-sha256")
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")  # RFC 9110 5.6.2, in lower case
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PRINTABLE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


def check_head(raw_headers: Headers, raw_query: bytes) -> None:
    """Raises RequestError: RequestHeaderSectionTooLarge."""
    if sum(len(name) + len(value) for name, value in raw_headers) + len(raw_query) > MAX_HEAD:
        raise RequestError("RequestHeaderSectionTooLarge", detail={"MaxSizeAllowed": str(MAX_HEAD)})


def with_hoisted(headers: Mapping[str, str], params: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a presigned request: several SDKs move ``x-amz-…`` headers into its query, where S3 takes them as well.

    Raises:
        RequestError: InvalidArgument for what no header can carry.
    """
    hoisted = dict(
        as_header(name.lower(), value)
        for name, value in params.items()
        if name.lower().startswith("x-amz-") and name.lower() not in _SIGNING
    )
    return {**hoisted, **headers} if hoisted else headers


def as_header(name: str, value: str) -> tuple[str, str]:
    """A header that did not come as one; the value's bytes as Latin-1 text.

    Raises:
        RequestError: InvalidArgument for what no header can carry: stored with an object, it would break every answer about it.
    """
    if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
        message = "A name or a value holds a character that no header can carry."
        raise RequestError("InvalidArgument", message, {"ArgumentName": name[:100]})
    return name, value.encode().decode("latin-1")


def refuse_version(operation: Operation, params: Mapping[str, str]) -> None:
    """Raises RequestError: InvalidArgument for a version id where none can be chosen."""
    if "versionId" in params and operation.level == "object" and operation.name not in _TAKE_VERSIONS:
        raise RequestError("InvalidArgument", "This operation does not accept a version-id.", {"ArgumentName": "versionId"})


def refuse_unserved(operation: Operation, headers: Mapping[str, str]) -> None:
    """Refuses headers that ask for what is not done here, or not by this operation.

    Raises:
        RequestError: NotImplemented, InvalidArgument.
    """
    if headers.get("transfer-encoding", "chunked").lower() != "chunked":
        raise RequestError("NotImplemented", detail={"Header": "Transfer-Encoding"})
    for name, value in headers.items():
        if name.startswith("x-domicile-") and operation.name not in _OWN_HEADERS.get(name, ()):
            raise RequestError("NotImplemented", detail={"Header": name})
        if not name.startswith("x-amz-"):
            continue
        if name.startswith(_UNSERVED_HEADERS) or any(
            name.startswith(prefix) and operation.name not in names for prefix, names in _SERVED_IN.items()
        ):
            raise RequestError("NotImplemented", detail={"Header": name})
        if name.startswith(("x-amz-grant-", "x-amz-acl")) and operation.name not in _TAKE_LISTS and value != "private":
            raise RequestError("InvalidArgument", "", {"ArgumentName": name, "ArgumentValue": value[:100]})
        if name == "x-amz-object-ownership" and operation.name != "CreateBucket":
            raise RequestError("InvalidArgument", "", {"ArgumentName": name, "ArgumentValue": value[:100]})


def read_facts(headers: Mapping[str, str]) -> Facts:
    """What a PutObject, CopyObject (with REPLACE) or CreateMultipartUpload stores beside the bytes.

    Raises:
        RequestError: MetadataTooLarge, RequestHeaderSectionTooLarge, InvalidStorageClass, InvalidTag, InvalidArgument,
            InvalidRedirectLocation.
    """
    stored = {name: headers[name] for name in _STORED if headers.get(name)}
    stored.setdefault("content-type", "binary/octet-stream")
    if encoding := _content_encoding(headers.get("content-encoding", "")):
        stored["content-encoding"] = encoding
    if redirect := headers.get(f"x-amz-{_REDIRECT}"):
        if not redirect.startswith(("/", "http://", "https://")):
            raise RequestError("InvalidRedirectLocation")
        stored[_REDIRECT] = redirect
    metadata = {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}
    if (size := _size(metadata)) > MAX_USER_METADATA:
        raise RequestError("MetadataTooLarge", detail={"Size": str(size), "MaxSizeAllowed": str(MAX_USER_METADATA)})
    if _size(stored) > MAX_STORED_HEADERS:
        raise RequestError("RequestHeaderSectionTooLarge", detail={"MaxSizeAllowed": str(MAX_STORED_HEADERS)})
    return Facts(headers=stored, metadata=metadata, tags=read_tags(headers), storage_class=read_storage_class(headers))


def read_storage_class(headers: Mapping[str, str]) -> str:
    """Raises RequestError: InvalidStorageClass."""
    name = headers.get("x-amz-storage-class") or "STANDARD"
    if name not in STORAGE_CLASSES:
        raise RequestError("InvalidStorageClass", detail={"StorageClassRequested": name})
    return name


def read_tags(headers: Mapping[str, str]) -> dict[str, str]:
    """The header ``x-amz-tagging``: a query string of up to ten tags, in the client's order.

    Raises:
        RequestError: InvalidArgument (not a query string, or a key twice), InvalidTag.
    """
    tags: dict[str, str] = {}
    for field in headers.get("x-amz-tagging", "").encode("latin-1").replace(b"+", b" ").split(b"&"):
        if not field:
            continue
        raw_key, _, raw_value = field.partition(b"=")
        try:
            key, value = decode(raw_key), decode(raw_value)
        except RequestError:
            raise _bad_tagging() from None
        if key in tags:
            raise _bad_tagging()
        tags[key] = value
    check_tags(tags)
    return tags


def check_tags(tags: Mapping[str, str], most: int = MAX_TAGS) -> None:
    """Raises RequestError: InvalidTag, also for too many."""
    for key, value in tags.items():
        check_tag(key, value)
    if len(tags) > most:
        raise RequestError("InvalidTag", f"{'Object' if most == MAX_TAGS else 'Bucket'} tags cannot be greater than {most}")


def check_tag(key: str, value: str) -> None:
    """S3 User Guide, "Categorizing your objects using tags". Raises RequestError: InvalidTag."""
    if not 1 <= len(key) <= MAX_TAG_KEY or not _tag_text(key):
        raise RequestError("InvalidTag", "The TagKey you have provided is invalid", {"TagKey": key})
    if len(value) > MAX_TAG_VALUE or not _tag_text(value):
        raise RequestError("InvalidTag", "The TagValue you have provided is invalid", {"TagKey": key, "TagValue": value})
    if key.lower().startswith("aws:"):
        raise RequestError("InvalidTag", "System tags cannot be added/updated by requester", {"TagKey": key})


def object_policy(facts: Facts) -> Policy | None:
    """The policy that an object asks for itself: by its storage class, and by its tag ``replica-count``, which goes before.

    Raises:
        RequestError: InvalidTag when it is no number from 1 to 99.
    """
    by_class = STORAGE_CLASSES[facts.storage_class]
    count = facts.tags.get("replica-count")
    if count is None:
        return None if by_class == Policy() else by_class
    if not re.fullmatch("[1-9][0-9]?", count):
        raise RequestError(
            "InvalidTag", "replica-count must be a number from 1 to 99", {"TagKey": "replica-count", "TagValue": count}
        )
    return msgspec.structs.replace(by_class, replica_count=int(count))


def object_headers(
    version: Version, headers: Mapping[str, str], params: Mapping[str, str], span: Span | None, *, versioned: bool = False
) -> dict[str, str]:
    """What GetObject and HeadObject answer about a version. ``headers``, ``params``: the request's; ``span``: for a 206.

    ``versioned``: as in ``version_header``.

    Raises:
        RequestError: InvalidArgument for a ``response-…`` override that is none, or that no header can carry.
    """
    facts, digest = version.facts, version.digest
    answer = dict(facts.headers)
    if redirect := answer.pop(_REDIRECT, None):
        answer[f"x-amz-{_REDIRECT}"] = redirect
    for name, value in facts.metadata.items():
        answer[_META + name] = value
    answer |= unmodified_headers(version, versioned=versioned)
    if version.lock is not None:
        answer |= lock_headers(version.lock)
    answer["accept-ranges"] = "bytes"
    answer["content-length"] = str(span.length if span else digest.size)
    if span and span.length:
        answer["content-range"] = f"bytes {span.start}-{span.end}/{digest.size}"
    if headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        answer |= checksum_headers(shown_checksums(digest, params, span), digest.checksum_type)
    if facts.storage_class != "STANDARD":
        answer["x-amz-storage-class"] = facts.storage_class
    if facts.tags:
        answer["x-amz-tagging-count"] = str(len(facts.tags))
    if digest.parts and "partNumber" in params:
        answer["x-amz-mp-parts-count"] = str(len(digest.parts))
    return answer | _overrides(params)


def unmodified_headers(version: Version, *, versioned: bool = False) -> dict[str, str]:
    """What a 304 answers, and every other answer about a version as well. ``versioned``: as in ``version_header``."""
    answer = {"etag": f'"{version.digest.etag}"', "last-modified": http_date(version.committed_at)}
    return answer | version_header(version, versioned=versioned)


def wanted_version(params: Mapping[str, str]) -> str | None:
    """Raises RequestError: InvalidArgument for an empty version id."""
    version_id = params.get("versionId")
    if version_id == "":
        raise RequestError("InvalidArgument", "Version id cannot be the empty string", {"ArgumentName": "versionId"})
    return version_id


def version_header(version: Version, *, versioned: bool = False) -> dict[str, str]:
    """``versioned``: in answers to reads, that the bucket has or had versioning: there S3 shows the id of null versions, too."""
    return {"x-amz-version-id": version.shown_id} if versioned or not version.is_null else {}


def shown_checksums(digest: Digest, params: Mapping[str, str], span: Span | None) -> Mapping[str, str]:
    """Those of exactly the bytes that are answered: of the whole, or of the part that was asked for by its number."""
    if "partNumber" in params and digest.parts:
        return digest.parts[int(params["partNumber"]) - 1].checksums
    return digest.checksums if span is None or "partNumber" in params else {}


def checksum_headers(checksums: Mapping[str, str], checksum_type: str = "") -> dict[str, str]:
    """``x-amz-checksum-<algorithm>`` for each, and their type where it is known."""
    answer = {f"x-amz-checksum-{name}": value for name, value in checksums.items()}
    return answer | {"x-amz-checksum-type": checksum_type} if answer and checksum_type else answer


def refuse_overrides(params: Mapping[str, str]) -> None:
    """What somebody without a key must not do: a link could make of anybody's object a web page.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Overriding response header values". Raises RequestError: InvalidRequest.
    """
    if params.keys() & _OVERRIDES.keys():
        raise RequestError("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")


def _overrides(params: Mapping[str, str]) -> dict[str, str]:
    answer = {}
    for param in (name for name in params if name.startswith("response-")):
        if param not in _OVERRIDES:
            message = f"{param[:100]} is not in the set of overridable response headers."
            raise RequestError("InvalidArgument", message, {"ArgumentName": param[:100], "ArgumentValue": params[param][:100]})
        if not _PRINTABLE.fullmatch(params[param]):
            message = "Header value cannot be represented using ISO-8859-1."
            raise RequestError("InvalidArgument", message, {"ArgumentName": param, "ArgumentValue": params[param]})
        answer[_OVERRIDES[param]] = params[param]
    return answer


def _content_encoding(value: str) -> str:
    """``aws-chunked`` is how the body travelled, not what was stored."""
    codings = [coding.strip() for coding in value.split(",")]
    return (
        ", ".join(coding for coding in codings if coding and coding.lower() != "aws-chunked")
        if "aws-chunked" in value.lower()
        else value
    )


def _size(fields: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in fields.items())


def _tag_text(text: str) -> bool:
    return all(char in "+-=._:/@" or unicodedata.category(char)[0] in "LNZ" for char in text)


def _bad_tagging() -> RequestError:
    message = (
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."
    )
    return RequestError("InvalidArgument", message, {"ArgumentName": "x-amz-tagging"})
