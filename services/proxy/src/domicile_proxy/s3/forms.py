"""Browser uploads: the form as it arrives, and the policy that its signer gave it. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html, sigv4-HTTPPOSTConstructPolicy.html and RFC 7578. Only the field named
``file`` is the file, whichever fields have file names; what comes behind it is ignored. So is the type that a browser gives the file by
itself: the field ``Content-Type`` says what the object's is, if the policy lets it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from domicile_common.errors import RequestError
from domicile_proxy.s3.asking import Signed
from domicile_proxy.s3.headers import as_header

MAXIMUM_FIELDS = 20 * 1024  # bytes before the file, as at AWS
MAXIMUM_BOUNDARY = 70

_BOUNDARY = re.compile(r'multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_DISPOSITION = re.compile(rb"content-disposition\s*:\s*form-data\s*(;.*)", re.IGNORECASE)
_PARAMETER = re.compile(rb';\s*([a-z*]+)\s*=\s*(?:"((?:[^"\\]|\\["\\])*)"|([^\s;"]*))', re.IGNORECASE)


def read_boundary(content_type: str) -> bytes:
    """Raises RequestError: PreconditionFailed, as S3 answers a POST that is no form."""
    form = _BOUNDARY.fullmatch(content_type.strip()) or _BOUNDARY.match(content_type.strip())
    boundary = (form[1] or form[2]) if form else ""
    if not boundary or len(boundary) > MAXIMUM_BOUNDARY:
        message = "Bucket POST must be of the enclosure-type multipart/form-data"
        raise RequestError(
            "PreconditionFailed", message, {"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"}
        )
    return boundary.encode("latin-1")


class FormReader:
    """Feed it the body: it keeps the fields and gives the bytes of the file.

    ``fields``: by name in lower case. ``file_name``: what the client calls the file. ``before``: bytes of the body before the file.
    ``in_file``, ``ended``: how far it has come.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = b"\r\n"  # so that the first boundary is like the others
        self._step: Literal["delimiter", "headers", "field", "file", "end"] = "delimiter"
        self._name = ""
        self._taken = -len(self._buffer)
        self.fields: dict[str, str] = {}
        self.file_name = ""
        self.before = 0

    @property
    def in_file(self) -> bool:
        return self._step in ("file", "end")

    @property
    def ended(self) -> bool:
        return self._step == "end"

    def closing(self) -> int:
        """Bytes that follow the file when it is the last field, as clients write it."""
        return len(self._delimiter) + len(b"--\r\n")

    def feed(self, data: bytes) -> bytes:
        """The bytes of the file that are sure by now. Raises RequestError: MalformedPOSTRequest, MaxPostPreDataLengthExceededError."""
        if self._step == "end":
            return b""
        self._buffer += data
        while not self.in_file and self._advance():
            pass
        if self._step == "file":
            return self._file()
        if not self.in_file and self._taken + len(self._buffer) > MAXIMUM_FIELDS:
            raise RequestError("MaxPostPreDataLengthExceededError")
        return b""

    def finish(self) -> None:
        """The body is over. Raises RequestError: MalformedPOSTRequest, IncorrectNumberOfFilesInPostRequest."""
        if not self.in_file:
            raise RequestError("IncorrectNumberOfFilesInPostRequest" if self.fields else "MalformedPOSTRequest")
        if not self.ended:
            raise RequestError("MalformedPOSTRequest")

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        self._taken += size
        return taken

    def _advance(self) -> bool:
        """One step, if enough has arrived for it."""
        match self._step:
            case "delimiter":
                return self._pass_delimiter()
            case "headers":
                return self._read_headers()
            case "field":
                at = self._buffer.find(self._delimiter)
                if at < 0:
                    return False
                self._keep(self._take(at))
                self._step = "delimiter"
                return True
        return False

    def _pass_delimiter(self) -> bool:
        end = len(self._delimiter)
        if len(self._buffer) < end + 2:
            return False
        if not self._buffer.startswith(self._delimiter):
            raise RequestError("MalformedPOSTRequest")
        if self._buffer[end : end + 2] == b"--":
            raise RequestError("IncorrectNumberOfFilesInPostRequest")
        line = self._buffer.find(b"\r\n", end)
        if line < 0:
            return False
        if self._buffer[end:line].strip(b" \t"):
            raise RequestError("MalformedPOSTRequest")
        self._take(line)  # the line's end may begin the empty line that ends the headers
        self._step = "headers"
        return True

    def _read_headers(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = self._take(end + 4).strip(b"\r\n").split(b"\r\n")
        disposition = next((form for line in lines if (form := _DISPOSITION.fullmatch(line))), None)
        if disposition is None:
            raise RequestError("MalformedPOSTRequest")
        parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(disposition[1])}
        if b"name" not in parameters:
            raise RequestError("MalformedPOSTRequest")
        self._name = _text(parameters[b"name"]).lower()
        if self._name != "file":
            self._step = "field"
            return True
        path = re.sub(r'\\(["\\])', r"\1", _text(parameters.get(b"filename", b"")))
        self.file_name = re.split(r"[/\\]", path)[-1]
        self.before = self._taken
        self._step = "file"
        return True

    def _keep(self, value: bytes) -> None:
        if self._name in self.fields:
            raise RequestError("InvalidArgument", "A field occurs twice.", {"ArgumentName": self._name[:100]})
        self.fields[self._name] = _text(value)

    def _file(self) -> bytes:
        at = self._buffer.find(self._delimiter)
        if at >= 0:
            self._step = "end"
            piece = self._take(at)
            self._buffer = b""
            return piece
        return self._take(max(0, len(self._buffer) - len(self._delimiter) + 1))


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise RequestError("MalformedPOSTRequest") from None


