"""PostObject: a browser's form. Its fields say who signed it and what the object shall be; then it is written as any other."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from domicile_common.errors import RequestError
from domicile_common.model import Credential
from domicile_common.sigv4 import keys
from domicile_common.sigv4.claim import parse_credential, parse_timestamp
from domicile_proxy.authorization import ANONYMOUS
from domicile_proxy.context import Context
from domicile_proxy.operations import Handler
from domicile_proxy.operations.objects_write import put_object
from domicile_proxy.request import Incoming, Response, S3Request, WireBody
from domicile_proxy.s3 import answers
from domicile_proxy.s3.addressing import check_key
from domicile_proxy.s3.asking import Signed
from domicile_proxy.s3.documents import parse_tagging
from domicile_proxy.s3.forms import (
    FormReader,
    SignedForm,
    check_length,
    check_policy,
    object_headers,
    parse_policy,
    read_boundary,
)

READ_FIRST = 5 * 1024 * 1024
"""Bytes; a body that is not longer is read whole, so that the file's length is known. In a longer one the file has to be the last field."""

_SEE_OTHER = 303
_LENGTH = re.compile("[0-9]{1,18}")


class FileBody(WireBody):
    """The file of a form, as if it were the body of a PutObject. ``first``: what of it has been read."""

    __slots__ = ("_announced", "_first", "_length", "_reader", "_wire")

    def __init__(self, wire: WireBody, reader: FormReader, first: bytes, announced: int) -> None:
        self._wire = wire
        self._reader = reader
        self._first = first
        self._announced = announced
        self._length = 0
        self.started = True
        self.finished = False

    async def measure(self) -> int:
        """The file's length in bytes. Raises RequestError: MalformedPOSTRequest."""
        pieces = [self._first]
        while not self._wire.finished and self._announced <= READ_FIRST:
            pieces.append(self._reader.feed(await self._wire.next()))
        self._first = b"".join(pieces)
        if self._wire.finished:
            self._reader.finish()
        known = self._announced - self._reader.before - self._reader.closing()
        self._length = len(self._first) if self._wire.finished else known
        return self._length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._length
        piece = self._first
        while True:
            left -= len(piece)
            if left < 0:
                raise misplaced()
            if piece:
                yield piece
            if self._wire.finished:
                break
            piece = self._reader.feed(await self._wire.next())
        self._reader.finish()
        if left:
            raise misplaced()
        self.finished = True


def misplaced() -> RequestError:
    return RequestError("MalformedPOSTRequest", "In a form of this size, the file must be the last field.")


@dataclass(frozen=True, slots=True)
class Form:
    """``fields``: by name in lower case, with the file's name filled in."""

    fields: Mapping[str, str]
    body: FileBody


async def read_form(incoming: Incoming) -> Form:
    """Everything before the file. Raises RequestError: MalformedPOSTRequest, MissingContentLength and others of a form."""
    length = incoming.headers.get("content-length", "")
    if not _LENGTH.fullmatch(length):
        raise RequestError("MissingContentLength")
    reader = FormReader(read_boundary(incoming.headers.get("content-type", "")))
    first = b""
    while not incoming.wire.finished and not reader.in_file:
        first = reader.feed(await incoming.wire.next())
    if not reader.in_file:
        reader.finish()
    fields = {name: value.replace("${filename}", reader.file_name) for name, value in reader.fields.items()}
    return Form(fields, FileBody(incoming.wire, reader, first, int(length)))


async def with_file(request: S3Request) -> S3Request:
    """The request, when it is known how long the file is. Raises RequestError: EntityTooSmall, EntityTooLarge, MalformedPOSTRequest."""
    body = request.incoming.wire
    assert isinstance(body, FileBody)
    assert request.form is not None
    length = await body.measure()
    if request.form.policy is not None:
        check_length(request.form.policy, length)
    raw = [*request.incoming.raw_headers, (b"content-length", b"%d" % length)]
    return replace(request, incoming=replace(request.incoming, raw_headers=raw))


# --- who signed it ---


async def authenticate(form: Form, bucket: str, context: Context) -> tuple[Credential, SignedForm]:
    """The key whose policy lets this form through; nobody, when it has no policy.

    Raises:
        RequestError: InvalidArgument (a field is missing), InvalidAccessKeyId, SignatureDoesNotMatch, InvalidPolicyDocument, AccessDenied.
    """
    fields = form.fields
    if "policy" not in fields:
        if "signature" in fields or "x-amz-signature" in fields:
            raise missing("policy")
        return ANONYMOUS, SignedForm()
    credential, signed = await (signer(fields, context) if "x-amz-signature" in fields else old_signer(fields, context))
    policy = parse_policy(fields["policy"])
    check_policy(policy, fields, bucket, context.clock())
    return credential, SignedForm(signed, policy)


