"""Claims of the version before: presigned URLs as aws-cli and boto3 still make them for us-east-1, unless they are told otherwise.

Source: "Signing and authenticating REST requests" (AWS Signature Version 2) of the Amazon S3 API reference, "Query string request
authentication alternative". Only that: in the Authorization header nobody in use sends it.

Of the query this version signs a list of parameters, ``x-amz-…`` and nothing else. So one that is on no list here, and might turn the request
into another, is refused; those that choose a page of a listing are let through unsigned, as at S3.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha1

from domicile_common.errors import RequestError
from domicile_common.sigv4 import canonical
from domicile_common.sigv4.claim import Claim, refuse_session_token

NAME = "AWS"
"""What a bucket policy calls it (``s3:signatureversion``)."""

_OWN = frozenset({b"AWSAccessKeyId", b"Expires", b"Signature"})
_SIGNED = frozenset(
    b"accelerate acl analytics cors delete inventory lifecycle location logging metrics notification object-lock partNumber policy "
    b"replication requestPayment response-cache-control response-content-disposition response-content-encoding "
    b"response-content-language response-content-type response-expires restore select select-type storageClass tagging torrent uploadId "
    b"uploads versionId versioning versions website".split()
)
_PAGING = frozenset(
    b"continuation-token delimiter encoding-type fetch-owner key-marker list-type marker max-keys max-parts max-uploads part-number-marker "
    b"prefix start-after upload-id-marker version-id-marker".split()
)
_STANDARD = (b"content-md5", b"content-type")
_SECONDS = re.compile(rb"[0-9]{1,10}").fullmatch


def parse_version2(method: str, raw_path: bytes, raw_query: bytes, headers: Mapping[bytes, bytes], bucket: str | None) -> Claim:
    """The claim of a request whose query has an ``AWSAccessKeyId`` or a ``Signature``.

    Args:
        method: as sent.
        raw_path: still percent-encoded, as sent.
        raw_query: as sent.
        headers: folded, see ``canonical.fold_headers``.
        bucket: the bucket that the host names; ``None`` when the path does.

    Raises:
        RequestError: ``AccessDenied``, ``InvalidToken``.
    """
    pairs = [(canonical.unquote_plus(name), value) for name, value in _split(raw_query)]
    parameters = {name: canonical.unquote_plus(value or b"") for name, value in pairs}
    if len(pairs) != len(parameters) or not all(parameters.get(name) for name in _OWN):
        raise RequestError(
            "AccessDenied", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        )
    expires = parameters[b"Expires"]
    if _SECONDS(expires) is None:
        raise RequestError("AccessDenied", "Invalid date (should be seconds since epoch)")
    _refuse_unsigned(parameters, headers)
    amz = {name.lower(): value for name, value in parameters.items() if name.lower().startswith(b"x-amz-")}
    amz |= {name: value for name, value in headers.items() if name.startswith(b"x-amz-")}
    refuse_session_token(amz.get(b"x-amz-security-token", b""))
    head = b"\n".join([method.encode(), *(headers.get(name, b"") for name in _STANDARD), expires])
    lines = b"".join(b"%b:%b\n" % line for line in sorted(amz.items()))
    owner = f"/{bucket}" if bucket else ""
    query = _signed_query(pairs)
    return Claim(
        version=NAME,
        access_key=parameters[b"AWSAccessKeyId"].decode("latin-1"),
        date="",
        region="",
        signed_at=None,
        timestamp="",
        signature=parameters[b"Signature"].replace(b" ", b"+").decode("latin-1"),  # base64, which not everybody encodes
        signed_headers=(),
        payload=canonical.UNSIGNED_PAYLOAD,
        canonical_requests=tuple(
            f"{owner}{path}".encode().join((head + b"\n" + lines, query))
            for form in canonical.path_forms(raw_path)
            for path in (
                (form, f"{form}/") if bucket is None and form.count("/") == 1 else (form,)
            )  # SDKs sign a bucket with the slash
        ),
        expires_at=datetime.fromtimestamp(int(expires), UTC),
    )


def signature(secret: str, text: bytes) -> str:
    """Base64 of an HMAC-SHA-1."""
    return base64.b64encode(hmac.digest(secret.encode(), text, sha1)).decode()


def _split(raw_query: bytes) -> list[tuple[bytes, bytes | None]]:
    """Names and values as sent; ``None`` without ``=``."""
    items = (item.partition(b"=") for item in raw_query.split(b"&") if item)
    return [(name, value if equals else None) for name, equals, value in items]


def _signed_query(pairs: Iterable[tuple[bytes, bytes | None]]) -> bytes:
    """The parameters that are signed, sorted, their values decoded."""
    signed = sorted((name, value) for name, value in pairs if name in _SIGNED)
    texts = [name if value is None else name + b"=" + canonical.unquote_plus(value) for name, value in signed]
    return b"?" + b"&".join(texts) if texts else b""


def _refuse_unsigned(parameters: Mapping[bytes, bytes], headers: Mapping[bytes, bytes]) -> None:
    """Also where a value would have been signed as something else: this version puts values into its text as they are.

    SDKs repeat in the query what they expect in the headers content-md5 and content-type: there it counts, and nowhere else.
    """
    for name, value in parameters.items():
        known = name in _OWN | _SIGNED | _PAGING or name.lower().startswith(b"x-amz-")
        repeated = name in _STANDARD and headers.get(name, b"") == value
        disguise = b"\n" in value or any(item.partition(b"=")[0] in _SIGNED for item in value.split(b"&")[1:])
        if disguise or not (known or repeated):
            raise RequestError(
                "AccessDenied",
                "There were parameters present in the request which were not signed",
                {"ParametersNotSigned": name.decode("latin-1")[:100]},
            )
