"""Objects as S3 shows them, under their natural names: from a provider's headers to the record, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode

from domicile_common.backends.port import BlobInfo
from domicile_common.backends.quirks import quirks_of
from domicile_common.metadata_client.adoption import Found
from domicile_common.model import Backend, Digest, Facts
from domicile_common.policy import STORAGE_CLASSES
from domicile_common.stamps import STAMP_HEADER

MAXIMUM_KEY_BYTES = 1024
_METADATA = "x-amz-meta-"
_REDIRECT = "x-amz-website-redirect-location"
_STORED = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
_MD5 = re.compile(r"[0-9a-f]{32}").fullmatch


class Unservable(ValueError):
    """Domicile cannot serve this object as it is; the text says why."""


def check_key(key: str) -> None:
    """Raises ``Unservable``."""
    if "\0" in key:
        raise Unservable("the key has a NUL character, which PostgreSQL cannot keep")
    if len(key.encode()) > MAXIMUM_KEY_BYTES:
        raise Unservable(f"the key is longer than {MAXIMUM_KEY_BYTES} bytes")


def found_object(key: str, info: BlobInfo, tags: dict[str, str], backend: Backend) -> Found:
    """``info``: of a HEAD. Raises ``Unservable``."""
    headers = info.headers
    storage_class = headers.get("x-amz-storage-class") or "STANDARD"
    if storage_class not in STORAGE_CLASSES:
        raise Unservable(f"storage class {storage_class} is not read at once")
    if not info.etag:
        raise Unservable("the provider shows no ETag")
    try:
        modified_at = parsedate_to_datetime(headers.get("last-modified", ""))
    except ValueError:
        raise Unservable("the provider shows no Last-Modified") from None
    metadata = {
        name.removeprefix(_METADATA): value
        for name, value in headers.items()
        if name.startswith(_METADATA) and name != STAMP_HEADER
    }
    return Found(
        key=key,
        modified_at=modified_at.replace(tzinfo=modified_at.tzinfo or UTC),
        facts=Facts(headers=_stored(headers), metadata=metadata, tags=tags, storage_class=storage_class),
        digest=_digest(info, backend),
    )


def natural_headers(facts: Facts) -> dict[str, str]:
    """What an object is uploaded with, so that it is shown as it was. The storage class is the target's."""
    headers = {f"x-amz-{name}" if name == "website-redirect-location" else name: value for name, value in facts.headers.items()}
    headers |= {f"{_METADATA}{name}": value for name, value in facts.metadata.items()}
    return headers | ({"x-amz-tagging": urlencode(facts.tags, quote_via=quote)} if facts.tags else {})


def _stored(headers: Mapping[str, str]) -> dict[str, str]:
    stored = {name: headers[name] for name in _STORED if headers.get(name)}
    if _REDIRECT in headers:
        stored[_REDIRECT.removeprefix("x-amz-")] = headers[_REDIRECT]
    # How the body once travelled; some providers keep it.
    codings = [coding for coding in stored.pop("content-encoding", "").split(",") if coding.strip() not in {"", "aws-chunked"}]
    return stored | ({"content-encoding": ",".join(codings)} if codings else {})


def _digest(info: BlobInfo, backend: Backend) -> Digest:
    """An ETag is the bytes' MD5 only where the provider makes it so, for uploads in one piece, and with its own keys or none.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    hidden = info.headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
    if _MD5(info.etag) and quirks_of(backend).etag_is_md5 and not hidden:
        return Digest(info.size, info.etag)
    return Digest(info.size, "", given_etag=info.etag)
