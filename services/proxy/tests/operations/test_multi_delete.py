"""DeleteObjects: what a thousand keys in one request cost the others."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json

import msgspec

from domicile_common.bucket_settings import BucketSettings
from domicile_common.metadata_client.models import Delete, Deleted
from domicile_proxy.operations.multi_delete import DECIDED_AT_ONCE

KEYS = 200
POLICY = {
    "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::bucket/kept/*"}
}


async def test_others_have_their_turns_while_a_policy_decides(proxy):
    proxy.bucket = msgspec.structs.replace(proxy.bucket, settings=BucketSettings(policy=json.dumps(POLICY)))
    proxy.metadata.answers[Delete] = Deleted()
    keys = [f"{'kept' if number % 2 else 'gone'}/{number}" for number in range(KEYS)]
    body = f"<Delete>{''.join(f'<Object><Key>{key}</Key></Object>' for key in keys)}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(another())
    answer = await proxy.ask("POST", params={"delete": ""}, headers={"content-md5": digest}, body=body)
    other.cancel()
    assert turns > KEYS / DECIDED_AT_ONCE
    assert [request.key for request in proxy.metadata.asked] == [key for key in keys if key.startswith("gone/")]
    assert answer.body.count(b"<Code>AccessDenied</Code>") == KEYS / 2
