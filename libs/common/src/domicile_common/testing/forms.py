"""Browsers' forms for PostObject, signed as a server would sign them, or as it should not.

Source: "Browser-Based Uploads Using POST (AWS Signature Version 4)" of the Amazon S3 API reference.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from domicile_common.testing.raw_s3 import Signer

BOUNDARY = "----form-boundary-7MA4YWxk"


@dataclass(frozen=True)
class Field:
    """One field as it stands in the body. ``extra``: further parameters of its Content-Disposition, such as ``filename="a"``."""

    name: str
    value: bytes
    extra: str = ""
    content_type: str = ""

    def render(self) -> bytes:
        disposition = f'Content-Disposition: form-data; name="{self.name}"{"; " + self.extra if self.extra else ""}\r\n'
        kind = f"Content-Type: {self.content_type}\r\n" if self.content_type else ""
        return f"--{BOUNDARY}\r\n{disposition}{kind}\r\n".encode() + self.value + b"\r\n"


def encoded(fields: Sequence[Field]) -> tuple[bytes, dict[str, str]]:
    """The body and the header that names its boundary."""
    body = b"".join(field.render() for field in fields) + f"--{BOUNDARY}--\r\n".encode()
    return body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def conditions_of(bucket: str, fields: Mapping[str, str]) -> list[Any]:
    """What a policy must say so that exactly these fields are let through."""
    return [{"bucket": bucket}, *({name: value} for name, value in fields.items())]


def signed_fields(
    signer: Signer, conditions: Sequence[Any], fields: Mapping[str, str], *, expires: timedelta = timedelta(minutes=5)
) -> dict[str, str]:
    """All fields but the file. ``conditions``: of the policy, beside those about the signature's own fields."""
    moment = signer.moment()
    own = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{signer.access_key}/{signer.scope(moment)}",
        "x-amz-date": moment,
    }
    document = {
        "expiration": (datetime.now(UTC) + expires).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [*conditions, *({name: value} for name, value in own.items())],
    }
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    return {**fields, **own, "policy": policy, "x-amz-signature": signer.sign(moment, policy)}


def form(fields: Mapping[str, str], content: bytes, file_name: str = "file.txt") -> tuple[bytes, dict[str, str]]:
    """Body and headers of a form as browsers send it: the file is its last field."""
    listed = [Field(name, value.encode()) for name, value in fields.items()]
    return encoded([*listed, Field("file", content, f'filename="{file_name}"', "text/plain")])
