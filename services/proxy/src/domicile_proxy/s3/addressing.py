"""Which bucket and key a request addresses: path style and, with a base domain, virtual-host style. Pure.

Keys are bytes to S3: they are percent-decoded once and otherwise left alone: ``%2F``, ``//``, a leading ``/``, ``.`` and ``..`` all
stay what they are. Only UTF-8 is accepted, because S3's XML answers and PostgreSQL's neighbours could not carry anything else.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from domicile_common.errors import RequestError
from domicile_common.namespace import check_bucket_name
from domicile_proxy.s3.query import decode

MAX_KEY_BYTES = 1024


class Address(NamedTuple):
    """``bucket`` is None for the service itself, ``key`` is None for a bucket; neither is ever empty."""

    bucket: str | None
    key: str | None


def check_key(key: str) -> str:
    """The key, if it has 1 to 1,024 bytes of UTF-8.

    Raises:
        RequestError: KeyTooLongError, UserKeyMustBeSpecified.
    """
    if not key:
        raise RequestError("UserKeyMustBeSpecified")
    size = len(key) if key.isascii() else len(key.encode())
    if size > MAX_KEY_BYTES:
        raise RequestError("KeyTooLongError", detail={"Size": str(size), "MaxSizeAllowed": str(MAX_KEY_BYTES)})
    return key


def parse_address(host: str, raw_path: bytes, base_domain: str | None = None) -> Address:
    """``host``: the Host header, with or without port. ``raw_path``: the path as it came, still percent-encoded.

    ``bucket.base_domain`` addresses a bucket by host name; any other host means path style.

    Raises:
        RequestError: InvalidURI, InvalidBucketName, KeyTooLongError.
    """
    path = raw_path.removeprefix(b"/")
    name = bucket_of_host(host, base_domain)
    if name is None:
        if not path:
            return Address(None, None)
        raw_bucket, _, path = path.partition(b"/")
        name = decode(raw_bucket)
    check_bucket_name(name)
    return Address(name, check_key(decode(path)) if path else None)


def bucket_of_host(host: str, base_domain: str | None) -> str | None:
    if base_domain is None:
        return None
    name = re.sub(r":[0-9]*\Z", "", host).lower().removesuffix(".")
    bucket = name.removesuffix("." + base_domain.lower())
    return None if bucket == name else bucket


class Source(NamedTuple):
    """What ``x-amz-copy-source`` names."""

    bucket: str
    key: str
    version_id: str | None

    def __str__(self) -> str:
        """One text for each source, however it was encoded."""
        return f"{self.bucket}/{self.key}" + (f"?versionId={self.version_id}" if self.version_id else "")


def parse_source(value: str) -> Source:
    """``[/]<bucket>/<key>[?versionId=<id>]``, percent-encoded: many encode the slashes as well.

    Raises:
        RequestError: InvalidArgument, KeyTooLongError.
    """
    path, _, version_id = value.partition("?versionId=")
    try:
        name, _, key = decode(path.encode("latin-1")).removeprefix("/").partition("/")
    except RequestError:
        raise _bad_source("encoding", value) from None
    try:
        check_bucket_name(name)
    except RequestError:
        raise _bad_source("bucket name", value) from None
    if not key:
        raise _bad_source("object key", value)
    return Source(name, check_key(key), version_id or None)


def _bad_source(what: str, value: str) -> RequestError:
    detail = {"ArgumentName": "x-amz-copy-source", "ArgumentValue": value[:100]}
    return RequestError("InvalidArgument", f"Invalid copy source {what}", detail)