# --- the policy ---

_ENDS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
_FREE = frozenset({"file", "policy", "signature", "awsaccesskeyid", "x-amz-signature"})
_FREE_PREFIXES = ("x-ignore-", "x-amz-checksum-")


@dataclass(frozen=True, slots=True)
class PostCondition:
    """``field``: in lower case."""

    operator: Literal["eq", "starts-with"]
    field: str
    value: str

    def holds(self, values: Mapping[str, str]) -> bool:
        actual = values.get(self.field)
        if actual is None:
            return False
        return actual == self.value if self.operator == "eq" else actual.startswith(self.value)


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """``least``, ``most``: bytes that the file may have."""

    expires: datetime
    conditions: tuple[PostCondition, ...]
    least: int = 0
    most: int | None = None


def parse_policy(encoded: str) -> PostPolicy:
    """The field ``policy``: base64 of a JSON document. Raises RequestError: InvalidPolicyDocument."""
    try:
        document = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    expires, listed = document.get("expiration"), document.get("conditions")
    if not isinstance(expires, str) or not _ENDS.fullmatch(expires):
        raise _invalid("Policy missing expiration, or with one that is no date.")
    if not isinstance(listed, list):
        raise _invalid("Policy missing conditions.")
    try:
        ends = datetime.fromisoformat(expires).astimezone(UTC)
    except ValueError:
        raise _invalid("Invalid 'expiration' value.") from None
    conditions: list[PostCondition] = []
    least, most = 0, None
    for item in listed:
        if isinstance(item, list) and item and str(item[0]).lower() == "content-length-range":
            least, most = _range(item)
        else:
            conditions += _conditions(item)
    return PostPolicy(ends, tuple(conditions), least, most)


def _invalid(why: str) -> RequestError:
    return RequestError("InvalidPolicyDocument", f"Invalid Policy: {why}")


def _range(item: list[Any]) -> tuple[int, int]:
    numbers = [int(number) if isinstance(number, str) and re.fullmatch("[0-9]{1,15}", number) else number for number in item[1:]]
    if len(numbers) != 2 or not all(type(number) is int and number >= 0 for number in numbers):  # noqa: PLR2004 -- from, to
        raise _invalid("Invalid content-length-range.")
    return numbers[0], numbers[1]


def _conditions(item: object) -> list[PostCondition]:
    if isinstance(item, dict) and len(item) == 1:
        ((field, value),) = item.items()
        if isinstance(value, str):
            return [PostCondition("eq", str(field).lower(), value)]
    if isinstance(item, list) and len(item) == 3 and all(isinstance(part, str) for part in item):  # noqa: PLR2004 -- operator, field, value
        operator, field, value = item
        known = {"eq": "eq", "starts-with": "starts-with"}.get(operator.lower())
        if known is not None and field.startswith("$"):
            return [PostCondition("eq" if known == "eq" else "starts-with", field[1:].lower(), value)]
    raise _invalid("Invalid condition.")


def check_policy(policy: PostPolicy, fields: Mapping[str, str], bucket: str, now: datetime) -> None:
    """``fields``: as they hold, file name filled in. Raises RequestError: AccessDenied."""
    if policy.expires < now:
        raise RequestError("AccessDenied", "Invalid according to Policy: Policy expired.")
    values = {**fields, "bucket": bucket}
    for condition in policy.conditions:
        if not condition.holds(values):
            message = (
                f'Invalid according to Policy: Policy Condition failed: ["{condition.operator}", "${condition.field[:100]}", …]'
            )
            raise RequestError("AccessDenied", message)
    allowed = {condition.field for condition in policy.conditions}
    extra = [name for name in values if name not in allowed | _FREE and not name.startswith(_FREE_PREFIXES)]
    if extra:
        raise RequestError("AccessDenied", f"Invalid according to Policy: Extra input fields: {min(extra)[:100]}")


def check_length(policy: PostPolicy, length: int) -> None:
    """Raises RequestError: EntityTooSmall, EntityTooLarge."""
    if length < policy.least:
        raise RequestError("EntityTooSmall", "", {"ProposedSize": str(length), "MinSizeAllowed": str(policy.least)})
    if policy.most is not None and length > policy.most:
        raise RequestError("EntityTooLarge", "", {"ProposedSize": str(length), "MaxSizeAllowed": str(policy.most)})


class SignedForm(NamedTuple):
    """Who signed a form, and what for; both ``None`` for a form of somebody without a key."""

    signed: Signed | None = None
    policy: PostPolicy | None = None


# --- what the fields stand for ---

_HEADERS = frozenset({"cache-control", "content-type", "content-disposition", "content-encoding", "content-language", "expires"})
_NOT_HEADERS = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token"})
_RENAMED = {"acl": "x-amz-acl"}


def object_headers(fields: Mapping[str, str]) -> dict[str, str]:
    """The headers that a PutObject would have in place of the fields. Raises RequestError: InvalidArgument, InvalidToken."""
    if fields.get("x-amz-security-token"):
        raise RequestError("InvalidToken")
    return dict(
        as_header(_RENAMED.get(name, name), value)
        for name, value in fields.items()
        if name in _HEADERS or name in _RENAMED or (name.startswith("x-amz-") and name not in _NOT_HEADERS)
    )
