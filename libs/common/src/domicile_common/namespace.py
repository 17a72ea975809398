"""Physical bucket names, and which bucket names S3 allows. Pure.

The same installation key, tenant, bucket, backend and counter give the same name on any machine; docs/namespaces.md has test vectors.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re

from domicile_common.errors import RequestError

FORMAT_VERSION = 1
_HASH_DIGITS = 16
_PROVIDER_LENGTH = 8
_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def namespace_name(  # noqa: PLR0917 - in the order of the published table of test vectors
    key: bytes, prefix: str, tenant_id: str, bucket: str, backend_id: str, provider: str, counter: int
) -> str:
    """``<prefix>-<hash>-<provider>``: always a valid S3 bucket name.

    The hash is the first 16 hex digits of HMAC-SHA-256, under the installation's namespace key, of the JSON array
    ``[1,"<tenant>","<bucket>","<backend>",<counter>]`` without white space: quoting keeps the parts apart whatever they hold.
    ``counter`` starts at 0 and is raised when another bucket has the name already. Raises ``ValueError`` on an unusable prefix.
    """
    if not _PREFIX.fullmatch(prefix) or prefix.startswith(_RESERVED_PREFIXES):
        raise ValueError(f"namespace prefix {prefix!r} cannot begin a bucket name")
    message = json.dumps([FORMAT_VERSION, tenant_id, bucket, backend_id, counter], separators=(",", ":"))
    digest = hmac.new(key, message.encode(), hashlib.sha256).hexdigest()
    return f"{prefix}-{digest[:_HASH_DIGITS]}-{provider_slug(provider)}"


def is_namespace_name(prefix: str, name: str) -> bool:
    """Whether an installation with this prefix may have made up the name. Whether it has, only its namespace key can tell."""
    return re.fullmatch(f"{re.escape(prefix)}-[0-9a-f]{{{_HASH_DIGITS}}}-[a-z0-9]{{1,{_PROVIDER_LENGTH}}}", name) is not None


def provider_slug(provider: str) -> str:
    """Up to 8 characters of a-z and 0-9, so that a person reading a provider's bucket list knows whose it is."""
    slug = re.sub(r"[^a-z0-9]", "", provider.lower())[:_PROVIDER_LENGTH]
    return slug if slug and slug != "s3alias" else "s3"  # names that end in -s3alias are reserved by AWS


def check_bucket_name(name: str) -> None:
    """Raises ``RequestError`` ``InvalidBucketName`` unless S3 allows the name for a general purpose bucket.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html. A hyphen beside a period would make a label that no
    host name may have, and is refused as S3 did for long.
    """
    allowed = (
        _NAME.fullmatch(name)
        and not any(pair in name for pair in ("..", ".-", "-."))
        and not _ADDRESS.fullmatch(name)
        and not name.startswith(_RESERVED_PREFIXES)
        and not name.endswith(_RESERVED_SUFFIXES)
    )
    if not allowed:
        raise RequestError("InvalidBucketName", "The specified bucket is not valid.", {"BucketName": name})