async def signer(fields: Mapping[str, str], context: Context) -> tuple[Credential, Signed]:
    """Signature version 4: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html."""
    for name in ("x-amz-algorithm", "x-amz-credential", "x-amz-date"):
        if name not in fields:
            raise missing(name)
    if fields["x-amz-algorithm"] != "AWS4-HMAC-SHA256":
        raise RequestError("InvalidArgument", "Only AWS4-HMAC-SHA256 is supported", {"ArgumentName": "x-amz-algorithm"})
    claimed = parse_credential(fields["x-amz-credential"], lambda why: RequestError("InvalidArgument", why))
    stamp = parse_timestamp(fields["x-amz-date"])
    if stamp is None or fields["x-amz-date"][:8] != claimed.date:
        raise RequestError("InvalidArgument", "X-Amz-Date must be in the ISO8601 format, of the credential's day")
    known = await context.directory.credential(claimed.access_key)
    key = context.keys.get(known.secret, claimed.date, claimed.region)
    refuse_other(keys.signature(key, fields["policy"]), fields["x-amz-signature"], claimed.access_key)
    return known.usable(context.clock()), Signed("POST", keys.ALGORITHM, stamp)


async def old_signer(fields: Mapping[str, str], context: Context) -> tuple[Credential, Signed]:
    """Signature version 2, which forms in use still have: HMAC-SHA1 of the policy."""
    for name in ("awsaccesskeyid", "signature"):
        if name not in fields:
            raise missing(name)
    known = await context.directory.credential(fields["awsaccesskeyid"])
    digest = hmac.new(known.secret.encode(), fields["policy"].encode(), hashlib.sha1).digest()
    refuse_other(base64.b64encode(digest).decode(), fields["signature"], fields["awsaccesskeyid"])
    return known.usable(context.clock()), Signed("POST", "AWS", None)


def refuse_other(expected: str, given: str, access_key: str) -> None:
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise RequestError("SignatureDoesNotMatch", detail={"AWSAccessKeyId": access_key})


def missing(name: str) -> RequestError:
    message = f"Bucket POST must contain a field named '{name}'. If it is specified, please check the order of the fields."
    return RequestError("InvalidArgument", message, {"ArgumentName": name})


# --- what it asks for ---


def as_put(incoming: Incoming, form: Form) -> tuple[Incoming, str, dict[str, str]]:
    """The same as a PutObject: what arrived, the key, and the headers.

    Raises:
        RequestError: InvalidArgument, InvalidToken, KeyTooLongError, MalformedXML.
    """
    fields = form.fields
    if not fields.get("key"):
        raise missing("key")
    headers = object_headers(fields)
    if "tagging" in fields:
        headers["x-amz-tagging"] = urlencode(parse_tagging(fields["tagging"].encode()))
    body_headers = {name: value for name, value in headers.items() if name.startswith(("x-amz-checksum-", "x-amz-sdk-checksum-"))}
    if "content-md5" in fields:
        body_headers["content-md5"] = fields["content-md5"]
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in body_headers.items()]
    arrived = replace(incoming, wire=form.body, raw_headers=raw)
    carried = {name: incoming.headers[name] for name in ("host", "referer", "user-agent") if name in incoming.headers}
    return arrived, check_key(fields["key"]), carried | headers


def answer_fields(form: Form) -> dict[str, str]:
    """Those that say how to answer."""
    return {
        name: form.fields[name]
        for name in ("success_action_status", "success_action_redirect", "redirect")
        if name in form.fields
    }


async def post_object(request: S3Request, context: Context) -> Response:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html. ``request.params``: ``answer_fields``."""
    stored = await put_object(await with_file(request), context)
    headers: dict[str, Any] = {name: value for name, value in stored.headers.items() if name != "content-length"}
    headers["location"] = f"{request.origin}/{request.bucket.name}/{quote(request.key, safe='/')}"
    target = request.params.get("success_action_redirect") or request.params.get("redirect", "")
    if target.startswith(("http://", "https://")) and "\r" not in target and "\n" not in target and target.isascii():
        query = urlencode({"bucket": request.bucket.name, "key": request.key, "etag": headers["etag"]}, quote_via=quote)
        return Response(_SEE_OTHER, headers | {"location": f"{target}{'&' if '?' in target else '?'}{query}"})
    match request.params.get("success_action_status"):
        case "201":
            body = answers.post_response(headers["location"], request.bucket.name, request.key, headers["etag"])
            return Response(201, headers | {"content-type": "application/xml"}, body)
        case "200":
            return Response(200, headers)
    return Response(204, headers)


OPERATIONS: dict[str, Handler] = {"PostObject": post_object}
