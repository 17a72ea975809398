"""A bucket of one tenant, and others who want something of it: for tests of who may do what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domicile_common.testing.raw_s3 import Answer, RawS3, Signer


@dataclass(frozen=True)
class Shared:
    """A bucket of tenant ``one``, and those who want something of it: ``one``, ``two`` and ``nobody`` send requests."""

    name: str
    one: Callable[..., Answer]
    two: Callable[..., Answer]
    nobody: Callable[..., Answer]

    def allow(self, *actions: str, principal: Any = "*", on: str = "", effect: str = "Allow", **condition: Any) -> None:
        """A policy of one statement; ``on``: resources below the bucket, both the bucket and all objects when there is none."""
        self.set_policy(self.statement(*actions, principal=principal, on=on, effect=effect, **condition))

    def statement(
        self, *actions: str, principal: Any = "*", on: str = "", effect: str = "Allow", **condition: Any
    ) -> dict[str, Any]:
        bucket = f"arn:aws:s3:::{self.name}"
        resources = f"{bucket}/{on}" if on else [bucket, f"{bucket}/*"]
        base = {"Effect": effect, "Principal": principal, "Action": list(actions), "Resource": resources}
        return base | ({"Condition": condition} if condition else {})

    def set_policy(self, *statements: Mapping[str, Any]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()
        refused(self.one("PUT", "?policy", document), "")

    def put(self, key: str = "k", body: bytes = b"1", **headers: str) -> Answer:
        answer = self.one("PUT", f"/{key}", body, {name.replace("_", "-"): value for name, value in headers.items()})
        refused(answer, "")
        return answer


def sender(raw: RawS3, name: str, signer: Signer | None) -> Callable[..., Answer]:
    def send(method: str, target: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        if signer is None:
            return raw.unsigned(method, f"/{name}{target}", body, headers)
        return raw.send(method, f"/{name}{target}", body, headers, signer=signer)

    return send


def refused(answer: Answer, code: str = "AccessDenied") -> None:
    """With this error code; ``""`` is none."""
    assert answer.code == code, (answer.status, answer.body)
