"""What the relay passes on: signed GET and HEAD requests for S3's listings and metadata, and never an object's bytes. Pure.

Whether ``/a`` is a bucket or a key depends on whether the host names a bucket, which cannot be seen from outside. So an operation is
known by its method, its query and how deep its path is, whichever of both it means; and an answer is passed on only when it begins as
that operation's does, which an object does not unless its owner made it to.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import unquote_plus

from domicile_common.errors import RequestError
from domicile_common.sigv4 import canonical, keys
from domicile_common.sigv4.claim import parse_timestamp
from domicile_discovery.relay.addresses import Target, refuse

LONGEST_SIGNATURE = timedelta(minutes=15)
MAXIMUM_HEADER = 4096  # characters; a session token is about 1,000
POLICY = "{"  # a bucket's policy is JSON; everything else is XML

_BUCKET: Mapping[str, tuple[str, ...]] = {
    "versions": ("ListVersionsResult",),
    "uploads": ("ListMultipartUploadsResult",),
    "location": ("LocationConstraint",),
    "versioning": ("VersioningConfiguration",),
    "object-lock": ("ObjectLockConfiguration",),
    "encryption": ("ServerSideEncryptionConfiguration",),
    "policy": (POLICY,),
    "policyStatus": ("PolicyStatus",),
    "publicAccessBlock": ("PublicAccessBlockConfiguration",),
    "ownershipControls": ("OwnershipControls",),
    "lifecycle": ("LifecycleConfiguration",),
    "cors": ("CORSConfiguration",),
    "replication": ("ReplicationConfiguration",),
    "logging": ("BucketLoggingStatus",),
}
_BOTH: Mapping[str, tuple[str, ...]] = {"acl": ("AccessControlPolicy",), "tagging": ("Tagging",)}
_OBJECT: Mapping[str, tuple[str, ...]] = {
    "attributes": ("GetObjectAttributesResponse", "GetObjectAttributesOutput"),
    "retention": ("Retention",),
    "legal-hold": ("LegalHold",),
}
_SUBRESOURCES = {**_BUCKET, **_BOTH, **_OBJECT}
_LISTING = ("ListBucketResult",)
_SERVICE = ("ListAllMyBucketsResult", "ListBucketResult")  # of a host that names a bucket, ``/`` is the bucket

# Tables that are checked by eye.
_PARAMETERS = frozenset(
    (  # noqa: SIM905
        "list-type prefix delimiter marker continuation-token start-after max-keys encoding-type fetch-owner key-marker version-id-marker "
        "upload-id-marker max-uploads versionId partNumber max-buckets bucket-region x-id"
    ).split()
)
_SIGNATURE = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token", "Content-Sha256")
)
_HEADERS = frozenset(
    (  # noqa: SIM905
        "authorization x-amz-date x-amz-content-sha256 x-amz-security-token x-amz-object-attributes x-amz-max-parts "
        "x-amz-part-number-marker x-amz-request-payer x-amz-expected-bucket-owner x-amz-optional-object-attributes x-amz-checksum-mode"
    ).split()
)
_VALUE = re.compile(rf"[ -~]{{0,{MAXIMUM_HEADER}}}").fullmatch
_EXPIRES = re.compile(r"[0-9]{1,6}").fullmatch
_NO_BODY = frozenset({canonical.EMPTY_SHA256, canonical.UNSIGNED_PAYLOAD})


class Operation(NamedTuple):
    """``name``: for the log. ``begins``: the root elements (or ``{``) that a good answer begins with; empty: it has no body."""

    name: str
    begins: tuple[str, ...]


def parameters_of(target: Target) -> dict[str, str]:
    """The query's parameters, decoded. Raises ``RequestError`` when one is there twice: readers differ in which of them counts."""
    items = [it.partition("=") for it in target.query.split("&") if it]
    parameters = {unquote_plus(name): unquote_plus(value) for name, _, value in items}
    if len(parameters) < len(items):
        raise refuse("A query parameter is given twice.")
    return parameters


def identify(method: str, target: Target) -> Operation:
    """Raises ``RequestError`` ``RelayRefused`` for everything else than a listing or metadata."""
    names = parameters_of(target).keys()
    subresources = names & _SUBRESOURCES.keys()
    if names - _PARAMETERS - _SIGNATURE - subresources or len(subresources) > 1:
        raise refuse("The query asks for something else than a listing or metadata.")
    depth = 0 if target.path == "/" else 1 if "/" not in target.path[1:-1] else 2
    if method == "HEAD" and not subresources and depth:
        return Operation("head", ())
    if method != "GET":
        raise refuse("Only GET and HEAD of listings and metadata are relayed.")
    for name in subresources:
        if (name in _OBJECT and depth == 0) or (name in _BUCKET and depth > 1):
            raise refuse("The query does not go with the path.")
        return Operation(name, _SUBRESOURCES[name])
    if depth > 1:
        raise refuse("An object's bytes are not relayed.")
    return Operation("list", _LISTING if depth else _SERVICE)


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers to send, by lower-case name. Only those of a signature, and those that say what metadata is asked for."""
    checked = {name.lower(): value for name, value in headers.items()}
    if len(checked) < len(headers) or not _HEADERS.issuperset(checked):
        raise refuse("A header is not one that a listing needs.")
    if not all(map(_VALUE, checked.values())):
        raise refuse("A header's value is too long or holds what is not visible ASCII.")
    if checked.get("x-amz-content-sha256", canonical.UNSIGNED_PAYLOAD) not in _NO_BODY:
        raise refuse("The request is signed with a body.")
    return checked


def check_signature(target: Target, headers: Mapping[str, str], now: datetime) -> None:
    """The request must carry one signature (version 4), and one that ends soon. Raises ``RequestError``."""
    query = parameters_of(target)
    by_header = headers.get("authorization", "")
    by_query = query.get("X-Amz-Signature", "")
    if bool(by_header) == bool(by_query):
        raise refuse("The request must carry one signature, in its query or its headers.")
    if by_header:
        if not by_header.startswith(f"{keys.ALGORITHM} "):
            raise refuse(f"Only {keys.ALGORITHM} is relayed.")
        signed_at, seconds = headers.get("x-amz-date", ""), LONGEST_SIGNATURE.total_seconds()
    else:
        signed_at, text = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
        if query.get("X-Amz-Algorithm") != keys.ALGORITHM or not _EXPIRES(text):
            raise refuse(f"The query holds no whole {keys.ALGORITHM} signature.")
        seconds = int(text)
    _check_time(signed_at, seconds, now)


def _check_time(signed_at: str, seconds: float, now: datetime) -> None:
    signed = parse_timestamp(signed_at)
    if signed is None:
        raise refuse("The signature has no date.")
    if seconds > LONGEST_SIGNATURE.total_seconds():
        raise refuse(f"The signature is good for longer than {LONGEST_SIGNATURE // timedelta(minutes=1)} minutes.")
    if not timedelta() <= now - signed + LONGEST_SIGNATURE or now > signed + timedelta(seconds=seconds):
        raise RequestError("RelayExpired", "The signature has ended, or is not good yet: check the clock, and sign again.")


_ERRORS = 400
_ENOUGH = 512  # bytes in which a document's root has begun
_XML = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?<([A-Za-z]+)[\s/>]")


def begins_well(operation: Operation, status: int, start: bytes) -> bool | None:
    """Whether an answer's body begins as it should; ``None``: more of it is needed.

    ``start``: the first bytes. An error (status 400 and above) is S3's error document, or nothing.
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    expected = (*operation.begins, "Error") if status < _ERRORS else ("Error",)
    if POLICY in expected and text.startswith(b"{"):
        return True
    match = _XML.match(text)
    if match is not None:
        return match[1].decode() in expected
    return None if len(start) < _ENOUGH else False
